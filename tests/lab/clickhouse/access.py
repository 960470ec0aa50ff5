"""Statements about users, roles and rights. The engine has none of them, so they are carried out here, on `Accounts`."""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rights import EVERYTHING, Account, Accounts, Login, Scope
from sql import ServerError, Words, literal, name_of, unsupported

HASH = re.compile(r"[0-9A-Fa-f]{64}")
FORMS = re.compile(r"(CREATE|ALTER|DROP|SHOW CREATE) (USER|ROLE)\b|(GRANT|REVOKE|SHOW (GRANTS|USERS|ROLES)|SET (DEFAULT )?ROLE)\b")


def denied(account: Account, right: str, scope: Scope, *, option: bool = False) -> ServerError:
    tail = " WITH GRANT OPTION" if option else ""
    return ServerError(
        497, "ACCESS_DENIED",
        f"{account.name}: Not enough privileges. To execute this query, it's necessary to have the grant {right} ON {scope}{tail}.")


@dataclass
class AccessStatement:
    """One statement by one account; `run` returns the SELECT that answers it, or an empty text where nothing is answered."""

    accounts: Accounts
    account: Account
    database: str

    def run(self, tokens: list[str]) -> str:
        words = Words(tokens)
        verbs: dict[str, Callable[[Words], str]] = {
            "CREATE USER": self._create_user, "CREATE ROLE": self._create_role, "ALTER USER": self._alter_user,
            "DROP USER": self._drop_user, "DROP ROLE": self._drop_role, "GRANT": self._grant, "REVOKE": self._revoke,
            "SHOW GRANTS": self._show_grants, "SHOW USERS": self._show_users, "SHOW ROLES": self._show_roles,
            "SHOW CREATE USER": self._show_create_user,
        }
        for verb, act in verbs.items():
            if words.accept(verb):
                answer = act(words)
                words.end()
                if not verb.startswith("SHOW"):
                    self.accounts.save()
                return answer
        raise unsupported(f"{' '.join(tokens[:2])}")

    def _need(self, right: str, scope: Scope = EVERYTHING, *, option: bool = False) -> None:
        if not self.accounts.has(self.account, right, scope, option=option):
            raise denied(self.account, right, scope, option=option)

    def _create_user(self, words: Words) -> str:
        return self._create(words, is_role=False)

    def _create_role(self, words: Words) -> str:
        return self._create(words, is_role=True)

    def _create(self, words: Words, *, is_role: bool) -> str:
        kind = "role" if is_role else "user"
        if_missing, replacing = words.accept("IF NOT EXISTS"), words.accept("OR REPLACE")
        names = words.list()
        template = Account("", is_role=is_role, logins=[] if is_role else [Login("no_password")])
        self._settings(words, template)
        for name in names:
            self._need(f"CREATE {kind.upper()}", Scope(name))
            known = self.accounts.kind(is_role=is_role)
            if name in known and not replacing:
                if if_missing:
                    continue
                raise ServerError(
                    493, "ACCESS_ENTITY_ALREADY_EXISTS",
                    f"{kind} {name_of(name)}: cannot insert because {kind} {name_of(name)} already exists in `local_directory`.")
            known[name] = Account(
                name, is_role=is_role, logins=list(template.logins), roles=list(template.roles), default_database=template.default_database,
                shut=template.shut)
        return ""

    def _alter_user(self, words: Words) -> str:
        if_exists = words.accept("IF EXISTS")
        names = words.list()
        start = words.at
        for name in names:
            self._need("ALTER USER", Scope(name))
            words.at = start
            unknown = if_exists and name not in self.accounts.users
            self._settings(words, Account(name) if unknown else self.accounts.get(name, is_role=False))
        return ""

    def _settings(self, words: Words, account: Account) -> None:
        """Read what follows the name in CREATE and ALTER into `account`."""
        while not words.done():
            if words.accept("NOT IDENTIFIED"):
                account.logins = [Login("no_password")]
            elif words.accept("IDENTIFIED"):
                account.logins = [_login(words)]
                while words.accept(","):
                    account.logins.append(_login(words))
            elif words.accept("DEFAULT DATABASE"):
                account.default_database = "" if words.accept("NONE") else words.take()
            elif words.accept("DEFAULT ROLE"):
                if not words.accept("ALL"):
                    account.roles += [role for role in words.list() if role not in account.roles]
            elif words.accept("HOST NONE"):
                account.shut = True
            else:
                words.expect("HOST ANY")
                account.shut = False

    def _drop_user(self, words: Words) -> str:
        return self._drop(words, is_role=False)

    def _drop_role(self, words: Words) -> str:
        return self._drop(words, is_role=True)

    def _drop(self, words: Words, *, is_role: bool) -> str:
        if_exists = words.accept("IF EXISTS")
        for name in words.list():
            self._need("DROP ROLE" if is_role else "DROP USER", Scope(name))
            if not if_exists:
                self.accounts.get(name, is_role=is_role)
            self.accounts.kind(is_role=is_role).pop(name, None)
            for other in self.accounts.all if is_role else ():
                other.roles = [role for role in other.roles if role != name]
        return ""

    def _grant(self, words: Words) -> str:
        elements, names = self._elements_and_names(words, "TO")
        option = words.accept("WITH GRANT OPTION") or words.accept("WITH ADMIN OPTION")
        if words.accept("WITH REPLACE OPTION"):
            raise unsupported("WITH REPLACE OPTION")
        for right, scope in elements:
            self._need(right, scope, option=True)
            for name in names:
                self.accounts.grant(self.accounts.get(name), right, scope, option=option)
        return ""

    def _revoke(self, words: Words) -> str:
        option_only = words.accept("GRANT OPTION FOR") or words.accept("ADMIN OPTION FOR")
        elements, names = self._elements_and_names(words, "FROM")
        for right, scope in elements:
            self._need(right, scope, option=True)
            for name in names:
                self.accounts.revoke(self.accounts.get(name), right, scope, option_only=option_only)
        return ""

    def _elements_and_names(self, words: Words, joint: str) -> tuple[list[tuple[str, Scope]], list[str]]:
        """Rights with their scopes, and the accounts that they are for. A grant of roles is carried out here and leaves no rights."""
        end = next(at for at in range(len(words.tokens) - 1, 0, -1) if words.tokens[at].upper() == joint)
        if "ON" not in [token.upper() for token in words.tokens[words.at:end]]:
            return [], self._roles(words, joint)
        elements: list[tuple[str, Scope]] = []
        while not words.accept(joint):
            rights = [self._right(words)]
            while words.accept(","):
                rights.append(self._right(words))
            words.expect("ON")
            scope = self._scope(words, by_name=self.accounts.privileges.by_name(rights[0]))
            elements += [(right, self._checked(right, scope)) for right in rights]
            words.accept(",")
        return elements, words.list()

    def _roles(self, words: Words, joint: str) -> list[str]:
        roles = words.list()
        words.expect(joint)
        names = words.list()
        self._need("ROLE ADMIN")
        for role in roles:
            self.accounts.get(role, is_role=True)
            for name in names:
                account = self.accounts.get(name)
                account.roles = [old for old in account.roles if old != role] + ([role] if joint == "TO" else [])
        return names

    def _right(self, words: Words) -> str:
        """The longest name of a right that comes next."""
        start, right = words.at, ""
        for end in range(start + 1, len(words.tokens) + 1):
            name = " ".join(words.tokens[start:end])
            if name in self.accounts.privileges:
                right, words.at = name, end
            if words.tokens[end - 1] in {",", "(", "ON"}:
                break
        if not right:
            raise unsupported(f"the right that begins with {words.peek()}")
        if words.peek() == "(":
            raise unsupported("rights on single columns")
        return right

    def _scope(self, words: Words, *, by_name: bool) -> Scope:
        """`db.table`, `db.*`, `*.*`; a single word is a name, or a table of the current database."""
        first, second = words.take(), words.take() if words.accept(".") else None
        if second is not None:
            return Scope("" if first == "*" else first, "" if second == "*" else second)
        inside = "" if first == "*" else first
        return Scope(inside) if by_name else Scope(self.database, inside)

    def _checked(self, right: str, scope: Scope) -> Scope:
        if not self.accounts.privileges.at(right, scope):
            level = "table" if scope.table else "database"
            raise ServerError(509, "INVALID_GRANT", f"{right} cannot be granted on the {level} level.")
        return scope

    def _show_grants(self, words: Words) -> str:
        names = words.list() if words.accept("FOR") else [self.account.name]
        lines: list[str] = []
        for name in names:
            if name != self.account.name:
                self._need("SHOW USERS")
            lines += grant_statements(self.accounts.get(name))
        return _column(f"GRANTS FOR {', '.join(names)}", lines)

    def _show_users(self, _words: Words) -> str:
        self._need("SHOW USERS")
        return _column("name", sorted(self.accounts.users))

    def _show_roles(self, _words: Words) -> str:
        self._need("SHOW ROLES")
        return _column("name", sorted(self.accounts.roles))

    def _show_create_user(self, words: Words) -> str:
        name = self.account.name if words.done() else words.take()
        if name != self.account.name:
            self._need("SHOW USERS")
        kinds = ", ".join(login.kind for login in self.accounts.get(name, is_role=False).logins)
        return _column(f"CREATE USER {name}", [f"CREATE USER {name_of(name)} IDENTIFIED WITH {kinds}"])


