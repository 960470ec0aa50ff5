"""The system tables that this server answers itself: SELECTs over rows of its own, in the engine's own columns."""
from __future__ import annotations

import json
import re
from dataclasses import dataclass

from engine import EngineSession
from guard import BUILT_IN, Guard
from rights import Account, Accounts
from sql import literal, replace_outside_strings

OWN_TABLES = ("users", "roles", "grants", "role_grants", "clusters")
FILTERED = {"databases": "name", "tables": "database", "columns": "database", "parts": "database"}
NAME = re.compile(rf"\bsystem\.({'|'.join([*OWN_TABLES, *FILTERED])})\b(?!\s*\.)", re.IGNORECASE)
WHO = re.compile(r"\b(currentUser|user|current_user|authenticatedUser)\(\)", re.IGNORECASE)


@dataclass
class Catalogue:
    """What one account sees of the server."""

    accounts: Accounts
    clusters: tuple[str, ...]
    port: int
    guard: Guard

    def rewritten(self, session: EngineSession, canonical: str) -> str:
        """The statement with the account's name and the server's own tables put in."""
        canonical = replace_outside_strings(
            canonical, WHO, {match[0].lower(): literal(self.guard.account.name) for match in WHO.finditer(canonical)})
        wanted = {match[0].lower(): match[1].lower() for match in NAME.finditer(canonical)}
        tables = {found: self._table(session, table) for found, table in wanted.items()}
        return replace_outside_strings(canonical, NAME, tables) if tables else canonical

    def show_databases(self, condition: str) -> str:
        """SHOW DATABASES, with what stands after it."""
        where = f" WHERE name {condition}" if condition else ""
        return f"SELECT name FROM {self._filtered('databases')}{where} ORDER BY name"

    def _filtered(self, table: str) -> str:
        names = ", ".join(literal(name) for name in sorted({*self.guard.visible(), *BUILT_IN}))
        return f"(SELECT * FROM system.{table} WHERE {FILTERED[table]} IN ({names}))"

    def _table(self, session: EngineSession, table: str) -> str:
        if table in FILTERED:
            return self._filtered(table)
        columns = [(row[0], row[1]) for row in session.rows(f"DESCRIBE TABLE system.{table}") if row[2] in {"", "DEFAULT"}]
        structure = ", ".join(f"`{name}` {kind}" for name, kind in columns)
        lines = "\n".join(json.dumps(row) for row in self._rows(table))
        return f"(SELECT * FROM format(JSONEachRow, {literal(structure)}, {literal(lines)}))"

    def _rows(self, table: str) -> list[dict[str, object]]:
        if table == "clusters":
            here = {"shard_num": 1, "replica_num": 1, "host_name": "localhost", "port": self.port, "is_local": 1}
            return [{"cluster": name, **here} for name in self.clusters]
        by_table = {"users": _user_rows, "roles": _role_rows, "grants": _grant_rows, "role_grants": self._role_grant_rows}
        return [row for account in self.accounts.all for row in by_table[table](account)]

    def _role_grant_rows(self, account: Account) -> list[dict[str, object]]:
        roles = [self.accounts.get(role, is_role=True) for role in account.roles]
        return [
            {**_owner(account), "granted_role_name": role.name, "granted_role_id": role.id, "granted_role_is_default": 1} for role in roles
        ]


def _owner(account: Account) -> dict[str, object]:
    return {"user_name": None if account.is_role else account.name, "role_name": account.name if account.is_role else None}


def _user_rows(account: Account) -> list[dict[str, object]]:
    if account.is_role:
        return []
    return [{
        "name": account.name, "id": account.id, "storage": "local_directory", "auth_type": [login.kind for login in account.logins],
        "auth_params": ["{}"] * len(account.logins), "host_ip": ["::/0"], "default_roles_all": 1, "grantees_any": 1,
        "default_database": account.default_database,
    }]


def _role_rows(account: Account) -> list[dict[str, object]]:
    return [{"name": account.name, "id": account.id, "storage": "local_directory"}] if account.is_role else []


def _grant_rows(account: Account) -> list[dict[str, object]]:
    return [
        {
            **_owner(account), "access_type": grant.right, "database": grant.scope.database or None, "table": grant.scope.table or None,
            "is_partial_revoke": int(grant.taken), "grant_option": int(grant.option),
        }
        for grant in account.grants
    ]
