# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the values of a client are at home: in its Secrets alone, or in Vault, which the Secrets are then made from.

With Vault every value is written there first and to the Secrets afterwards, so that a run that is killed in between leaves Secrets that
are one step behind; the next run has them follow. What was changed by somebody else stops the run (docs/vault.md).
"""

from __future__ import annotations

import time
import typing as t

from .._core.errors import ConflictError, InputError, LmsError
from .._core.operation import Context
from .._domain.names import MADE, ROTATED, ROTATION
from .._domain.screen import stage
from .._domain.secret_store import Entry
from .._vault.connection import connect
from .._vault.key_value import KeyValue, Version
from .client_secrets import Secrets, Work, annotations_of, with_values

__all__ = ["DIFFERING", "Home", "home_of"]

STOP, BY_VAULT, BY_SECRET = "stop", "vault", "secret"
# What becomes of values that are one thing in the store and another one in the Secrets.
DIFFERING = (STOP, BY_VAULT, BY_SECRET)


class Home:
    """The values are at home in the client's Secrets: there is nothing that these would have to follow."""

    @property
    def known(self) -> bool:
        """Return whether values are kept that missing Secrets are to be made of."""
        return False

    def settle(self, _found: Secrets) -> bool:
        """Have the Secrets that exist follow the store, in place; return whether anything was written, or would be in check mode."""
        return False

    def keep(self, fresh: Secrets, _found: Secrets) -> Secrets:
        """Keep values before Secrets are made of them; return the Secrets to make, which may hold what is kept already."""
        return fresh

    def advance(self, _found: Secrets, _wanted: Secrets) -> None:
        """Keep the values of Secrets that are about to replace others."""