def _login(words: Words) -> Login:
    """A login from the words after IDENTIFIED."""
    kind = words.take() if words.accept("WITH") else "sha256_password"
    if kind == "no_password":
        return Login(kind)
    words.expect("BY")
    secret = words.take()
    if kind in {"plaintext_password", "sha256_password"}:
        return Login.by_password(kind, secret)
    if kind != "sha256_hash":
        raise unsupported(f"logins of kind {kind}")
    if not HASH.fullmatch(secret):
        raise ServerError(36, "BAD_ARGUMENTS", "A SHA-256 hash has 64 hexadecimal digits.")
    return Login("sha256_password", secret.lower(), words.take() if words.accept("SALT") else "")


def grant_statements(account: Account) -> list[str]:
    """GRANT and REVOKE statements that would make the account's rights, one for each scope and option."""
    lines = []
    for taken, verb, joint in ((False, "GRANT", "TO"), (True, "REVOKE", "FROM")):
        groups: dict[tuple[Scope, bool], list[str]] = {}
        for grant in account.grants:
            if grant.taken == taken:
                groups.setdefault((grant.scope, grant.option), []).append(grant.right)
        for (scope, option), rights in groups.items():
            before, after = (" GRANT OPTION FOR", "") if taken and option else ("", " WITH GRANT OPTION" if option else "")
            lines.append(f"{verb}{before} {', '.join(rights)} ON {scope} {joint} {name_of(account.name)}{after}")
    if account.roles:
        lines.append(f"GRANT {', '.join(map(name_of, account.roles))} TO {name_of(account.name)}")
    return lines


def _column(name: str, values: list[str]) -> str:
    return f"SELECT arrayJoin(CAST([{', '.join(map(literal, values))}] AS Array(String))) AS `{name}`"
