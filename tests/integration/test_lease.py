# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs on one client: the second waits or gives up, a dead one is passed over, and one that was overtaken stops."""

from __future__ import annotations

import datetime as dt
import json
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from faults import FaultProxy, Rule
from support.faults import root_url, writes
from support.ids import fresh
from support.lab import Lab, Prepared
from support.runs import Run, until

FREED_WITHIN_SECONDS = 60
SPACE = "test-lease"


@pytest.fixture(scope="module")
def ready(lab: Lab) -> Iterator[Prepared]:
    """A namespace of this file's own, its catalogue that of lms-dev."""
    lab.kubectl("delete", "namespace", SPACE, "--ignore-not-found", "--wait")
    extra = {"lms_namespace_id": SPACE, "lms_catalogue": SPACE, "lms_static_volume": {"kind": "none"}, "namespace_volume": "none"}
    prepared = lab.prepare(namespace=SPACE, extra=extra)
    yield prepared
    lab.kubectl("delete", "namespace", SPACE, "--wait=false")


def holder(lab: Lab, client: str) -> str:
    """Return who holds a client's Lease, "" for nobody."""
    return str((lab.get("lease", f"lms-client-{client.lower()}", SPACE).get("spec") or {}).get("holderIdentity") or "")


def epoch(lab: Lab, client: str) -> int:
    """Return the epoch in a client's record."""
    return int(lab.get("configmap", f"lms-client-{client.lower()}", SPACE)["data"]["epoch"])


def micro_time(seconds: float) -> str:
    """Return seconds since 1970 as a Lease has them."""
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def provisioning(prepared: Prepared, client: str, **variables: Any) -> Run:
    """Begin to provision a client."""
    return Run(prepared, "provision_client", client=client, **variables)


def begun(lab: Lab, prepared: Prepared, client: str) -> Run:
    """Return a run that has taken its client's Lease and goes on."""
    run = provisioning(prepared, client)
    until(lambda: run.process.poll() is not None or holder(lab, client), "a Lease")
    assert run.process.poll() is None, run.output
    return run


