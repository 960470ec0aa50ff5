# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims or forms a client's id by an atomic create, or finds its record, and brings record and contacts to what is wanted."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, replace

from .._core.clock import utc_now
from .._core.errors import ConflictError, InputError
from .._core.operation import Context, Operation
from .._core.version import VERSION
from .._domain.client_id import ClientId
from .._domain.contacts import Contact, read_contacts
from .._domain.organisation import organisation_name
from .._domain.record import REGISTERED, RETIRED, SUSPENDED, Record
from .._domain.screen import stage
from .._domain.settings import own_settings
from .._k8s.api import Api
from .._k8s.connection import KUBERNETES_OPTIONS, PLACE_OPTIONS, connect
from .client_contacts import store_contacts
from .client_numbers import form_id, last_number, next_id
from .client_organisations import Index, begin, end, keep_first, read_index
from .registry import ATTEMPTS, actor_or_default, change_record, known_record, read_record

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run"]

PRESENT = "present"
# How many ids that were claimed by hand are passed over in one run.
FORMED_AT_MOST = 1000

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    **PLACE_OPTIONS,
    "client": {"type": "str", "default": ""},
    "organisation": {"type": "str", "default": ""},
    # JSON, so that a survey can give it, and so that hiding it hides the whole and no word of it elsewhere.
    "contacts": {"type": "json", "no_log": True},
    "phone_region": {"type": "str", "default": ""},
    "settings": {"type": "dict"},
    "state": {"type": "str", "choices": [PRESENT, SUSPENDED, RETIRED], "default": PRESENT},
    "resume": {"type": "bool", "default": False},
    "forget_contacts": {"type": "bool", "default": False},
    "must": {"type": "str", "choices": ["any", "exist", "be_new"], "default": "any"},
    "confirm": {"type": "str", "default": ""},
    "catalogue": {"type": "str", "required": True},
    "before": {"type": "str", "default": ""},
    "actor": {"type": "str", "default": ""},
}


