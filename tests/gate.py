"""The gate, as `make test` and .ci/run call it: lint, sanity, then all tests.

Every step runs, whatever became of the others; the last lines say which failed, and how long each took.
Lint and sanity use one core each for most of their time, and the lab's parts take most of a first run: they run side by side, and pytest
waits for them.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
SIDE_BY_SIDE = {
    "lint": [sys.executable, "tests/lint.py"],
    "sanity": [sys.executable, "tests/sanity.py"],
    "lab built": [sys.executable, "tests/lab", "build"],
}
# Two workers, each with a lab of its own; a file's tests stay together, in their order. The long files stand last, side by side.
PYTEST = ["pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "--durations=25", "tests/unit", "tests/integration"]


@dataclass
class Step:
    """A process of the gate; its output goes to log, or to the terminal where there is none."""

    name: str
    command: list[str]
    log: IO[bytes] | None = None
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Start it."""
        self.process = subprocess.Popen(self.command, cwd=ROOT, stdout=self.log, stderr=subprocess.STDOUT if self.log else None)

    def wait(self) -> None:
        """Wait for its end, and show what it wrote meanwhile."""
        self.process.wait()
        self.seconds = time.monotonic() - self.started
        if self.log:
            self.log.seek(0)
            print(f"=== {self.name}\n{self.log.read().decode(errors='replace')}", end="", flush=True)

    def end(self) -> None:
        """End it, where it goes on; a step may tidy up."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_received: sys.exit("make test: told to end."))
    began = time.monotonic()
    steps: list[Step] = []
    with ExitStack() as stack:
        for name, command in SIDE_BY_SIDE.items():
            steps.append(Step(name, command, stack.enter_context(tempfile.TemporaryFile())))
            stack.callback(steps[-1].end)
        for step in steps:
            step.wait()
        print("=== pytest", flush=True)
        steps.append(Step("pytest", PYTEST))
        stack.callback(steps[-1].end)
        steps[-1].wait()
    for step in steps:
        print(f"{step.name:<10} {'FAILED' if step.process.returncode else 'ok'}  {step.seconds:.0f} s")
    print(f"make test: {time.monotonic() - began:.0f} s")
    if any(step.process.returncode for step in steps):
        sys.exit(1)


if __name__ == "__main__":
    main()
