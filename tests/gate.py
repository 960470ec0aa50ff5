"""The gate, as `make test` and .ci/run call it: lint, sanity, then all tests.

Every step runs, whatever became of the one before; the last lines say which failed, and how long each took.
The lab's parts take most of a first run: they are built in the background while lint and sanity run, and pytest waits for them.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAB = [sys.executable, str(ROOT / "tests" / "lab")]
STEPS = {
    "lint": [sys.executable, "tests/lint.py"],
    "sanity": [sys.executable, "tests/sanity.py"],
    "lab built": [],
    # Two workers, each with a lab of its own; a file's tests stay together, in their order. The long files stand last, side by side.
    "pytest": ["pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "--durations=25", "tests/unit", "tests/integration"],
}
LOG_LINES = 60


def wait_for(build: subprocess.Popen[bytes], log: Path) -> int:
    """Wait for the lab's build; show the end of its log when it failed."""
    if code := build.wait():
        print("\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:]))
        print(f"the lab's parts could not be built; all lines: {log}")
    return code


def run(command: list[str]) -> int:
    """Run one step and return its exit code; a step ends with the gate, and may tidy up."""
    with subprocess.Popen(command, cwd=ROOT) as step:
        try:
            return step.wait()
        except SystemExit:
            step.terminate()
            raise


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_received: sys.exit("make test: told to end."))
    with tempfile.NamedTemporaryFile(prefix="rarus-lms-build-", suffix=".log", delete=False) as log:
        build = subprocess.Popen([*LAB, "build"], stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
    results: dict[str, tuple[int, float]] = {}
    began = time.monotonic()
    try:
        for name, command in STEPS.items():
            print(f"=== {name}", flush=True)
            started = time.monotonic()
            code = run(command) if command else wait_for(build, Path(log.name))
            results[name] = (code, time.monotonic() - started)
    finally:
        if build.poll() is None:
            build.terminate()
            build.wait()
    for name, (code, seconds) in results.items():
        print(f"{name:<10} {'ok' if code == 0 else 'FAILED'}  {seconds:.0f} s")
    print(f"make test: {time.monotonic() - began:.0f} s")
    if all(code == 0 for code, _seconds in results.values()):
        Path(log.name).unlink()
    else:
        sys.exit(1)


if __name__ == "__main__":
    main()