@dataclass(frozen=True)
class Wish:
    """What shall hold of a client, judged before anything is asked; client is None for an id that is still to be formed.

    organisation "", contacts None and settings None leave what the record has. resume: a suspended client goes on. actor: who wishes it.
    """

    client: ClientId | None
    organisation: str
    contacts: list[Contact] | None
    settings: dict[str, t.Any] | None
    state: str
    resume: bool
    actor: str

    @classmethod
    def read(cls, params: t.Mapping[str, t.Any]) -> Wish:
        """Return the wish that options are; raises InputError."""
        client = ClientId.parse(params["client"]) if params["client"] else None
        settings = params["settings"]
        wish = cls(
            client,
            organisation_name(params["organisation"]),
            read_contacts(params["contacts"], params["phone_region"]) if params["contacts"] else None,
            own_settings(settings, params["client"]) if settings is not None else None,
            params["state"],
            params["resume"],
            actor_or_default(params["actor"]),
        )
        wish._judge(params)
        return replace(wish, contacts=[]) if params["forget_contacts"] else wish

    def _judge(self, params: t.Mapping[str, t.Any]) -> None:
        """Raise InputError for options that do not go together."""
        if self.client is None and (self.state != PRESENT or params["must"] == "exist"):
            raise InputError("client: is missing. Expected the id of a client on the list, such as C42.")
        if self.client is None and not self.organisation:
            raise InputError(
                "client: is missing, and so is organisation. Expected the id of a client, such as C42, or the organisation of a new one."
            )
        if self.resume and self.state != PRESENT:
            raise InputError(f"resume: goes with state present alone, not with {self.state}.")
        if params["forget_contacts"] and self.state != RETIRED:
            raise InputError(f"forget_contacts: goes with state retired alone, not with {self.state}.")
        if self.contacts is not None and self.state == RETIRED:
            raise InputError("contacts: does not go with state retired. Leave it out, or forget them by forget_contacts.")
        if self.state == RETIRED and params["confirm"] != params["client"]:
            raise InputError(
                f"confirm: {self.client} would leave for good, and its id is never given again. Type the id again to go on.",
                hint=f"-e confirm={self.client}",
            )

    def change(self, record: Record) -> Record:
        """Return the record as it shall be; raises InputError where the client has left.

        Another phase begins an epoch, so that a run under way stops that would go on for a client that is suspended or has left.
        """
        if record.phase == RETIRED and (self.state != RETIRED or self.organisation or self.settings is not None):
            raise InputError(
                f"client: {record.client} has left, and an id is never given twice {record.where}.",
                hint="Take another id." if self.state == PRESENT else "Nothing of it can be changed any more.",
            )
        wanted = record.with_(organisation=self.organisation or record.organisation, phase=self._phase(record.phase))
        if self.settings is not None:
            wanted = wanted.with_(settings=self.settings)
        if wanted.phase != record.phase:
            wanted = wanted.with_(phase_since=utc_now()).begun(self.actor)
        return wanted if wanted == record else wanted.with_(version=VERSION)

    def _phase(self, phase: str) -> str:
        """Return the phase after one: a suspended client goes on only where that is said."""
        if self.state == PRESENT:
            return REGISTERED if phase == SUSPENDED and self.resume else phase
        return self.state


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Return the record, whether this run made it, and whether anything was changed."""
    started = time.monotonic()
    wish = Wish.read(params)
    registry = params["registry_namespace"] or params["namespace"]
    api = connect(params)
    record, new = _found_or_made(api, registry, wish, params, context)
    record.expect_place(catalogue=params["catalogue"], namespace=params["namespace"])
    if params["must"] == "be_new" and not new:
        raise InputError(
            f"client: {record.client} is not new: registered {record.created} by {record.created_by}.",
            hint="Leave out must=be_new, or take another id.",
        )
    before = record
    if new:
        if params["before"]:
            context.report(params["before"])
        done = "would be registered" if context.check_mode else "registered"
        context.report(stage("client", f"{record.client} is new: {done}", time.monotonic() - started))
    elif context.check_mode:
        record = wish.change(record)
    else:
        record, _written = change_record(api, record, wish.change)
    write = not context.check_mode
    changes = [] if new else _changes(before, record)
    if wish.organisation and wish.client:
        changes += _indexed(api, record, params, context, new=new, changed=new or "organisation" in changes)
    told = wish.contacts is not None and store_contacts(api, registry, record.client, wish.contacts, write=write)
    changes += ["contacts"] if told else []
    if changes:
        verb = "would be changed" if context.check_mode else "changed"
        context.report(stage("client", f"{record.client}: {', '.join(changes)} {verb}", time.monotonic() - started))
    return {"changed": new or bool(changes), "new": new, "record": record.as_dict()}


def _found_or_made(api: Api, registry: str, wish: Wish, params: t.Mapping[str, t.Any], context: Context) -> tuple[Record, bool]:
    """Return the client's record, and whether this run made it, or would have in check mode."""
    if wish.client is None:
        return _formed(api, registry, wish, params, context), True
    certain = params["must"] == "exist" or wish.state != PRESENT
    record = known_record(api, registry, wish.client) if certain else read_record(api, registry, wish.client)
    if record is not None:
        return record, False
    wanted = _fresh(wish.client, registry, wish, params)
    return (wanted, True) if context.check_mode else _claim(api, wanted)


def _formed(api: Api, registry: str, wish: Wish, params: t.Mapping[str, t.Any], context: Context) -> Record:
    """Return the record of a client whose id was formed; ids that somebody claimed by hand are passed over.

    The index of organisations says what is begun before there is a record: a run that ends between the two leaves no client that nobody
    knows of, and of two runs at once for one organisation the second is refused.
    """
    if context.check_mode:
        begun = _index_for_one_more(api, registry, wish.organisation, params["confirm"]).begun
        return _fresh(begun or next_id(last_number(api, registry)), registry, wish, params)
    for _attempt in range(FORMED_AT_MOST):
        wanted, index = _begun(api, registry, wish, params)
        try:
            record = Record.from_object(api.create(wanted.to_object()), wanted.client)
        except ConflictError:
            continue
        end(api, record, index)
        return record
    raise ConflictError(
        f"client: the {FORMED_AT_MOST} ids that were formed are all claimed by hand, {wanted.client} being the last.",
        hint="Run the same again: it goes on from there.",
    )


