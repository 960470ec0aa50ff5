"""What a statement needs: rights, read off the engine's own syntax tree."""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from access import denied
from rights import EVERYTHING, Account, Accounts, Scope
from sql import Words, qualified_names, tokens_of

NODE = re.compile(r"^( *)(.*?)(?: \(alias .*?\))?(?: \(children \d+\))?$")
BUILT_IN = ("system", "INFORMATION_SCHEMA", "information_schema")
OPEN_TABLES = {
    "one", "numbers", "numbers_mt", "zeros", "databases", "tables", "columns", "functions", "settings", "formats", "data_type_families",
    "table_engines", "table_functions", "privileges", "build_options", "contributors", "licenses", "time_zones", "collations", "clusters",
}
SOURCES = {
    "postgresql": "POSTGRES", "mysql": "MYSQL", "mongodb": "MONGO", "redis": "REDIS", "sqlite": "SQLITE", "odbc": "ODBC", "jdbc": "JDBC",
    "url": "URL", "urlcluster": "URL", "s3": "S3", "s3cluster": "S3", "gcs": "S3", "hdfs": "HDFS", "file": "FILE", "filecluster": "FILE",
    "remote": "REMOTE", "remotesecure": "REMOTE", "cluster": "REMOTE", "clusterallreplicas": "REMOTE", "executable": "ALL", "python": "ALL",
    "azureblobstorage": "AZURE", "kafka": "KAFKA", "nats": "NATS", "rabbitmq": "RABBITMQ", "deltalake": "S3", "iceberg": "S3", "hudi": "S3",
}
BY_NAME_IN_TEXT = re.compile(r"merge|dict(get|has|isin).*|joinget.*", re.IGNORECASE)
FREE = {"SelectWithUnionQuery", "SelectQuery", "SelectIntersectExceptQuery", "Explain", "Set", "ShowTables"}
ON_TARGET = {
    "InsertQuery": ("INSERT",), "TruncateQuery": ("TRUNCATE",), "OptimizeQuery": ("OPTIMIZE",), "CheckQuery": ("CHECK",),
    "DeleteQuery": ("ALTER DELETE",), "UpdateQuery": ("ALTER UPDATE",), "DetachQuery": ("DROP TABLE",), "AttachQuery": ("CREATE TABLE",),
    "Rename": ("DROP TABLE", "CREATE TABLE"), "ExistsTableQuery": ("SHOW TABLES",), "ShowCreateTableQuery": ("SHOW COLUMNS",),
    "ExistsDatabaseQuery": ("SHOW DATABASES",), "ShowCreateDatabaseQuery": ("SHOW DATABASES",), "UseQuery": ("SHOW DATABASES",),
    "DescribeQuery": ("SHOW COLUMNS",), "ExistsViewQuery": ("SHOW TABLES",), "ShowCreateViewQuery": ("SHOW COLUMNS",),
    "ShowColumns": ("SHOW COLUMNS",),
}
OF_DATABASES = ("UseQuery", "ExistsDatabaseQuery", "ShowCreateDatabaseQuery")


