"""Render the documentation of every plugin and role as Ansible shows it, and fail on what does not render: python tests/docs.py [NAME]."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KINDS = {"module": "modules", "lookup": "lookup", "filter": "filter", "test": "test", "inventory": "inventory", "callback": "callback"}


def ansible_doc(*words: str) -> subprocess.CompletedProcess[str]:
    """Run ansible-doc; what it warns of in this collection is a failure here."""
    done = subprocess.run(["ansible-doc", *words], capture_output=True, text=True, check=False)
    if done.returncode or re.search(r"rarus[./]lms", done.stderr):
        sys.exit(f"ansible-doc {' '.join(words)}: {done.stderr or done.stdout}")
    return done


def documented() -> dict[str, list[str]]:
    """Return the full names of what has documentation, by kind."""
    found = {kind: sorted(path.stem for path in (ROOT / "plugins" / folder).glob("*.py")) for kind, folder in KINDS.items()}
    found["role"] = sorted(path.parents[1].name for path in ROOT.glob("roles/*/meta/argument_specs.yml"))
    return {kind: [f"rarus.lms.{name}" for name in names] for kind, names in found.items() if names}


def sentence(kind: str, entry: dict[str, Any]) -> str:
    """Return what one entry of ansible-doc's JSON says in a line."""
    if kind == "role":
        return str(entry["entry_points"]["main"]["short_description"])
    return str(entry["doc"]["short_description"])


def main() -> None:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for kind, names in documented().items():
        for name in names:
            if wanted and wanted in {name, name.rpartition(".")[2]}:
                print(ansible_doc("-t", kind, name).stdout)
        if not wanted:
            for name, entry in json.loads(ansible_doc("-t", kind, "--json", *names).stdout).items():
                print(f"{kind:<10} {name:<34} {sentence(kind, entry)}")


if __name__ == "__main__":
    main()
