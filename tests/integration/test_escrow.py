# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Escrow on a real cluster: copies are made by themselves, and bring a client back of whom the cluster has lost everything."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.deps import PYRAGE
from support.ids import fresh
from support.lab import Lab, Prepared
from support.runs import Run, until

SPACE, SAFE = "lms-dev", "escrow-safe"
ID = fresh()
NAME = ID.lower()
SECRETS = (f"lms-credentials-{NAME}", f"rsa-secret-{NAME}")
# Values that are no secrets: names of users.
OPEN_KEYS = {"postgres-user", "clickhouse-user"}
IDENTITY = PYRAGE.require().x25519.Identity.generate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide the folder of copies, and beside it the identity's file."""
    made = tmp_path_factory.mktemp("escrow")
    (made / "identity.txt").write_text(f"# public key: {IDENTITY.to_public()}\n{IDENTITY}\n")
    return made / "copies"


@pytest.fixture(scope="module")
def dev(lab: Lab, folder: Path) -> Prepared:
    """Provide a catalogue that has escrow."""
    return lab.prepare(extra={"lms_escrow_recipients": [str(IDENTITY.to_public())], "lms_escrow_folder": str(folder)})


@pytest.fixture(scope="module")
def first(dev: Prepared) -> str:
    """Return what the operator read when the client was provisioned."""
    return dev.provision(ID).stdout


def data(lab: Lab) -> dict[str, str]:
    """Return all values of the client's Secrets, base64 as they lie there, by key."""
    found: dict[str, str] = {}
    for name in SECRETS:
        found |= lab.get("secret", name, SPACE).get("data") or {}
    return found


def shown(content: bytes, secrets: dict[str, str]) -> list[str]:
    """Return the keys whose values occur, plain or in base64."""
    plain = {key: base64.b64decode(value) for key, value in secrets.items() if key not in OPEN_KEYS}
    return [key for key, value in plain.items() if value[:40] in content or secrets[key][:40].encode() in content]


def lose(lab: Lab, *, record: bool = True) -> None:
    """Delete the client's Secrets, and its record with them."""
    lab.kubectl("delete", "secret", *SECRETS, "-n", SPACE)
    if record:
        lab.kubectl("delete", "configmap", f"lms-client-{NAME}", "-n", SPACE)


def restore(dev: Prepared, folder: Path, *words: str, check: bool = True) -> Any:
    identity = folder.parent / "identity.txt"
    return dev.playbook("restore_credentials", "-e", f"client={ID}", "-e", f"escrow_identity_file={identity}", *words, check=check)


def test_a_new_client_is_in_escrow_and_a_second_run_writes_nothing(first: str, dev: Prepared, lab: Lab, folder: Path) -> None:
    assert f"{ID} put into escrow" in first
    (path,) = folder.iterdir()
    assert path.name.startswith(f"lms-dev-{ID}-")
    assert path.stat().st_mode & 0o777 == 0o600
    secrets = data(lab)
    assert len(secrets) == 10
    assert shown(path.read_bytes() + first.encode(), secrets) == []
    written = path.stat().st_mtime_ns
    again = dev.provision(ID).stdout
    assert "nothing changed" in again
    assert [(one.name, one.stat().st_mtime_ns) for one in folder.iterdir()] == [(path.name, written)]


def test_a_copy_that_is_gone_is_made_again(first: str, dev: Prepared, folder: Path) -> None:
    (path,) = folder.iterdir()
    path.unlink()
    assert "put into escrow" in dev.playbook("escrow_credentials", "-e", f"client={ID}").stdout
    assert [one.name for one in folder.iterdir()] == [path.name]


