# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing to do is said only of a client for whom every stage would find nothing to do."""

from __future__ import annotations

import base64
import typing as t
from functools import partial

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain import credentials as domain
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.plan import key_of
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import MADE, Record, managed_hash
from ansible_collections.rarus.lms.plugins.module_utils._operations import credentials, drift_info
from ansible_collections.rarus.lms.plugins.plugin_utils.templates import rendered
from support.fake_api import FakeApi
from support.registry import operate
from support.requests import settings_of_namespace

Object = dict[str, t.Any]
C42, SPACE = ClientId(42), "lms-dev"
PLACE: Object = {"catalogue": SPACE, "namespace": SPACE, "registry_namespace": SPACE}
KEY = domain.generate_rsa_key(2048)
CANARY = "Y2FuYXJ5LTVmMWMwYQ=="


render = partial(rendered, {})


@pytest.fixture
def settled(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """C42 as a provisioning leaves it."""
    monkeypatch.setattr(domain, "generate_rsa_key", lambda _bits: KEY)
    fake_api.add({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sms4b", "namespace": SPACE}, "data": {"token": CANARY}})
    settle(fake_api, C42)
    fake_api.requests.clear()
    return fake_api


def settle(fake_api: FakeApi, client: ClientId) -> None:
    """Have a client as a provisioning leaves it."""
    settings = settings_of_namespace(SPACE)
    fake_api.add(Record(client, **PLACE).to_object())
    made = operate(fake_api, credentials.OPERATION, client=client.id, requests=render([client], settings, {}))
    jobs = {
        one["object"]["metadata"]["name"].rpartition("-")[0]: one["object"]["metadata"]["annotations"]["rarus.lms/hash"]
        for one in render([client], settings, {client.id: made["database_fingerprint"]}, "databases")
    }
    objects = {}
    for one in render([client], settings, {client.id: made["fingerprint"]}, "environment"):
        apply(fake_api, one["object"])
        stored = fake_api.stored(one["object"]["kind"], one["object"]["metadata"]["name"], SPACE, one["object"]["apiVersion"])
        objects[key_of(one["object"])] = managed_hash(t.cast("Object", stored)["metadata"])
    fake_api.add(Record(client, **PLACE, credentials=MADE, databases=jobs, objects=objects).to_object())


def apply(fake_api: FakeApi, obj: Object, **fields: t.Any) -> None:
    entry = {"manager": "rarus.lms", "operation": "Apply", "fieldsV1": {"f:spec": fields}}
    fake_api.add({**obj, "metadata": {**obj["metadata"], "managedFields": [entry]}})


def look(fake_api: FakeApi, changes: t.Mapping[str, t.Any] | None = None, **given: t.Any) -> Object:
    settings = {**settings_of_namespace(SPACE), **(changes or {})}
    params: Object = {"clients": ["C42"], "settings": settings, "namespace": SPACE, "registry_namespace": "", "redo": []}
    return drift_info.run({**fake_api.params, **params, **given}, Context(render=render))


def record(fake_api: FakeApi, **changes: t.Any) -> None:
    found = Record.from_object(t.cast("Object", fake_api.stored("ConfigMap", "lms-client-c42")), C42)
    fake_api.add(found.with_(**changes).to_object())


def rotating(fake_api: FakeApi) -> None:
    operate(fake_api, credentials.OPERATION, client="C42", recorded="made", state="rotated", parts=["postgres"], step="open")


def edited(fake_api: FakeApi) -> None:
    service = t.cast("Object", fake_api.stored("Service", "lms-service-c42"))
    apply(fake_api, service, edited={})


def orphaned(fake_api: FakeApi) -> None:
    own = t.cast("Object", fake_api.stored("Service", "lms-service-c42"))
    apply(fake_api, {**own, "metadata": {**own["metadata"], "name": "lms-former-c42"}})


def other_token(fake_api: FakeApi) -> None:
    secret = t.cast("Object", fake_api.stored("Secret", "sms4b"))
    fake_api.add({**secret, "data": {"token": base64.b64encode(b"another").decode()}})


LEFT: list[tuple[str, t.Callable[[FakeApi], None], str]] = [
    ("no record", lambda api: api.remove("ConfigMap", "lms-client-c42"), "C42 is new"),
    ("suspended", lambda api: record(api, phase="suspended"), "C42 is suspended"),
    ("retired", lambda api: record(api, phase="retired"), "C42 is retired"),
    ("killed while keys were made", lambda api: record(api, credentials="creating"), "the credentials of C42 are not known to be made"),
    ("a Secret deleted", lambda api: api.remove("Secret", "rsa-secret-c42"), "C42 lacks a Secret of its own"),
    ("a rotation begun", rotating, "a rotation of C42 is under way"),
    ("a Job not recorded", lambda api: record(api, databases={}), "Job clickhouse-setup-c42: not known to be done"),
    ("an object gone", lambda api: api.remove("Service", "lms-service-c42"), "Service lms-dev/lms-service-c42: new"),
    ("an object edited", edited, "Service lms-dev/lms-service-c42: edited"),
    ("an object too many", orphaned, "Service lms-dev/lms-former-c42: no longer asked for"),
    ("a setting of its own", lambda api: record(api, settings={"replicas": 3}), "Deployment lms-dev/lms-deployment-c42: setting changed"),
    ("what pods refer to", other_token, "Deployment lms-dev/lms-deployment-c42: setting changed"),
]
IMAGE = "registry.example/lms/backend:2"
# What is set, what is given, what is to be done, and whether the cluster has to be asked for that.
CHANGED: list[tuple[str, Object, Object, str, bool]] = [
    ("a setting of the catalogue", {"docker_image": IMAGE}, {}, "Deployment lms-dev/lms-deployment-c42: setting changed", True),
    ("another way to publish", {"publish": "none"}, {}, "Ingress lms-dev/client-lms-ingress-c42: no longer asked for", True),
    ("a repetition", {}, {"redo": ["databases"]}, "to be done again: databases", False),
    ("a store", {"secret_store": {"kind": "vault"}}, {}, "the values are at home in Vault", False),
    ("escrow", {"escrow_recipients": ["age1example"]}, {}, "copies lie in escrow", False),
]


def test_nothing_is_to_be_done_for_a_client_as_it_was_left(settled: FakeApi) -> None:
    result = look(settled)
    assert (result["drifted"], result["reason"]) == (False, "")
    assert settled.writes() == []
    assert result["calls"] == len(settled.requests) == len(set(settled.reads())), "nothing is read twice"
    assert CANARY not in str(result)


def test_the_reads_do_not_grow_with_the_clients(settled: FakeApi) -> None:
    alone = look(settled)["calls"]
    settle(settled, ClientId(43))
    assert look(settled, clients=["C42", "C43"]) == {"changed": False, "drifted": False, "reason": "", "calls": alone}
    settled.remove("Service", "lms-service-c43")
    assert look(settled, clients=["C42", "C43"])["reason"] == "Service lms-dev/lms-service-c43: new"


@pytest.mark.parametrize(("case", "change", "reason"), LEFT, ids=[case[0] for case in LEFT])
def test_what_is_left_to_do_is_found(settled: FakeApi, case: str, change: t.Callable[[FakeApi], None], reason: str) -> None:
    change(settled)
    settled.requests.clear()
    result = look(settled)
    assert result["drifted"], case
    assert result["reason"].startswith(reason), case
    assert settled.writes() == []


@pytest.mark.parametrize(("case", "settings", "given", "reason", "asked"), CHANGED, ids=[case[0] for case in CHANGED])
def test_what_is_wanted_anew_is_found(settled: FakeApi, case: str, settings: Object, given: Object, reason: str, asked: bool) -> None:
    result = look(settled, settings, **given)
    assert (result["drifted"], result["reason"]) == (True, reason), case
    assert bool(settled.requests) is asked, case


def test_a_client_of_another_catalogue_is_refused(settled: FakeApi) -> None:
    with pytest.raises(InputError, match="belongs to catalogue lms-dev, not to lms-prod"):
        look(settled, {"catalogue": "lms-prod"})


def test_an_object_of_somebody_else_is_refused(settled: FakeApi) -> None:
    own = t.cast("Object", settled.stored("Service", "lms-service-c42"))
    settled.add({**own, "metadata": {"name": "lms-service-c42", "namespace": SPACE}})
    with pytest.raises(ConflictError, match="Service lms-dev/lms-service-c42"):
        look(settled)


def test_a_process_of_its_own_has_no_templates(fake_api: FakeApi) -> None:
    with pytest.raises(InputError, match="the request templates lie on the controller"):
        drift_info.run({**fake_api.params, "clients": ["C42"], "settings": {}, "namespace": SPACE}, Context())
    assert fake_api.requests == []
