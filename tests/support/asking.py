# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests at a public path while something else goes on."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from .lab import Lab

__all__ = ["asked_all_the_time"]


# One line a request: its body on one line, how long it took and its code; where no answer came, curl's own message in the body's place.
# The pause is shorter than any gap in service that was ever seen here, and leaves the machine to what is tested.
_ASK = r"""
trap 'exit 0' TERM
while :; do
    answer=$(curl --silent --show-error --write-out ' %{time_total}s %{http_code}' --cacert "$0" "$1" 2>&1)
    echo "${answer//$'\n'/ }"
    sleep 0.03
done
"""


@contextmanager
def asked_all_the_time(lab: Lab, url: str) -> Iterator[Counter[str]]:
    """Ask a URL again and again, each time by a new connection.

    When the block has ended, the answers are there, counted: by "200", or by body, seconds and code.
    """
    asking = subprocess.Popen(
        lab.command("bash", "-c", _ASK, lab.facts["ingress"]["ca_file"], url), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    answers: Counter[str] = Counter()
    try:
        yield answers
    finally:
        os.killpg(asking.pid, signal.SIGTERM)
        lines = asking.communicate(timeout=30)[0].splitlines()
        answers.update("200" if line.endswith(" 200") else line for line in lines)
