# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The macros of request templates: a closed set, named after the specification, written `{{ client_id }}` or `{{client-id}}`."""

from __future__ import annotations

import difflib
import re
import typing as t

from .client_id import ClientId
from .names import database_name
from .settings import SETTINGS, settings_of

__all__ = ["MACROS", "SECRET_MACROS", "hyphened", "macros_of", "meant", "owner_mark", "without_hyphens"]

CLOSENESS = 0.6

# What a run knows beside the settings, with a sentence for the documentation.
OF_A_CLIENT = {
    "client_id": "The id that people, labels and public paths bear: C42.",
    "client_name": "The same for objects, containers, databases and users: c42.",
    "database_name": "The client's database, and the user that owns it: c42, after the catalogue's prefix.",
    "database_mark": "The comment by which a database says whose it is.",
    "taken_over": "Whether this client's databases may be taken over (setting take_over).",
}

MACROS = frozenset({*OF_A_CLIENT, *(setting.name for setting in SETTINGS if setting.macro)})


def _credential(key: str) -> str:
    """Return how a template refers to a key of the client's credentials."""
    return f"valueFrom: {{secretKeyRef: {{name: lms-credentials-{{{{ client-name }}}}, key: {key}}}}}"


def _admin(setting: str) -> str:
    """Return how a template refers to an administrator's login."""
    return f"a volume from Secret {{{{ {setting}.name }}}}, read by the script as a file"


# Macros of the specification that stand for a secret's value, or come from one, and what a template writes instead.
SECRET_MACROS = {
    "clickhouse_user_password": _credential("clickhouse-password"),
    "postgres_user_password": _credential("postgres-password"),
    "keys_secret_seed": _credential("keys-secret-seed"),
    "sms4b_token": "valueFrom: {secretKeyRef: {name: {{ sms4b-secret.name }}, key: {{ sms4b-secret.key }}}}",
    "rsa_content": "a volume from Secret rsa-secret-{{ client-name }}, whose key rsa_key the collection makes",
    "clickhouse_admin_user": _admin("clickhouse-admin-secret"),
    "clickhouse_admin_password": _admin("clickhouse-admin-secret"),
    "postgres_admin_user": _admin("postgres-admin-secret"),
    "postgres_admin_password": _admin("postgres-admin-secret"),
}

# Text in quotes, or a name with hyphens: letters on both sides of each, so that `a - b` and `a-1` stay subtractions.
_QUOTED_OR_HYPHENED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z_][A-Za-z0-9_]*)+")
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def without_hyphens(text: str) -> str:
    """Return a template's text with each macro that has hyphens written as Jinja takes it; lines stay where they are."""

    def name(match: re.Match[str]) -> str:
        found = match[0]
        return found if found[0] in "'\"" else found.replace("-", "_")

    return _TAG.sub(lambda tag: _QUOTED_OR_HYPHENED.sub(name, tag[0]), text)


def hyphened(name: str) -> str:
    """Return a macro's name as the specification writes it."""
    return name.replace("_", "-")


def meant(name: str) -> str:
    """Return which macro a wrong name is meant to be, as a sentence; where none is near, where they are listed."""
    near = difflib.get_close_matches(name, sorted(MACROS | set(SECRET_MACROS)), n=1, cutoff=CLOSENESS)
    return f"{hyphened(near[0])} is meant?" if near else "docs/templates.md lists the macros."


def owner_mark(catalogue: str, client: ClientId) -> str:
    """Return the comment by which a database and its role say whose they are."""
    return f"rarus.lms catalogue={catalogue} client={client.id}"


def macros_of(settings: t.Mapping[str, t.Any], client: ClientId) -> dict[str, t.Any]:
    """Return the value of every macro for one client. settings: the catalogue's, as read_settings returns them."""
    own = settings_of(settings, client)
    values = {setting.name: own[setting.name] for setting in SETTINGS if setting.macro}
    return {
        **values,
        "client_id": client.id,
        "client_name": client.name,
        "database_name": database_name(client, own["database_prefix"]),
        "database_mark": owner_mark(own["catalogue"], client),
        "taken_over": client.id in own["take_over"],
    }
