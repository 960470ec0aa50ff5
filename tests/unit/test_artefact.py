"""What `ansible-galaxy collection build` would publish: all that the collection needs, and nothing that only the checkout needs."""

from __future__ import annotations

import shutil
import subprocess
import tarfile

import pytest
from support.tree import ROOT, tracked

MUST = ("LICENSE", "meta/runtime.yml", "playbooks/provision_client.yml", "plugins/modules/client.py", "roles/client/tasks/main.yml")
MUST_NOT = ("ansible.cfg", "playbooks/collections", "playbooks/ansible.cfg", "tests/lab", "tests/bench", ".ci", ".ruff_cache")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The artefact's paths, folders included; built from what git sees, changes not committed yet included."""
    folder = tmp_path_factory.mktemp("artefact")
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    link = folder / "playbooks/collections/ansible_collections/rarus/lms"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../../..")
    (folder / ".ruff_cache").mkdir()
    subprocess.run(["ansible-galaxy", "collection", "build", "--output-path", str(folder)], cwd=folder, capture_output=True, check=True)
    with tarfile.open(next(folder.glob("rarus-lms-*.tar.gz"))) as artefact:
        return set(artefact.getnames())


def test_it_has_what_the_collection_needs(published: set[str]) -> None:
    assert [name for name in MUST if name not in published] == []


def test_it_lacks_what_only_the_checkout_needs(published: set[str]) -> None:
    assert [name for name in sorted(published) if any(name == out or name.startswith(f"{out}/") for out in MUST_NOT)] == []
