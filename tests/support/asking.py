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


@contextmanager
def asked_all_the_time(lab: Lab, url: str) -> Iterator[Counter[str]]:
    """Ask a URL again and again, each time by a new connection; the HTTP codes are there when the block has ended."""
    ask = f"curl --silent --output /dev/null --write-out '%{{http_code}}\\n' --cacert {lab.facts['ingress']['ca_file']} {url}"
    asking = subprocess.Popen(
        lab.command("bash", "-c", f"trap 'exit 0' TERM; while :; do {ask}; done"), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    codes: Counter[str] = Counter()
    try:
        yield codes
    finally:
        os.killpg(asking.pid, signal.SIGTERM)
        codes.update(asking.communicate(timeout=30)[0].split())