def test_the_second_run_waits_and_says_for_whom(lab: Lab, ready: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one is a job of AWX, the second one is typed in a shell."""
    client = fresh()
    with monkeypatch.context() as awx:
        awx.setenv("AWX_HOST", "https://awx.example")
        awx.setenv("JOB_ID", "77")
        first = begun(lab, ready, client)
    second = provisioning(ready, client)
    assert first.ended()[0] == 0, first.output
    code, output = second.ended()
    assert code == 0, output
    assert re.search(rf"{client} is held by root@\S+ \(AWX job 77\) since 20", output), output
    assert f"{client} is ready" in output
    assert epoch(lab, client) == 2
    assert holder(lab, client) == ""
    lease = lab.get("lease", f"lms-client-{client.lower()}", SPACE)
    assert f"{client} is ready, nothing changed" in ready.provision(client).stdout
    assert lab.get("lease", f"lms-client-{client.lower()}", SPACE) == lease


def test_a_run_gives_up_after_its_time_and_has_touched_nothing(lab: Lab, ready: Prepared) -> None:
    client = fresh()
    lab.hold(client, SPACE, "anna@desk")
    done = ready.provision(client, "-e", "lms_lease_wait_seconds=1", check=False)
    assert done.returncode == 2
    assert f"client: {client} is held by anna@desk since 20" in done.stdout
    assert "5f1c" not in done.stdout
    assert lab.get("secret", "", SPACE, selector=f"rarus.lms/client={client}").get("items", []) == []


def test_a_killed_run_blocks_nobody_for_long(lab: Lab, ready: Prepared) -> None:
    client = fresh()
    first = begun(lab, ready, client)
    first.send(signal.SIGKILL)
    killed = time.monotonic()
    until(
        lambda: not lab.get("lease", f"lms-client-{client.lower()}", SPACE) or first.process.poll() is not None, "the end of the first run"
    )
    second = provisioning(ready, client)
    until(lambda: epoch(lab, client) == 2, "the second run's epoch")
    assert time.monotonic() - killed < FREED_WITHIN_SECONDS
    code, output = second.ended()
    assert (code, f"{client} is ready" in output) == (0, True), output


def test_settings_that_were_changed_while_a_run_waited_stop_it(lab: Lab, ready: Prepared) -> None:
    client = fresh()
    ready.playbook("register_client", "-e", f"client={client}")
    lab.hold(client, SPACE, "anna@desk")
    run = provisioning(ready, client)
    until(lambda: f"{client} is held by anna@desk since" in run.output, "a run that waits")
    ready.playbook("edit_client", "-e", f"client={client}", "-e", json.dumps({"settings": {"keys_token_ttl_hours": 9}}))
    lab.release(client, SPACE)
    code, output = run.ended()
    assert code == 2, output
    assert f"the settings of {client} were changed by another run" in output
    assert lab.get("secret", "", SPACE, selector=f"rarus.lms/client={client}").get("items", []) == []
    assert f"{client} is ready" in ready.provision(client).stdout
    assert lab.get("configmap", f"lms-config-{client.lower()}", SPACE)["data"]["LMS_KEYS_TOKEN_TTL_HOURS"] == "9"


def overtaken(lab: Lab, prepared: Prepared, client: str, first: Run) -> str:
    """Stop a run, have another one pass over it as over one that was killed, and let it go on; return what it says then."""
    first.send(signal.SIGSTOP)
    silent = {"spec": {"renewTime": micro_time(time.time() - FREED_WITHIN_SECONDS)}}
    lab.kubectl("patch", "lease", f"lms-client-{client.lower()}", "-n", SPACE, "--type=merge", "-p", json.dumps(silent))
    code, output = provisioning(prepared, client, lms_keys_token_ttl_hours=9).ended()
    assert (code, f"{client} is ready" in output) == (0, True), output
    first.send(signal.SIGCONT)
    code, output = first.ended()
    assert code == 2, output
    assert f"client: {client} was taken over by root@" in output
    assert "this run stops before it writes anything more" in output
    assert lab.get("configmap", f"lms-config-{client.lower()}", SPACE)["data"]["LMS_KEYS_TOKEN_TTL_HOURS"] == "9"
    return output


@pytest.mark.parametrize("kind", ["", "secret", "job", "deployment"], ids=["once it has the Lease", "Secrets", "Jobs", "the environment"])
def test_a_run_that_was_overtaken_stops_at_its_next_step_and_says_by_whom(lab: Lab, ready: Prepared, kind: str) -> None:
    """kind: what it has made when it is overtaken."""
    client = fresh()
    first = begun(lab, ready, client)
    if kind:
        until(lambda: lab.get(kind, "", SPACE, selector=f"rarus.lms/client={client}").get("items"), f"a {kind}")
    overtaken(lab, ready, client, first)


@pytest.mark.parametrize(
    ("method", "path", "variables"),
    [("PATCH", "/jobs/", {}), ("PATCH", "/services/", {}), ("DELETE", "/ingresses/", {"lms_publish": "none"})],
    ids=["Jobs are created", "objects are applied", "an object is removed"],
)
def test_a_call_that_failed_is_not_repeated_by_a_run_that_was_overtaken(
    lab: Lab, ready: Prepared, proxy: FaultProxy, method: str, path: str, variables: dict[str, Any]
) -> None:
    client = fresh()
    if variables:
        ready.provision(client)
    proxy.rules = [Rule(method, path, status=504, body="<html><body>504 Gateway Time-out</body></html>")]
    first = provisioning(ready, client, lms_api_root_url=root_url(lab, proxy), **variables)
    until(lambda: any((one.method, one.became) == (method, "504") for one in list(proxy.passed)), "a call that fails")
    before = len(proxy.passed)
    overtaken(lab, ready, client, first)
    assert writes(proxy.passed[before:]) == []


def test_a_rotation_keeps_its_lease_while_pods_are_replaced(lab: Lab, ready: Prepared) -> None:
    client = fresh()
    ready.provision(client)
    first = Run(
        ready, "rotate_credentials", client=client, credentials="rsa", lms_lease_seconds=4, lms_environment={"LAB_SLOW_START": "40"}
    )
    until(lambda: first.process.poll() is not None or "rollout" in first.output, "a rollout")
    second = provisioning(ready, client)
    assert first.ended()[0] == 0, first.output
    assert f"{client}: rotated rsa" in first.output
    code, output = second.ended()
    assert (code, f"{client} is held by root@" in output) == (0, True), output
