"""Run ansible-test sanity on a copy of the tree, where Ansible expects a collection to lie; there are no ignore files.

ansible-test makes virtualenvs of its own, for which it downloads a bootstrap script of pip. A script of that name in its cache is used
instead; ours takes the pip that Python itself carries. It also hides the environment's PIP_* variables from pip: they are written down.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from in_venv import CACHE
from support.tree import ROOT, tracked

HOME = CACHE / "ansible-test"
GET_PIP = """\
import ensurepip
import subprocess
import sys

ensurepip.bootstrap()
packages = [word for word in sys.argv[1:] if not word.startswith("--no-")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *packages]))
"""


def give_pip() -> None:
    """Write the bootstrap script under each name that this ansible-test may ask for, and pip's settings."""
    import ansible_test

    sources = Path(ansible_test.__path__[0]) / "_internal" / "python_requirements.py"
    versions = re.findall(r"pip='([\d.]+)'", sources.read_text())
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in versions:
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(GET_PIP)
    listed = subprocess.run(["pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    settings = dict(re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", listed, flags=re.MULTILINE))
    written = HOME / ".config" / "pip" / "pip.conf"
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text("\n".join(["[global]", *(f"{key} = {value}" for key, value in settings.items()), ""]))


def lay_out(tree: Path) -> Path:
    """Copy what git sees into the tree, beside the collections that ours depends on; return where it lies."""
    import ansible_collections

    collections = tree / "ansible_collections"
    ours = collections / "rarus" / "lms"
    for name in tracked():
        target = ours / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    installed = next(Path(folder) for folder in ansible_collections.__path__ if (Path(folder) / "kubernetes").is_dir())
    (collections / "kubernetes").symlink_to(installed / "kubernetes")
    return ours


def main() -> None:
    give_pip()
    with tempfile.TemporaryDirectory(prefix="rarus-lms-sanity-") as folder:
        ours = lay_out(Path(folder))
        if ignores := sorted(str(path.relative_to(ours)) for path in ours.glob("tests/sanity/ignore*")):
            sys.exit(f"sanity: {', '.join(ignores)}: this collection has no ignore files; mend what they hide.")
        environment = {name: value for name, value in os.environ.items() if name not in {"ANSIBLE_COLLECTIONS_PATH", "VIRTUAL_ENV"}}
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        command = ["ansible-test", "sanity", "--python", python, "--color", "no", *sys.argv[1:]]
        sys.exit(subprocess.run(command, cwd=ours, env={**environment, "HOME": str(HOME)}, check=False).returncode)


if __name__ == "__main__":
    main()