@dataclass
class Guard:
    """Judges one statement of one account, whose current database is `database`; `existing` are all databases."""

    accounts: Accounts
    account: Account
    database: str
    existing: set[str]

    def check(self, canonical: str, tree: list[str]) -> None:
        """Raise ServerError 497 for the first right that is missing."""
        if self.accounts.has(self.account, "ALL", EVERYTHING):
            return
        nodes = [(len(match[1]), match[2]) for line in tree if (match := NODE.match(line))]
        for right, scope in self._needs(canonical, nodes):
            self._need(right, scope)
        for database, table in qualified_names(canonical):
            self._seen(database, table)
        if any(kind == "Function" and BY_NAME_IN_TEXT.fullmatch(name) for kind, name in _labels(nodes)):
            self._check_texts(nodes)

    def visible(self) -> set[str]:
        """The databases that the account may know of."""
        return {name for name in self.existing if name in BUILT_IN or self.accounts.sees(self.account, name)}

    def _need(self, right: str, scope: Scope) -> None:
        if not self.accounts.has(self.account, right, scope):
            raise denied(self.account, right, scope)

    def _seen(self, database: str, table: str) -> None:
        """A name of another's database is refused wherever it stands."""
        if database in self.existing and database not in self.visible():
            raise denied(self.account, "SHOW TABLES", Scope(database, "" if table == "*" else table))

    def _check_texts(self, nodes: list[tuple[int, str]]) -> None:
        for kind, name in _labels(nodes):
            if kind == "Literal":
                database, _dot, table = name.replace("\\'", "'").strip("'").partition(".")
                self._seen(database, table)

    def _needs(self, canonical: str, nodes: list[tuple[int, str]]) -> Iterator[tuple[str, Scope]]:
        root = nodes[0][1].split()[0]
        yield from self._needs_of_root(root, tokens_of(canonical), nodes)
        for kind, name in _labels(nodes):
            if kind == "TableIdentifier":
                yield from self._reads(name, describing=root == "DescribeQuery")
            if kind == "Function" and name.lower() in SOURCES:
                yield SOURCES[name.lower()], EVERYTHING
                if root != "CreateQuery":
                    yield "CREATE TEMPORARY TABLE", EVERYTHING

    def _reads(self, name: str, *, describing: bool) -> Iterator[tuple[str, Scope]]:
        database, dot, table = name.partition(".")
        scope = Scope(database, table) if dot else Scope(self.database, name)
        if scope.database == "system" and scope.table in OPEN_TABLES:
            return
        yield ("SHOW COLUMNS" if describing else "SELECT"), scope

    def _needs_of_root(self, root: str, tokens: list[str], nodes: list[tuple[int, str]]) -> Iterator[tuple[str, Scope]]:
        targets = self._targets(root, tokens, nodes)
        rights: tuple[str, ...] = ()
        if root == "ShowTables" and tokens[1] not in {"DATABASES", "CLUSTERS"}:
            rights, targets = ("SHOW TABLES",), targets or [Scope(self.database)]
        elif root in FREE:
            rights = ()
        elif root in {"CreateQuery", "DropQuery"}:
            rights, targets = _made(tokens, targets)
        elif root == "AlterQuery":
            rights = ("ALTER DATABASE",) if tokens[1] == "DATABASE" else ("ALTER TABLE",)
        else:
            rights = ON_TARGET.get(root, ("ALL",))
            targets = targets if root in ON_TARGET else [EVERYTHING]
        for right in rights:
            for target in targets:
                yield right, target

    def _targets(self, root: str, tokens: list[str], nodes: list[tuple[int, str]]) -> list[Scope]:
        """What the statement itself is about: the names right below the root."""
        names = [label.removeprefix("Identifier ") for depth, label in nodes if depth == 1 and label.startswith("Identifier ")]
        if root == "Rename":
            return self._renamed(Words(tokens, 2))
        if root in {*OF_DATABASES, "ShowTables"} or tokens[1] == "DATABASE":
            return [Scope(name) for name in names]
        if len(names) == 1:
            return [Scope(self.database, names[0])]
        return [Scope(database, table) for database, table in zip(names[::2], names[1::2], strict=False)]

    def _renamed(self, words: Words) -> list[Scope]:
        """Every table that RENAME and EXCHANGE name, before and after."""
        scopes = []
        while not words.done():
            first = words.take()
            scopes.append(Scope(first, words.take()) if words.accept(".") else Scope(self.database, first))
            if not (words.accept("TO") or words.accept("AND") or words.accept(",")):
                words.end()
        return scopes


def _labels(nodes: list[tuple[int, str]]) -> Iterator[tuple[str, str]]:
    """Kind and name of each node."""
    for _node, label in nodes:
        kind, _space, name = label.partition(" ")
        yield kind, name


def _made(tokens: list[str], targets: list[Scope]) -> tuple[tuple[str, ...], list[Scope]]:
    """The right to create or drop, by the word that says what."""
    words = [token for token in tokens[:5] if token not in {"OR", "REPLACE"}]
    verb = words[0] if words[0] in {"CREATE", "DROP"} else "CREATE"
    if words[1] == "TEMPORARY":
        return (("CREATE TEMPORARY TABLE",) if verb == "CREATE" else ()), [EVERYTHING]
    what = {"MATERIALIZED": "VIEW", "LIVE": "VIEW", "WINDOW": "VIEW"}.get(words[1], words[1])
    return (f"{verb} {what}",), targets
