# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an environment that was made by hand, or by an older tool, holds that must be kept, and what would become of its objects."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from functools import reduce
from json import loads
from urllib.parse import SplitResult, unquote, urlsplit

from .._core.errors import InputError
from .client_id import ClientId
from .credentials import IN_USE, SEED, credentials_secret, encoded, login_of
from .names import FIELD_MANAGER, HASH, labels

__all__ = ["Kept", "Login", "adopted", "changes", "kept_secret", "kept_values", "removals"]

SEED_VARIABLE, CLIENT_VARIABLE = "LMS_KEYS_SECRET_SEED", "LMS_CLIENT_ID"
# By database: the variable with its DSN, and the schemes that this may have.
DSNS = {
    "postgres": ("LMS_STORAGE_POSTGRES_DSN", ("postgres", "postgresql")),
    "clickhouse": ("LMS_STORAGE_CLICKHOUSE_DSN", ("clickhouse", "tcp")),
}
# The kubelet puts a password into the DSN as it is: what a URL would have to encode cannot be carried.
PLAIN_PASSWORD = re.compile(r"[A-Za-z0-9._~-]+")
SEED_FORM = re.compile(r"[0-9a-fA-F]{128}")

Object = t.Mapping[str, t.Any]
ABSENT: t.Any = object()


@dataclass(frozen=True)
class Login:
    """What a DSN says; password and user are decoded. address is `host:port`."""

    user: str
    password: str
    address: str
    database: str


@dataclass(frozen=True)
class Kept:
    """The values that an environment goes on with."""

    seed: str
    logins: t.Mapping[str, Login]


def kept_values(data: t.Mapping[str, str], client: ClientId, *, user: str, where: str) -> Kept:
    """Return seed and logins out of the environment's variables; raises InputError with every problem, and no value.

    user: the name of the client's role and database, as the catalogue's settings make it; where: the ConfigMap, for the messages.
    """
    problems = []
    named = data.get(CLIENT_VARIABLE, client.id)
    if named.upper() != client.id:
        problems.append(f"{CLIENT_VARIABLE} is not {client}: these are another client's variables")
    seed = data.get(SEED_VARIABLE, "")
    if not SEED_FORM.fullmatch(seed):
        problems.append(f"{SEED_VARIABLE} {'is not 128 hexadecimal digits' if seed else 'is missing'}")
    logins = {}
    for database, (variable, schemes) in DSNS.items():
        login = _login(data.get(variable, ""), schemes)
        if isinstance(login, str):
            problems.append(f"{variable} {login}")
        else:
            problems += [f"{variable} {problem}" for problem in _unfit(login, user)]
            logins[database] = login
    if problems:
        title = f"{where} cannot be taken over as the variables of {client}:"
        raise InputError("\n  ".join([title, *(f"{problem}." for problem in problems)]), data={"problems": problems})
    return Kept(seed, logins)


def kept_secret(kept: Kept, client: ClientId, *, namespace: str, made: str) -> dict[str, t.Any]:
    """Return the Secret lms-credentials-c42 with the values that are kept, and what the databases store of them."""
    secret = credentials_secret(client, namespace=namespace, user=kept.logins["postgres"].user, made=made)
    values = {SEED: kept.seed.encode()}
    for database, login in kept.logins.items():
        values |= login_of(database, IN_USE, login.user, login.password)
    return {**secret, "data": {**secret["data"], **encoded(values)}}


def adopted(obj: Object, client: ClientId) -> dict[str, t.Any]:
    """Return a live object with the collection's labels, its fields handed over to the collection; nothing else of it changes.

    What others have set counts as applied by us from then on: what a template does not have, the next apply takes away, as it must
    with the passwords in a ConfigMap.
    """
    metadata = {**obj["metadata"], "labels": {**(obj["metadata"].get("labels") or {}), **labels(client)}}
    entries = metadata.get("managedFields") or []
    own = [entry for entry in entries if not entry.get("subresource")]
    if own:
        head = {"manager": FIELD_MANAGER, "operation": "Apply", "apiVersion": obj["apiVersion"], "fieldsType": "FieldsV1"}
        applied = {**head, "time": max(str(entry.get("time", "")) for entry in own), "fieldsV1": _fields(entries)}
        metadata["managedFields"] = [applied, *(entry for entry in entries if entry.get("subresource"))]
    return {**obj, "metadata": metadata}


