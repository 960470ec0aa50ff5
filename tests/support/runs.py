# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks that go on by themselves while a test stops, overtakes or kills them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from typing import Any

from .lab import PLAYBOOKS, Prepared

__all__ = ["RUN_SECONDS", "Run", "until"]

RUN_SECONDS = 180
POLL_SECONDS = 0.05


class Run:
    """One ansible-playbook in a process group of its own, begun when this object is made."""

    def __init__(self, prepared: Prepared, playbook: str, *words: str, **variables: Any) -> None:
        extra = json.dumps({**prepared.extra, **variables})
        command = prepared.lab.command("ansible-playbook", f"{playbook}.yml", "-i", str(prepared.inventory), *words, "-e", extra)
        # It goes with the lab.
        self._path = prepared.lab.state / f"run-{uuid.uuid4().hex}.txt"
        with self._path.open("w") as output:
            self.process = subprocess.Popen(
                command, env={**os.environ, **prepared.env}, cwd=PLAYBOOKS, stdout=output, stderr=output, start_new_session=True
            )

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._path.read_text()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all its processes."""
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """Kill all its processes, ended or not."""
        if self.process.poll() is None:
            self.send(signal.SIGKILL)
        self.process.wait()

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return exit code and output."""
        return self.process.wait(timeout=RUN_SECONDS), self.output


def until(condition: Callable[[], Any], what: str, seconds: float = RUN_SECONDS) -> None:
    """Wait until something is so. AssertionError when it does not become so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(POLL_SECONDS)