def test_a_client_whose_secrets_and_record_are_lost_comes_back(first: str, dev: Prepared, lab: Lab, folder: Path) -> None:
    before = data(lab)
    lose(lab)
    done = restore(dev, folder, "-vvvv", "--diff")
    assert data(lab) == before
    record = lab.get("configmap", f"lms-client-{NAME}", SPACE)["data"]
    assert (record["credentials"], record["catalogue"]) == ("made", "lms-dev")
    assert shown((done.stdout + done.stderr).encode(), before) == []
    assert str(IDENTITY) not in done.stdout + done.stderr
    assert f"{ID} is ready" in dev.provision(ID).stdout
    assert data(lab) == before
    server = lab.facts["postgres"]["15"]
    command = ["psql", "-XAtq", "-h", server["host"], "-p", str(server["port"]), "-U", NAME, "-d", NAME, "-c", "SELECT 1"]
    assert lab.run(*command, env={"PGPASSWORD": base64.b64decode(before["postgres-password"]).decode()}).stdout.strip() == "1"
    assert json.loads(lab.curl(f"https://backend.lms-dev.example/{ID}/").stdout)["client"] == ID


def test_secrets_alone_are_missed_by_provisioning_and_come_back(first: str, dev: Prepared, lab: Lab, folder: Path) -> None:
    before = data(lab)
    lose(lab, record=False)
    refused = dev.provision(ID, check=False)
    assert refused.returncode != 0
    assert f"Secret {SPACE}/{SECRETS[0]}" in refused.stdout + refused.stderr
    assert "would bring back" in restore(dev, folder, "--check").stdout
    assert data(lab) == {}
    restore(dev, folder)
    assert data(lab) == before
    assert "brought back" not in restore(dev, folder).stdout


def test_another_run_on_the_client_is_waited_for(first: str, dev: Prepared, lab: Lab, folder: Path) -> None:
    before, epoch = data(lab), int(lab.get("configmap", f"lms-client-{NAME}", SPACE)["data"]["epoch"])
    lose(lab, record=False)
    lab.hold(ID, SPACE, "anna@desk")
    run = Run(dev, "restore_credentials", client=ID, escrow_identity_file=str(folder.parent / "identity.txt"))
    until(lambda: f"{ID} is held by anna@desk since" in run.output, "a run that waits for another")
    assert data(lab) == {}
    lab.release(ID, SPACE)
    assert run.ended()[0] == 0, run.output
    assert data(lab) == before
    assert int(lab.get("configmap", f"lms-client-{NAME}", SPACE)["data"]["epoch"]) == epoch + 1
    assert lab.get("lease", f"lms-client-{NAME}", SPACE)["spec"].get("holderIdentity", "") == ""


def test_other_values_are_kept_unless_the_id_is_typed_again(first: str, dev: Prepared, lab: Lab, folder: Path) -> None:
    before = data(lab)
    patch = json.dumps({"stringData": {"postgres-password": "another"}})
    lab.kubectl("patch", "secret", SECRETS[0], "-n", SPACE, "--type=merge", "-p", patch)
    refused = restore(dev, folder, check=False)
    assert refused.returncode == 2
    assert f"Secret {SPACE}/{SECRETS[0]} exists and differs from the copy of" in refused.stdout + refused.stderr
    assert data(lab) != before
    restore(dev, folder, "-e", f"confirm={ID}")
    assert data(lab) == before


