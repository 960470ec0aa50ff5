"""How long a command takes, and how much memory it and everything it starts hold at most."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Run", "measure", "memory"]

SAMPLE_SECONDS = 0.05
KIB = 1024


@dataclass(frozen=True)
class Run:
    """What one run of a command took: wall time in seconds, and peak memory in bytes (0 where it was not watched)."""

    seconds: float
    peak: int
    output: str


def measure(command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, watch: bool = False) -> Run:
    """Run a command; watch samples its memory, which costs some time itself. RuntimeError with its output when it fails."""
    started = time.monotonic()
    environment = {**os.environ, **(env or {})}
    with subprocess.Popen(command, env=environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        peak = watched(process) if watch else 0
        output = process.communicate()[0]
    seconds = time.monotonic() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}\n{output}")
    return Run(seconds, peak, output)


def watched(process: subprocess.Popen[str]) -> int:
    """Return the most memory that the process and its descendants held together, as sampled until it ends."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(memory(pid) for pid in family(process.pid)))
        time.sleep(SAMPLE_SECONDS)
    return peak


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [pid]
    for member in found:
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def memory(pid: int) -> int:
    """Return the memory of a process in bytes, pages that it shares counted by its share; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * KIB for line in lines if line.startswith("Pss:")), 0)