def changes(wanted: Object, live: Object) -> list[str]:
    """Return the paths of the wanted object's fields that the live one has otherwise or lacks; values are not compared by their units."""
    return sorted(path for path in _differing(wanted, live) if HASH not in path and path not in ("apiVersion", "metadata.namespace"))


def removals(wanted: Object, live: Object) -> list[str]:
    """Return the paths of the fields that somebody has set on the live object, and that the wanted one does not have."""
    return sorted(_unwanted(wanted, _fields(live["metadata"].get("managedFields") or [])))


def _login(dsn: str, schemes: t.Sequence[str]) -> Login | str:
    """Return what a DSN says, or what is wrong with it."""
    if not dsn:
        return "is missing"
    try:
        parts: SplitResult = urlsplit(dsn)
        port = parts.port
    except ValueError:
        return "is not a URL"
    name = unquote(parts.path.lstrip("/"))
    if parts.scheme not in schemes or not parts.hostname or not parts.username or not parts.password or not name:
        return f"is not of the form {schemes[0]}://<user>:<password>@<host>:<port>/<database>"
    return Login(unquote(parts.username), unquote(parts.password), f"{parts.hostname}:{port}" if port else parts.hostname, name)


def _unfit(login: Login, user: str) -> t.Iterator[str]:
    """Yield why a login cannot be taken over."""
    if login.user != user:
        yield f"names the user {login.user}, and the catalogue's settings make it {user} (lms_database_prefix and the client's name)"
    if login.database != user:
        yield f"names the database {login.database}, and the catalogue's settings make it {user}"
    if not PLAIN_PASSWORD.fullmatch(login.password):
        yield (
            "has a password with characters that a URL encodes, which the pods could not be given: set one of letters and digits "
            "in the database and in this variable first"
        )


def _fields(entries: t.Iterable[Object]) -> dict[str, t.Any]:
    """Return the fields (FieldsV1) that anybody has set, those of status and scale left out."""
    return reduce(_joined, (entry.get("fieldsV1") or {} for entry in entries if not entry.get("subresource")), {})


def _joined(one: Object, other: Object) -> dict[str, t.Any]:
    """Return the fields of both."""
    return {name: _joined(one.get(name, {}), other.get(name, {})) for name in {**one, **other}}


def _differing(wanted: t.Any, live: t.Any, path: str = "") -> t.Iterator[str]:
    """Yield the paths of leaves that differ; items of a list are matched by their names where they have any."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        for key, value in wanted.items():
            yield from _differing(value, live.get(key, ABSENT), f"{path}.{key}".lstrip("."))
    elif _is_named(wanted) and isinstance(live, list):
        by_name = {item.get("name"): item for item in live if isinstance(item, dict)}
        for item in wanted:
            yield from _differing(item, by_name.get(item["name"], ABSENT), f"{path}[{item['name']}]")
    elif wanted != live:
        yield path


def _is_named(value: t.Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) and "name" in item for item in value)


def _unwanted(wanted: t.Any, fields: Object, path: str = "") -> t.Iterator[str]:
    """Yield the paths of fields that the wanted object lacks."""
    for name, below in fields.items():
        mark, _colon, text = name.partition(":")
        if mark == ".":
            continue
        child, step = _child(wanted, mark, text)
        here = f"{path}{step}".lstrip(".")
        if child is ABSENT:
            yield here
        elif below:
            yield from _unwanted(child, below, here)


def _child(wanted: t.Any, mark: str, text: str) -> tuple[t.Any, str]:
    """Follow one key of FieldsV1 into the wanted object: the value there, ABSENT where there is none, and the path's next part."""
    if mark == "f":
        return (wanted.get(text, ABSENT) if isinstance(wanted, dict) else ABSENT), f".{text}"
    key = loads(text)
    items = wanted if isinstance(wanted, list) else []
    if mark == "k":
        found = (item for item in items if isinstance(item, dict) and all(item.get(name, value) == value for name, value in key.items()))
        return next(found, ABSENT), f"[{', '.join(str(value) for value in key.values())}]"
    return (key if key in items else ABSENT), f"[{key}]"
