"""One client's session: from a statement's text to blocks of rows, or to the error that a real server would give."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from access import FORMS, AccessStatement, denied
from catalogue import Catalogue
from engine import EngineSession
from guard import Guard
from rights import EVERYTHING, Accounts, Privileges
from sql import ServerError, name_of, split_strings, tokens_of, unsupported, value_of

STREAMED = {"SelectWithUnionQuery", "SelectQuery", "SelectIntersectExceptQuery"}
FORMAT = re.compile(r" FORMAT \w+$")
WITHOUT_ROWS = re.compile(r"\b(VALUES|FORMAT\s+\w+)\s*;?\s*$", re.IGNORECASE)
ON_CLUSTER = re.compile(r" ON CLUSTER (`(?:\\.|[^`\\])*`|'(?:\\.|[^'\\])*'|\w+)")
SHOW_DATABASES = "SHOW DATABASES"


@dataclass
class Server:
    """What all sessions share: the engine's folder, the accounts, and the clusters (of this one node) that ON CLUSTER may name."""

    folder: Path
    clusters: tuple[str, ...]
    port: int
    admin: str
    admin_password: str = field(repr=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._root = EngineSession(self.folder / "engine")  # holds the engine open between clients
        rows = self._root.rows("SELECT privilege, level, parent_group FROM system.privileges")
        known = [(name, _or_none(level), _or_none(parent)) for name, level, parent in rows]
        self.accounts = Accounts(self.folder / "accounts.json", Privileges(known), self.admin, self.admin_password)
        major, minor, patch, *_rest = self._root.text("SELECT version()").split(".")
        self.version = (int(major), int(minor), int(patch))

    def open(self) -> EngineSession:
        return EngineSession(self.folder / "engine")


class Session:
    """One login. Use it from the engine's thread only."""

    def __init__(self, server: Server, *, user: str, password: str, database: str) -> None:
        self._server = server
        self._account = server.accounts.log_in(user, password)
        self._database = database or self._account.default_database or "default"
        self._engine = server.open()
        self._engine.blocks(f"USE {name_of(self._database)}", streamed=False)

    def close(self) -> None:
        self._engine.close()

    def run(self, text: str) -> tuple[str, list[bytes]]:
        """Carry out one statement; returns its kind, which holds nothing of its text, and the blocks of its result."""
        self._account = self._server.accounts.get(self._account.name, is_role=False)  # it may be gone, or made anew
        canonical, on_cluster = self._without_cluster(self._engine.canonical(text).strip())
        form = FORMS.match(canonical)
        if form is not None:
            kind, blocks = form[0], self._run_access(canonical)
        else:
            kind, blocks = self._run_in_engine(text, canonical)
        return kind, self._cluster_report() if on_cluster else blocks

    def _run_access(self, canonical: str) -> list[bytes]:
        statement = AccessStatement(self._server.accounts, self._account, self._database)
        answer = statement.run(tokens_of(canonical))
        return self._engine.blocks(answer, streamed=True) if answer else []

    def _run_in_engine(self, text: str, canonical: str) -> tuple[str, list[bytes]]:
        if any(" INTO OUTFILE" in part for part in split_strings(canonical)[::2]):
            raise unsupported("INTO OUTFILE")
        inserting = canonical.startswith("INSERT ")
        canonical = canonical if inserting else FORMAT.sub("", canonical)
        tree = self._engine.syntax_tree(canonical)
        existing = {row[0] for row in self._engine.rows("SELECT name FROM system.databases")}
        guard = Guard(self._server.accounts, self._account, self._database, existing)
        guard.check(canonical, tree)
        kind = tree[0].split()[0]
        if inserting and FORMAT.search(canonical):
            if WITHOUT_ROWS.search(text):
                raise unsupported("rows in blocks: write them into the statement itself")
            return kind, self._engine.blocks(text, streamed=False)
        catalogue = Catalogue(self._server.accounts, self._server.clusters, self._server.port, guard)
        if canonical.startswith(SHOW_DATABASES):
            return kind, self._engine.blocks(catalogue.show_databases(canonical.removeprefix(SHOW_DATABASES).strip()), streamed=True)
        blocks = self._engine.blocks(catalogue.rewritten(self._engine, canonical), streamed=kind in STREAMED)
        if kind == "UseQuery":
            self._database = value_of(tokens_of(canonical)[-1])
        return kind, blocks

    def _without_cluster(self, canonical: str) -> tuple[str, bool]:
        """The statement without its ON CLUSTER, and whether it had one; ServerError where there is no such cluster."""
        parts = split_strings(canonical)
        for at in range(0, len(parts), 2):
            following = "".join(parts[at:])
            found = ON_CLUSTER.search(following)
            if found is None or found.start() >= len(parts[at]):
                continue
            self._check_cluster(value_of(found[1]))
            return "".join(parts[:at]) + following[:found.start()] + following[found.end():], True
        return canonical, False

    def _check_cluster(self, cluster: str) -> None:
        if cluster not in self._server.clusters:
            raise ServerError(701, "CLUSTER_DOESNT_EXIST", f"Requested cluster '{cluster}' not found.")
        if not self._server.accounts.has(self._account, "CLUSTER", EVERYTHING):
            raise denied(self._account, "CLUSTER", EVERYTHING)

    def _cluster_report(self) -> list[bytes]:
        """The row for each node that a statement with ON CLUSTER answers."""
        return self._engine.blocks(
            f"SELECT 'localhost' AS host, toUInt16({self._server.port}) AS port, toInt64(0) AS status, '' AS error, "
            "toUInt64(0) AS num_hosts_remaining, toUInt64(0) AS num_hosts_active", streamed=True)


def _or_none(text: str) -> str | None:
    return None if text == "\\N" else text
