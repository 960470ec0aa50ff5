"""Users, roles and what each may do, kept in one file; passwords are kept as salted hashes alone."""
from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sql import ServerError, name_of

BELOW_GLOBAL = {"DATABASE", "TABLE", "COLUMN", "VIEW", "DICTIONARY"}
BY_NAME = {"USER_NAME", "DEFINER", "NAMED_COLLECTION", "TABLE_ENGINE"}

# The engine's table does not say that SOURCES holds these.
SOURCES = {
    "FILE", "URL", "REMOTE", "MONGO", "REDIS", "MYSQL", "POSTGRES", "SQLITE", "ODBC", "JDBC", "HDFS", "S3", "AZURE", "KAFKA", "NATS",
    "RABBITMQ",
}


@dataclass(frozen=True)
class Scope:
    """What a right is about: everything (both empty), a database, or a table. For rights on users or sources, `database` is that name."""

    database: str = ""
    table: str = ""

    def covers(self, other: Scope) -> bool:
        return self.database in {"", other.database} and self.table in {"", other.table}

    def __str__(self) -> str:
        return f"{name_of(self.database) if self.database else '*'}.{name_of(self.table) if self.table else '*'}"


EVERYTHING = Scope()


@dataclass(frozen=True)
class Grant:
    """One right on one scope; `taken` marks a part that was revoked out of a wider grant."""

    right: str
    scope: Scope = EVERYTHING
    option: bool = False
    taken: bool = False


class Privileges:
    """The engine's tree of rights: `rows` are name, level (None for a group) and parent, as system.privileges has them."""

    def __init__(self, rows: Iterable[tuple[str, str | None, str | None]]) -> None:
        self._level: dict[str, str | None] = {}
        self._parent: dict[str, str | None] = {}
        for name, level, parent in rows:
            self._level[name], self._parent[name] = level, "SOURCES" if name in SOURCES else parent

    def __contains__(self, right: str) -> bool:
        return right in self._level

    def includes(self, right: str, other: str) -> bool:
        """Whether `right` is `other` or a group that holds it."""
        at: str | None = other
        while at is not None and at != right:
            at = self._parent.get(at)
        return at == right

    def _leaves(self, right: str) -> Iterator[str]:
        below = [name for name, parent in self._parent.items() if parent == right]
        if self._level[right] is not None:
            yield right
        for name in below:
            yield from self._leaves(name)

    def by_name(self, right: str) -> bool:
        """Whether the right is about users, sources and the like, so that its scope is a name and no database."""
        return self._level[right] in BY_NAME

    def at(self, right: str, scope: Scope) -> list[str]:
        """`right` as far as it can be granted on `scope`: ALL on one database is the groups and rights that a database can have."""
        return [right] if scope == EVERYTHING or self.by_name(right) else list(self._inside(right))

    def _inside(self, right: str) -> Iterator[str]:
        leaves = list(self._leaves(right))
        if leaves and all(self._level[leaf] in BELOW_GLOBAL for leaf in leaves):
            yield right
            return
        for name, parent in self._parent.items():
            if parent == right:
                yield from self._inside(name)


@dataclass
class Login:
    """How a user proves who it is: a hash of password and salt, hexadecimal; an empty hash lets everybody in."""

    kind: str
    hash: str = ""
    salt: str = ""

    @classmethod
    def by_password(cls, kind: str, password: str) -> Login:
        salt = secrets.token_hex(16)
        return cls(kind, hashlib.sha256((password + salt).encode()).hexdigest(), salt)

    def accepts(self, password: str) -> bool:
        if self.kind == "no_password":
            return True
        return hmac.compare_digest(self.hash, hashlib.sha256((password + self.salt).encode()).hexdigest())


@dataclass
class Account:
    """A user, or a role (which has no logins). `shut` is HOST NONE: it may log in from nowhere."""

    name: str
    is_role: bool = False
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    logins: list[Login] = field(default_factory=list)
    default_database: str = ""
    roles: list[str] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    shut: bool = False


