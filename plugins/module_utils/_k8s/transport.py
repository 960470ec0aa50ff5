# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request and its answer, repeated in bounded time where that is safe."""

from __future__ import annotations

import json
import random
import time
import typing as t
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlencode

from .._core.deps import URLLIB3
from .faults import Answer, Target, fault_of, network_errors, unreachable

__all__ = ["Transport", "clock_ahead"]

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
REPEAT_SECONDS = 12.0
# A port that refuses may be a proxy that restarts, but is more often a wrong port.
REFUSED_SECONDS = 4.0
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 3.0
JITTER = random.SystemRandom()
# The part of a pause that is waited for, so that many runs do not come back at once.
JITTER_OF_A_PAUSE = (0.5, 1.0)

BUSY = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
# The fault after which a request certainly did not arrive, and the one after which it may have.
REFUSED, BROKEN = "refused", "broken"


class Transport:
    """A pool of connections to one API.

    calls: requests sent so far, repetitions included. read_seconds: how long an answer is awaited; repeat_seconds: how long a request
    is repeated.
    ahead: seconds by which the API's clock is ahead of this machine's, by its last answer.
    """

    def __init__(
        self,
        target: Target,
        pool: t.Any,
        headers: t.Callable[[], dict[str, str]],
        *,
        read_seconds: float | None = None,
        repeat_seconds: float | None = None,
    ) -> None:
        self.target = target
        self.calls = 0
        self.ahead = 0.0
        self._pool = pool
        self._headers = headers
        self._read_seconds = READ_SECONDS if read_seconds is None else read_seconds
        self._repeat_seconds = REPEAT_SECONDS if repeat_seconds is None else repeat_seconds

    def exchange(
        self,
        method: str,
        path: str,
        *,
        action: str,
        query: t.Mapping[str, t.Any] | None = None,
        body: t.Any = None,
        accept: str = "application/json",
        repeatable: bool = True,
    ) -> Answer:
        """Return the API's answer, whatever its status; action names the request in messages ("reading Secret x/y").

        A request that certainly was not carried out (429, connection refused) is repeated; one that may have been (502, 503, 504,
        a broken connection) only where it is repeatable. Raises ApiError when there is no answer.
        """
        url = f"{self.target.root}{path}" + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else json.dumps(body).encode()
        started = time.monotonic()
        pause = FIRST_PAUSE_SECONDS
        attempts = 0
        while True:
            attempts += 1
            try:
                answer = self._once(method, url, content, accept, attempts)
            except network_errors() as error:
                fault = fault_of(error)
                worth_it = fault == REFUSED or (fault == BROKEN and repeatable)
                limit = min(REFUSED_SECONDS, self._repeat_seconds) if fault == REFUSED else self._repeat_seconds
                wait = pause * JITTER.uniform(*JITTER_OF_A_PAUSE)
                if not self._again(worth_it, started, wait, limit):
                    raise unreachable(error, self.target, action) from None
            else:
                wait = _retry_after(answer) + pause * JITTER.uniform(*JITTER_OF_A_PAUSE)
                worth_it = answer.status == HTTPStatus.TOO_MANY_REQUESTS or (repeatable and answer.status in BUSY)
                if not self._again(worth_it, started, wait, self._repeat_seconds):
                    return answer
            time.sleep(wait)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _once(self, method: str, url: str, content: bytes | None, accept: str, attempt: int) -> Answer:
        """Send one request, follow no redirection, and read its answer."""
        self.calls += 1
        headers = {"Accept": accept, "User-Agent": "rarus.lms", **self._headers()}
        if content is not None:
            headers["Content-Type"] = "application/json"
        timeout = URLLIB3.part("util").Timeout(connect=CONNECT_SECONDS, read=self._read_seconds)
        response = self._pool.request(method, url, body=content, headers=headers, timeout=timeout, retries=False, redirect=False)
        text = response.data.decode("utf-8", errors="replace")
        self.ahead = clock_ahead(response.headers.get("Date", ""))
        return Answer(status=response.status, headers=response.headers, body=_parsed(text), text=text, attempts=attempt)

    @staticmethod
    def _again(worth_it: bool, started: float, wait: float, limit: float) -> bool:
        """Return whether to repeat: it is worth it, and there is time for it."""
        return worth_it and time.monotonic() + wait - started <= limit


def clock_ahead(date: str) -> float:
    """Return how many seconds the date of an answer (RFC 9110) is ahead of this machine's clock; 0 where it has none."""
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return 0.0


def _parsed(text: str) -> t.Any:
    """Return a JSON object as a dictionary, everything else as text."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _retry_after(answer: Answer) -> float:
    """Return the seconds that an answer asks to wait, 0 where it says none in that form."""
    value = str(answer.headers.get("Retry-After", ""))
    return float(value) if value.isascii() and value.isdigit() else 0.0