class VaultHome(Home):
    """The values are at home in Vault, in one secret a client."""

    def __init__(self, work: Work, context: Context) -> None:
        self._work = work
        self._context = context
        self._store: KeyValue = connect(work.params["secret_store"], context)
        self._path = f"{work.params['secret_store']['path'].strip('/')}/{work.client.id}"
        self._take(self._store.read(self._path))

    @property
    def known(self) -> bool:
        """Return whether Vault holds the client's values."""
        return self._entry is not None

    def settle(self, found: Secrets) -> bool:
        """Have the Secrets that exist follow; put the values of both into Vault, where it has never had any."""
        whole = all(name in found for name in self._work.names)
        if self._version.deleted:
            self._expect_deleted(whole)
        if self._entry is None:
            return whole and self._put(found, f"put into {self._where}")
        differing = self._entry.differing(found)
        if differing and self._work.params["differing"] == BY_SECRET and whole:
            self._expect_confirmed(f"writing the Secrets' values over those in {self._where}")
            return self._put(found, f"{self._where} follows {' and '.join(differing)}", former=found)
        if differing and self._work.params["differing"] != BY_VAULT:
            raise self._differs(differing, found)
        if differing:
            self._expect_confirmed(f"writing the values in {self._where} over those of {' and '.join(differing)}")
        return self._follow(self._entry, found, [*self._entry.behind(found), *differing])

    def keep(self, fresh: Secrets, found: Secrets) -> Secrets:
        """Write fresh values to Vault where it has none; whoever was first there, theirs are the ones that count."""
        if self._entry is None:
            try:
                self._write(Entry.of(self._work.client, self._work.namespace, {**found, **fresh}))
            except ConflictError:
                self._take(self._store.read(self._path))
                if self._entry is None:
                    raise
        return {name: secret for name, secret in self._expected().secrets().items() if name in fresh}

    def advance(self, found: Secrets, wanted: Secrets) -> None:
        """Write the values of one more step of a rotation, and which Secrets they take the place of."""
        self._write(Entry.of(self._work.client, self._work.namespace, {**found, **wanted}, former=found))

    @property
    def _where(self) -> str:
        """Return how messages name the client's secret in Vault."""
        return self._store.where(self._path)

    def _take(self, version: Version) -> None:
        """Remember what Vault has."""
        client, namespace = self._work.client, self._work.namespace
        self._version = version
        self._entry = None if version.data is None else Entry.from_data(version.data, client, namespace, self._where)

    def _expected(self) -> Entry:
        """Return what Vault holds, where it must hold something by now."""
        if self._entry is None:
            raise LmsError(f"{self._where} is empty though it was just written.", hint="Run the same again.")
        return self._entry

    def _write(self, entry: Entry) -> None:
        """Write the next version, and go on with what is read back."""
        self._work.expect_epoch()
        self._take(self._store.write(self._path, entry.to_data(), based_on=self._version.number))

    def _put(self, found: Secrets, text: str, former: Secrets | None = None) -> bool:
        """Write the values of both Secrets to Vault."""
        started = time.monotonic()
        entry = Entry.of(self._work.client, self._work.namespace, found, former)
        if not self._context.check_mode:
            self._write(entry)
        self._report(text, started)
        return True

    def _follow(self, entry: Entry, found: Secrets, names: t.Sequence[str]) -> bool:
        """Replace Secrets by what Vault holds, where nobody has written them since they were read."""
        started = time.monotonic()
        wanted = entry.secrets()
        for name in names if not self._context.check_mode else ():
            self._work.expect_epoch()
            found[name] = self._work.api.replace(_over(found[name], wanted[name]))
        if names:
            self._report(f"{' and '.join(names)} follows {self._where}, version {self._version.number}", started)
        return bool(names)

    def _report(self, text: str, started: float) -> None:
        """Show a line; it names the client, because a batch has several."""
        would = "would be: " if self._context.check_mode else ""
        self._context.report(stage("credentials", f"{self._work.client}: {would}{text}", time.monotonic() - started))

    def _expect_confirmed(self, what: str) -> None:
        """Raise InputError where the client's id was not typed with it."""
        if self._work.params["confirm"] != self._work.client.id:
            raise InputError(
                f"confirm: {what} loses what stands there. Expected the client's id, {self._work.client}.",
                hint=f"Type it: credentials_confirm={self._work.client}.",
            )

    def _expect_deleted(self, whole: bool) -> None:
        """Raise LmsError for values that were deleted in Vault, unless the operator has said what to put in their place."""
        if whole and self._work.params["differing"] == BY_SECRET:
            self._expect_confirmed(f"writing the Secrets' values after the deleted ones in {self._where}")
        elif whole or not self._work.params["recreate"]:
            number, client = self._version.number, self._work.client
            raise LmsError(
                f"{self._where} was {self._version.deleted} (version {number}), which is no proof that {client} has no credentials;"
                " nothing was touched.",
                hint=f"Bring it back (vault kv undelete -versions={number}, or vault kv rollback), and run the same again; docs/vault.md"
                " says what else can be done.",
            )

    def _differs(self, differing: t.Sequence[str], found: Secrets) -> ConflictError:
        """Return what is told of values that are one thing in Vault and another one in the cluster."""
        changed = "; ".join(self._expected().differences({name: found[name] for name in differing}))
        names = " and ".join(str(self._work.ref(name)) for name in differing)
        client = self._work.client
        return ConflictError(
            f"{names} differs from {self._where}, version {self._version.number}: {changed}; nothing was touched.",
            hint=f"Say which one holds: credentials_differing=vault or credentials_differing=secret, with credentials_confirm={client}.",
        )


def home_of(work: Work, context: Context) -> Home:
    """Return where the values of the client are at home, by the options; raises where Vault cannot be asked."""
    store = work.params.get("secret_store") or {}
    return VaultHome(work, context) if store.get("kind") == "vault" else Home()


def _over(live: t.Mapping[str, t.Any], wanted: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a Secret with the values and notes that it is to have; metadata of others stays."""
    notes = {key: text for key, text in annotations_of(live).items() if key not in (ROTATED, ROTATION)}
    own = {key: text for key, text in annotations_of(wanted).items() if key != MADE}
    return with_values(live, {**notes, **own}, wanted["data"])