def test_an_older_copy_is_what_both_databases_let_in_after_a_rotation(dev: Prepared, lab: Lab, folder: Path) -> None:
    """Its Jobs were done, and are still there; the rotation's have taken their logins away since."""
    dev.provision(ID)
    before, copies = data(lab), {path.name for path in folder.iterdir()}
    older = max(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    dev.playbook("rotate_credentials", "-e", f"client={ID}", "-e", "credentials=postgres,clickhouse")
    assert data(lab) != before
    restore(dev, folder, "-e", f"escrow_file={older}", "-e", f"confirm={ID}")
    assert data(lab) == before
    assert f"{ID} is ready" in dev.provision(ID).stdout
    shown = dev.playbook("status_client", "-e", f"client={ID}", "-e", "probe=credentials").stdout
    assert f"{ID}: postgres agrees, clickhouse agrees" in shown
    # The back end makes a new login to both databases for each request to this path.
    assert lab.curl(f"https://backend.lms-dev.example/{ID}/db", "--fail", check=False).returncode == 0
    for path in folder.iterdir():
        if path.name not in copies:
            path.unlink()


def test_a_wrong_identity_and_a_damaged_file_are_told_in_a_sentence(first: str, dev: Prepared, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text(str(PYRAGE.require().x25519.Identity.generate()))
    done = dev.playbook("restore_credentials", "-e", f"client={ID}", "-e", f"escrow_identity_file={other}", check=False)
    assert done.returncode == 2
    assert "cannot be decrypted: No matching keys found." in done.stdout + done.stderr
    assert other.read_text() not in done.stdout + done.stderr
    damaged = tmp_path / "damaged.age"
    damaged.write_bytes(next(folder.iterdir()).read_bytes()[:-20])
    done = restore(dev, folder, "-e", f"escrow_file={damaged}", check=False)
    assert f"{damaged} cannot be decrypted: " in done.stdout + done.stderr
    done = restore(dev, folder, "-e", "client=C1", "-e", f"escrow_file={next(folder.iterdir())}", check=False)
    assert f"is the copy of {ID}, not of C1." in done.stdout + done.stderr


def a_rotation_leaves_copies(dev: Prepared, lab: Lab, folder: Path, *place: str) -> None:
    """Rotate both passwords, lose the Secrets, and find the newest copy restored, wherever it lies; the older ones are named.

    A rotation passes through three states: both logins let in, the next one in use, the former one closed. Each has its copy.
    """
    before = {path.name for path in folder.iterdir()}
    dev.playbook("rotate_credentials", "-e", f"client={ID}", "-e", "credentials=postgres,clickhouse", *place)
    rotated, copies = (
        data(lab),
        sorted({path for path in folder.iterdir() if path.name not in before}, key=lambda path: path.stat().st_mtime),
    )
    assert len(copies) == 3
    kept = lab.get("secret", f"lms-escrow-{NAME}", SAFE)["data"]
    assert set(kept) == {"escrow.age", "previous.age"}
    lose(lab, record=False)
    done = restore(dev, folder, *place)
    assert data(lab) == rotated
    told = "".join(done.stdout.split())
    assert f"copy{copies[-1]},made20" in told
    assert f"older{len(before) + 3},keptuntilyouremovethem:{copies[-2]}(20" in told, "two in the folder, and one in the Secret"


def test_a_secret_in_another_namespace_holds_copies_of_all_clients(first: str, dev: Prepared, lab: Lab, folder: Path) -> None:
    lab.kubectl("create", "namespace", SAFE)
    account = f"--serviceaccount={SPACE}:lms-deployer"
    lab.kubectl("create", "role", "escrow", "--verb=get,create,update", "--resource=secrets", "-n", SAFE)
    lab.kubectl("create", "rolebinding", "escrow", "--role=escrow", account, "-n", SAFE)
    place = ("-e", f"lms_escrow_namespace={SAFE}")
    before = data(lab)
    try:
        assert " put into escrow" in dev.playbook("escrow_credentials", "-e", "clients=all", *place).stdout
        assert "put into escrow" not in dev.playbook("escrow_credentials", "-e", "clients=all", *place).stdout
        copy = lab.get("secret", f"lms-escrow-{NAME}", SAFE)
        assert shown(json.dumps(copy).encode() + base64.b64decode(copy["data"]["escrow.age"]), before) == []
        for path in folder.iterdir():
            path.unlink()
        lose(lab)
        restore(dev, folder, *place)
        assert data(lab) == before
        a_rotation_leaves_copies(dev, lab, folder, *place)
    finally:
        lab.kubectl("delete", "namespace", SAFE, "--wait=false")


def test_without_escrow_a_new_client_is_told_what_a_lost_namespace_costs(dev: Prepared) -> None:
    other = fresh()
    bare = Prepared(dev.lab, dev.inventory, dev.namespace)
    assert f"escrow       none: with namespace {SPACE} the keys of {other} would be lost" in bare.provision(other).stdout
    assert "escrow" not in bare.provision(other).stdout
