"""Pin the newest versions that fit requirements/*.in, one lock for each line of Python that this machine has."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from in_venv import LOCKS, ROOT, pythons

OPTIONS = ["--generate-hashes", "--strip-extras", "--allow-unsafe", "--upgrade", "--quiet"]
# A lock says what, never from where.
SILENCE = ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links", "--no-emit-options"]


def main() -> None:
    requirements = ROOT / "requirements"
    for line, lock in LOCKS.items():
        found = next(pythons(line), None)
        if found is None:
            sys.exit(f"{lock} wants Python {line}, which this machine does not have.")
        python, _version = found
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([python, "-m", "venv", folder], check=True)
            subprocess.run([f"{folder}/bin/pip", "install", "--quiet", "pip-tools"], check=True)
            compiled = f"{folder}/{lock}"
            command = [f"{folder}/bin/pip-compile", *OPTIONS, *SILENCE, "--output-file", compiled, f"{Path(lock).stem}.in"]
            subprocess.run(command, cwd=requirements, check=True)
            shutil.copyfile(compiled, requirements / lock)
        print(f"requirements/{lock}: pinned by Python {line}")


if __name__ == "__main__":
    main()
