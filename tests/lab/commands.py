"""Running a helper program: it never outlives the lab's own program, so that `down` after a kill finds nothing half done."""
from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from layout import LabError

DIE_TOGETHER = ["setpriv", "--pdeathsig=KILL", "--"]


def attempt(argv: Sequence[str], *, text: str = "", env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `argv` with `text` on standard input, and return what came, whatever the exit code."""
    return subprocess.run([*DIE_TOGETHER, *argv], input=text, capture_output=True, text=True, check=False, env=env, cwd="/")


def run(argv: Sequence[str], what: str, *, text: str = "") -> str:
    """Run `argv`; returns its output. Raises LabError of `what` (such as "the wire could not be made") and its own words."""
    done = attempt(argv, text=text)
    if done.returncode:
        raise LabError(f"{what}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout
