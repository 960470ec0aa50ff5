# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings an environment that exists already under the registry: keeps its keys and logins, marks its objects, restarts nothing."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._core.clock import utc_now
from .._core.errors import ConflictError, InputError, LmsError
from .._core.operation import Context, Operation
from .._core.version import VERSION
from .._domain.adoption import DSNS, SEED_VARIABLE, Kept, adopted, changes, kept_secret, kept_values, removals
from .._domain.client_id import ClientId
from .._domain.credentials import RSA_KEY, data_of, rsa_secret, validate_rsa_key
from .._domain.names import (
    MADE,
    config_name,
    database_name,
    deployment_name,
    is_ours,
    labels,
    record_name,
    rsa_secret_name,
)
from .._domain.record import MADE as RECORD_MADE
from .._domain.record import Record
from .._domain.screen import failure
from .._k8s.api import Api
from .._k8s.connection import KUBERNETES_OPTIONS, PLACE_OPTIONS, connect
from .._k8s.resources import Ref
from .client_lease import HELD_OPTIONS, Holding, held
from .client_secrets import noted_as_made
from .registry import actor_or_default, read_record

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    **PLACE_OPTIONS,
    **HELD_OPTIONS,
    "client": {"type": "str", "required": True},
    "catalogue": {"type": "str", "required": True},
    "organisation": {"type": "str", "default": ""},
    "config_map": {"type": "str", "default": ""},
    "rsa_secret": {"type": "str", "default": "", "no_log": False},
    "rsa_key": {"type": "str", "default": RSA_KEY, "no_log": False},
    "deployment": {"type": "str", "default": ""},
    "database_user": {"type": "str", "default": ""},
    "addresses": {"type": "dict", "default": {}},
    "requests": {"type": "list", "elements": "dict", "default": []},
    "actor": {"type": "str", "default": ""},
}

# Fields that a line names before it says how many more there are.
MOST_FIELDS = 8
LOGIN_KEYS = tuple(f"{database}-{part}" for database in DSNS for part in ("user", "password"))

Object = dict[str, t.Any]


@dataclass(frozen=True)
class Work:
    """What one run works on."""

    api: Api
    client: ClientId
    params: t.Mapping[str, t.Any]

    @property
    def namespace(self) -> str:
        """Return the namespace of the environment."""
        return str(self.params["namespace"])

    @property
    def registry(self) -> str:
        """Return the namespace of the records."""
        return str(self.params["registry_namespace"] or self.namespace)

    def ref(self, kind: str, name: str, api_version: str = "v1") -> Ref:
        """Return the reference of an object of the environment."""
        return Ref(api_version, kind, name, self.namespace)

    def required(self, kind: str, name: str, option: str, api_version: str = "v1") -> Object:
        """Return an object that an adoption cannot do without."""
        found = self.api.get(self.ref(kind, name, api_version))
        if found is None:
            raise InputError(
                f"{option}: there is no {self.ref(kind, name, api_version)}, so {self.client} has no environment to adopt.",
                hint=f"Name the one that it has by {option}; a new client is provisioned instead.",
            )
        return found


@dataclass
class Plan:
    """What an adoption does: Secrets to create, live objects to mark, what stays as it is and why, and what comes later."""

    create: list[Object]
    mark: list[Object]
    left: list[str]
    record: Record | None
    later: list[Object]
    differences: list[str]

    @property
    def is_recorded(self) -> bool:
        """Return whether the record says already that the credentials are there."""
        return self.record is not None and self.record.credentials == RECORD_MADE

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to write."""
        return self.is_recorded and not self.create and not self.mark


def run(params: t.Mapping[str, t.Any], context: Context) -> Object:
    """Return what was taken over, and what a later provision_client would change; everything is judged before the first write."""
    work = Work(connect(params), ClientId.parse(params["client"]), params)
    plan = _planned(work)
    if not plan.is_empty and not context.check_mode:
        with held(work.api, work.registry, work.client, params, context) as holding:
            plan = _planned(work)
            if not plan.is_empty:
                _written(work, plan, holding)
    for line in _screen(work, plan, check_mode=context.check_mode):
        context.report(line)
    return {
        "changed": not plan.is_empty,
        "created": [str(Ref.of(obj)) for obj in plan.create],
        "marked": [str(Ref.of(obj)) for obj in plan.mark],
        "left": plan.left,
        "later": plan.later,
        "differences": plan.differences,
    }


def _is_managed(work: Work, record: Record | None, config: Object) -> bool:
    """Return whether the environment is the collection's already, and its values are in Secrets alone."""
    recorded = record is not None and record.credentials == RECORD_MADE
    return recorded and is_ours(config, work.client) and SEED_VARIABLE not in (config.get("data") or {})


def _planned(work: Work) -> Plan:
    """Return what is to be done, after reading everything; nothing where the environment is the collection's already."""
    record = read_record(work.api, work.registry, work.client)
    if record is not None:
        record.expect(catalogue=work.params["catalogue"], namespace=work.namespace)
    config = work.required("ConfigMap", work.params["config_map"] or config_name(work.client), "config_map")
    plan = Plan(create=[], mark=[], left=[], record=record, later=[], differences=[])
    if _is_managed(work, record, config):
        return plan
    user = work.params["database_user"] or database_name(work.client)
    kept = kept_values(config.get("data") or {}, work.client, user=user, where=str(Ref.of(config)))
    plan.differences = _differences(work, kept)
    _plan_credentials(work, plan, kept)
    _plan_key(work, plan)
    _plan_deployment(work, plan)
    for request in work.params["requests"]:
        _plan_object(work, plan, request["object"])
    return plan


def _plan_credentials(work: Work, plan: Plan, kept: Kept) -> None:
    """Plan the Secret with the kept seed and logins; one that is there must hold just these."""
    wanted = kept_secret(kept, work.client, namespace=work.namespace, made=utc_now())
    found = work.api.get(Ref.of(wanted))
    if found is None:
        plan.create.append(wanted)
        return
    one, other = data_of(wanted), data_of(found)
    if not is_ours(found, work.client) or any(one[key] != other.get(key) for key in ("keys-secret-seed", *LOGIN_KEYS)):
        raise ConflictError(
            f"{Ref.of(wanted)} exists and holds other values than the environment runs with; nothing was touched.",
            hint="Find out which are right: those of the Secret, if provision_client.yml has made it. Then remove the other.",
        )


def _plan_key(work: Work, plan: Plan) -> None:
    """Plan the Secret with the private key: the one that is there is marked, one of another name is copied."""
    name, key_name = work.params["rsa_secret"] or rsa_secret_name(work.client), work.params["rsa_key"]
    found = work.required("Secret", name, "rsa_secret")
    key = data_of(found).get(key_name, b"")
    validate_rsa_key(key, f"rsa_secret: key {key_name} of {Ref.of(found)}")
    if name == rsa_secret_name(work.client) and key_name == RSA_KEY:
        if not is_ours(found, work.client):
            plan.mark.append(_marked_secret(found, work.client))
        return
    wanted = rsa_secret(work.client, namespace=work.namespace, key=key, made=utc_now())
    there = work.api.get(Ref.of(wanted))
    if there is None:
        plan.create.append(wanted)
        plan.left.append(f"{Ref.of(found)} stays as it is; its key is copied to {rsa_secret_name(work.client)}")
    elif not is_ours(there, work.client) or data_of(there).get(RSA_KEY) != key:
        raise ConflictError(f"{Ref.of(wanted)} exists and holds another key than {Ref.of(found)}.", hint="Remove the wrong one.")


def _marked_secret(found: Object, client: ClientId) -> Object:
    """Return a Secret with the collection's labels and the date, its data byte for byte as it is."""
    metadata = dict(found["metadata"])
    metadata.pop("managedFields", None)
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels(client)}
    metadata["annotations"] = {MADE: utc_now(), **(metadata.get("annotations") or {})}
    return {**found, "metadata": metadata}


def _plan_deployment(work: Work, plan: Plan) -> None:
    """Note a Deployment of another name: the pods of it and of ours would both serve."""
    name = work.params["deployment"]
    if name and name != deployment_name(work.client):
        found = work.required("Deployment", name, "deployment", "apps/v1")
        plan.left.append(f"{Ref.of(found)} stays as it is: take it away when provision_client.yml has made {deployment_name(work.client)}")


def _plan_object(work: Work, plan: Plan, wanted: Object) -> None:
    """Plan the marking of one object of the environment, and tell what applying its request would change."""
    found = work.api.get(Ref.of(wanted))
    if found is None:
        plan.later.append({"object": str(Ref.of(wanted)), "created": True, "changes": [], "removes": []})
        return
    if wanted["kind"] == "Deployment" and wanted["spec"]["selector"] != found["spec"].get("selector"):
        plan.left.append(
            f"{Ref.of(found)} stays as it is: its selector is another one, and a selector cannot be changed. "
            "Delete it right before provision_client.yml makes it anew; its pods are gone until then"
        )
        return
    owner = {**labels(work.client), **(found["metadata"].get("labels") or {})}
    if any(owner[key] != value for key, value in labels(work.client).items()):
        raise LmsError(f"{Ref.of(found)} belongs to somebody else: its labels say so. Nothing was touched.", hint="Is it this client's?")
    if not is_ours(found, work.client):
        plan.mark.append(adopted(found, work.client))
    changed, removed = changes(wanted, adopted(found, work.client)), removals(wanted, found)
    if changed or removed:
        plan.later.append({"object": str(Ref.of(found)), "created": False, "changes": changed, "removes": removed})


def _differences(work: Work, kept: Kept) -> list[str]:
    """Return where the environment's databases are not at the addresses of the catalogue."""
    names = {"postgres": "PostgreSQL", "clickhouse": "ClickHouse"}
    return [
        f"{names[database]} is at {kept.logins[database].address}, in the catalogue at {address}: "
        "provision_client.yml would make databases there, and the data would stay behind"
        for database, address in sorted(work.params["addresses"].items())
        if database in kept.logins and kept.logins[database].address != address
    ]


def _written(work: Work, plan: Plan, holding: Holding) -> None:
    """Register the client, then keep its values, then mark its objects; killed anywhere, the next run does the rest.

    The record says first that the credentials were made: from then on nobody draws new ones.
    """
    holding.keep(work.client)
    record = _recorded(work, plan.record)
    for secret in plan.create:
        holding.expect(work.client, record.epoch)
        work.api.create(secret)
    for obj in plan.mark:
        holding.expect(work.client, record.epoch)
        work.api.replace(obj)


def _recorded(work: Work, record: Record | None) -> Record:
    """Make the client's record, or note in it that the credentials were made; either way with a new epoch."""
    now, actor = utc_now(), actor_or_default(work.params["actor"])
    fresh = Record(
        client=work.client,
        catalogue=work.params["catalogue"],
        namespace=work.namespace,
        registry_namespace=work.registry,
        organisation=work.params["organisation"],
        phase_since=now,
        created=now,
        created_by=actor,
        version=VERSION,
    )
    return noted_as_made(work.api, record, fresh, actor)


def _screen(work: Work, plan: Plan, *, check_mode: bool) -> list[str]:
    """Return what the operator reads."""
    if plan.is_empty:
        return []
    verb = "would be adopted" if check_mode else "is adopted"
    made = [Ref.of(obj).name for obj in plan.create] + ([] if plan.is_recorded else [f"record {record_name(work.client)}"])
    facts = [
        ("keeps", ["seed, private key, the logins and passwords of both databases; no pod is restarted"]),
        ("makes", [", ".join(made)] if made else []),
        ("marks", [", ".join(str(Ref.of(obj)) for obj in plan.mark)] if plan.mark else []),
        ("left", plan.left),
        ("beware", plan.differences),
        ("later", _later(plan)),
        ("next", [f"provision_client.yml -e client={work.client}, with {work.client} in lms_take_over: its databases bear no mark yet"]),
    ]
    return failure(f"{work.client} {verb} in {work.namespace}", facts)


def _later(plan: Plan) -> list[str]:
    """Return what a later provisioning would do to each object."""
    lines = []
    for entry in plan.later:
        if entry["created"]:
            lines.append(f"{entry['object']}: made")
        for verb, paths in (("changed", entry["changes"]), ("taken out", entry["removes"])):
            more = f" and {len(paths) - MOST_FIELDS} more" if len(paths) > MOST_FIELDS else ""
            if paths:
                lines.append(f"{entry['object']}: {verb}: {', '.join(paths[:MOST_FIELDS])}{more}")
    return ["provision_client.yml would change:", *lines] if lines else []


OPERATION = Operation(name="client_adoption", argument_spec=ARGUMENT_SPEC, run=run)