class Accounts:
    """All users and roles. Every change is on the disk before it is answered."""

    def __init__(self, path: Path, privileges: Privileges, admin: str, admin_password: str) -> None:
        self._path, self.privileges, self.admin = path, privileges, admin
        kept = [_account(one) for one in json.loads(path.read_text())] if path.exists() else []
        self.users = {account.name: account for account in kept if not account.is_role}
        self.roles = {account.name: account for account in kept if account.is_role}
        administrator = self.users.setdefault(admin, Account(admin))
        administrator.logins = [Login.by_password("sha256_password", admin_password)]
        administrator.grants = [Grant("ALL", option=True)]

    @property
    def all(self) -> list[Account]:
        return [*self.users.values(), *self.roles.values()]

    def kind(self, *, is_role: bool) -> dict[str, Account]:
        """All roles, or all users, by name; a role and a user may have the same name."""
        return self.roles if is_role else self.users

    def save(self) -> None:
        new = self._path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump([asdict(account) for account in self.all], file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def log_in(self, name: str, password: str) -> Account:
        account = self.users.get(name)
        if account is None or account.shut or not any(login.accepts(password) for login in account.logins):
            raise ServerError(
                516, "AUTHENTICATION_FAILED",
                f"{name}: Authentication failed: password is incorrect, or there is no user with such name.")
        return account

    def get(self, name: str, *, is_role: bool | None = None) -> Account:
        """The user or role of that name; a user before a role where the caller does not say which."""
        found = [self.kind(is_role=which).get(name) for which in ((False, True) if is_role is None else (is_role,))]
        account = next((one for one in found if one is not None), None)
        if account is None:
            code, kind = (511, "role") if is_role else (192, "user")
            raise ServerError(code, f"UNKNOWN_{kind.upper()}", f"There is no {kind} {name_of(name)} in `user directories`.")
        return account

    def roles_of(self, account: Account) -> list[Account]:
        """The account and every role that it has, also through other roles."""
        found = [account]
        for one in found:
            found += [role for name in one.roles if (role := self.roles.get(name)) is not None and role not in found]
        return found

    def has(self, account: Account, right: str, scope: Scope, *, option: bool = False) -> bool:
        """Whether the account, or one of its roles, holds the whole of `right` on the whole of `scope`."""
        return any(self._holds(one, right, scope, option) for one in self.roles_of(account))

    def _holds(self, account: Account, right: str, scope: Scope, option: bool) -> bool:
        given = taken = False
        for grant in account.grants:
            fits = self.privileges.includes(grant.right, right) and grant.scope.covers(scope)
            if grant.taken:
                taken |= fits and (option or not grant.option)
            else:
                given |= fits and (grant.option or not option)
        return given and not taken

    def sees(self, account: Account, database: str) -> bool:
        """Whether anything in the database is granted to the account."""
        grants = [grant for one in self.roles_of(account) for grant in one.grants if not grant.taken]
        everywhere = any(grant.scope == EVERYTHING and self.privileges.includes(grant.right, "SHOW DATABASES") for grant in grants)
        return everywhere or any(grant.scope.database == database for grant in grants)

    def grant(self, account: Account, right: str, scope: Scope, *, option: bool) -> None:
        for part in self.privileges.at(right, scope):
            new = Grant(part, scope, option)
            account.grants = [old for old in account.grants if not self._within(old, new)]
            if not self._holds(account, part, scope, option):
                account.grants.append(new)

    def revoke(self, account: Account, right: str, scope: Scope, *, option_only: bool) -> None:
        """Take a right away; what remains of a wider one is kept and the part remembered as taken."""
        for part in self.privileges.at(right, scope):
            gone = Grant(part, scope, option=option_only, taken=True)
            kept = []
            for old in account.grants:
                if not self._within(old, Grant(part, scope, option=True)):
                    kept.append(old)
                elif option_only and not old.taken:
                    kept.append(Grant(old.right, old.scope))
            account.grants = kept
            if self._holds(account, part, scope, option_only):
                account.grants.append(gone)

    def _within(self, old: Grant, new: Grant) -> bool:
        return self.privileges.includes(new.right, old.right) and new.scope.covers(old.scope) and (new.option or not old.option)


def _account(kept: dict[str, Any]) -> Account:
    """An account from what `save` wrote."""
    logins = [Login(**login) for login in kept["logins"]]
    grants = [Grant(**{**grant, "scope": Scope(**grant["scope"])}) for grant in kept["grants"]]
    return Account(**{**kept, "logins": logins, "grants": grants})