def _begun(api: Api, registry: str, wish: Wish, params: t.Mapping[str, t.Any]) -> tuple[Record, dict[str, t.Any]]:
    """Return the record to create, of an id that is formed now or was begun already, and the index, which says so."""
    formed: ClientId | None = None
    for _attempt in range(ATTEMPTS):
        index = _index_for_one_more(api, registry, wish.organisation, params["confirm"])
        formed = index.begun or formed or form_id(api, registry)
        wanted = _fresh(formed, registry, wish, params)
        try:
            return wanted, begin(api, wanted, index)
        except ConflictError:
            continue
    raise ConflictError(f"organisation: its index was changed by other runs {ATTEMPTS} times on end.", hint="Run the same again later.")


def _index_for_one_more(api: Api, registry: str, organisation: str, confirm: str) -> Index:
    """Return the organisation's index. Raises InputError where it is on the list already, unless its latest client was typed.

    The latest, not the first: so a form that was sent twice, since nobody knows what became of it, makes one client.
    """
    index = read_index(api, registry, organisation)
    if not index.clients or confirm == index.clients[-1].client.id:
        return index
    ids, latest = " and ".join(one.client.id for one in index.clients), index.clients[-1]
    raise InputError(
        f"organisation: is that of {ids} already ({latest.phase}, since {latest.created}).",
        hint=f"Work on that one by -e client={latest.client}, or have one more by -e confirm={latest.client}.",
        data={"client": latest.client.id},
    )


def _indexed(api: Api, record: Record, params: t.Mapping[str, t.Any], context: Context, *, new: bool, changed: bool) -> list[str]:
    """Have the index name the first client of the record's organisation; return what was, or would be, changed alone by that, for people.

    changed: the organisation came to this client just now, so a client that had it first is told, unless it was typed.
    """
    first, written = keep_first(api, record, new=new, write=not context.check_mode)
    if changed and first != record.client and params["confirm"] != first.id:
        context.report(f"  {record.client}: its organisation is that of {first} too. If that is one client too many:")
        context.report(f"  edit_client.yml -e client={record.client} -e state=retired -e confirm={record.client}")
    return ["index of organisations"] if written and not changed else []


def _fresh(client: ClientId, registry: str, wish: Wish, params: t.Mapping[str, t.Any]) -> Record:
    """Return the record of a new client."""
    now = utc_now()
    return Record(
        client=client,
        catalogue=params["catalogue"],
        namespace=params["namespace"],
        registry_namespace=registry,
        organisation=wish.organisation,
        settings=wish.settings or {},
        phase_since=now,
        created=now,
        created_by=actor_or_default(params["actor"]),
        version=VERSION,
    )


def _claim(api: Api, wanted: Record) -> tuple[Record, bool]:
    """Create the record; where somebody else was first, return theirs. Raises ConflictError where there is none then."""
    try:
        return Record.from_object(api.create(wanted.to_object()), wanted.client), True
    except ConflictError:
        found = read_record(api, wanted.registry_namespace, wanted.client)
    if found is None:
        raise ConflictError(
            f"client: {wanted.client} could not be registered {wanted.where}: the API refused to create the record because it exists, "
            "and answered then that it does not.",
            hint="Somebody removes it meanwhile, or a proxy answers in the API's place. Run the same again.",
        )
    return found, False


def _changes(before: Record, after: Record) -> list[str]:
    """Return what was changed of a record, for people."""
    found = [key for key in ("organisation", "settings") if getattr(before, key) != getattr(after, key)]
    return found if before.phase == after.phase else [*found, f"phase {after.phase}"]


OPERATION = Operation(name="client", argument_spec=ARGUMENT_SPEC, run=run)
