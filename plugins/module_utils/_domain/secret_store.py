# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a store of values outside the cluster (Vault, OpenBao) holds of one client, and how the client's Secrets compare with it.

The store is the home of the values, the Secrets are made from it. Each version says by fingerprints which Secrets it takes the place of
(`former`), so that a Secret that a killed run has left behind is told from one that somebody has changed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import typing as t
from dataclasses import dataclass, field, replace

from .._core.errors import InputError, LmsError
from . import credentials as domain
from .client_id import ClientId
from .credentials import CREDENTIALS_KEYS, FINGERPRINT_DIGITS, FINGERPRINT_KEY, RSA_KEY
from .names import MADE, ROTATED, ROTATION, credentials_secret_name, rsa_secret_name
from .rotation import RSA_PART, rotated_dates

__all__ = ["Entry", "Secret", "Secrets"]

Secret = t.Mapping[str, t.Any]
Secrets = t.Mapping[str, Secret]

# Keys of an entry that are no values. What has no slash in its name is a value, under its key in the Secrets.
CLIENT, NAMESPACE, FORMER = "rarus.lms/client", "rarus.lms/namespace", "rarus.lms/former"
NOTES = (MADE, ROTATED, ROTATION)
INCOMPLETE = "Restore it from a backup; what the store has been given before is kept there."


@dataclass(frozen=True)
class Entry:
    """What the store holds of one client.

    values: of both Secrets, by their keys there. notes: the annotations that go with them (when they were made and rotated, a rotation
    under way). former: by the Secret's name, the fingerprint of the one that this version takes the place of; empty for the first version.
    """

    client: ClientId
    namespace: str
    values: t.Mapping[str, bytes] = field(repr=False)
    notes: t.Mapping[str, str]
    former: t.Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, client: ClientId, namespace: str, secrets: Secrets, former: Secrets | None = None) -> Entry:
        """Return the entry that the two Secrets come from, by name; former are those that lie in the cluster until they have followed.

        Raises LmsError where a Secret lacks a value.
        """
        credentials, rsa = (secrets[name] for name in _names(client))
        domain.values_of(credentials, CREDENTIALS_KEYS, INCOMPLETE)
        domain.values_of(rsa, (RSA_KEY,), INCOMPLETE)
        values = {**domain.data_of(credentials), **domain.data_of(rsa)}
        notes = {key: text for key, text in _annotations(credentials).items() if key in NOTES}
        dates = {**rotated_dates(_annotations(credentials)), **rotated_dates(_annotations(rsa))}
        notes |= {ROTATED: json.dumps(dates, sort_keys=True)} if dates else {}
        entry = cls(client, namespace, values, notes)
        return replace(entry, former={name: entry.state_of(secret) for name, secret in (former or {}).items()})

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any], client: ClientId, namespace: str, where: str) -> Entry:
        """Return the entry that was read. Raises LmsError where values are missing or damaged, InputError where it is another's."""
        owner, home = data.get(CLIENT, client.id), data.get(NAMESPACE, namespace)
        if (owner, home) != (client.id, namespace):
            raise InputError(
                f"secret_store: {where} holds the values of {owner} in namespace {home}, not of {client} in {namespace}.",
                hint="Give each catalogue a path of its own: secret_store.path.",
            )
        texts = {key: value for key, value in data.items() if "/" not in key}
        wrong = [key for key in (*CREDENTIALS_KEYS, RSA_KEY) if not texts.get(key)]
        wrong += [key for key, value in texts.items() if value and not isinstance(value, str)]
        if wrong:
            raise _damaged(where, f"{' and '.join(wrong)} is missing, or is not a text")
        try:
            values = {key: bytes.fromhex(text) if key == FINGERPRINT_KEY else text.encode() for key, text in texts.items()}
            former = json.loads(data.get(FORMER) or "{}")
        except ValueError:
            raise _damaged(where, f"{FINGERPRINT_KEY} must be hexadecimal, and {FORMER} JSON") from None
        return cls(client, namespace, values, {key: str(data[key]) for key in NOTES if data.get(key)}, former)

    def to_data(self) -> dict[str, str]:
        """Return what is stored: texts by key. Raises InputError for a key of the operator's that is no text."""
        try:
            texts = {key: value.hex() if key == FINGERPRINT_KEY else value.decode() for key, value in self.values.items()}
        except UnicodeDecodeError:
            raise InputError(f"secret_store: a value of {self.client} is no text (UTF-8), and the store takes texts only.") from None
        place = {CLIENT: self.client.id, NAMESPACE: self.namespace}
        return {**texts, **place, **self.notes, **({FORMER: json.dumps(dict(self.former), sort_keys=True)} if self.former else {})}

    def secrets(self) -> dict[str, dict[str, t.Any]]:
        """Return the two Secrets as they are to be, by name."""
        made, dates = self.notes.get(MADE, ""), rotated_dates(self.notes)
        credentials_name, rsa_name = _names(self.client)
        values = {key: value for key, value in self.values.items() if key != RSA_KEY}
        credentials = domain.credentials_secret_of(self.client, namespace=self.namespace, made=made, values=values)
        rsa = domain.rsa_secret(self.client, namespace=self.namespace, key=self.values[RSA_KEY], made=made)
        _annotate(credentials, ROTATED, {part: date for part, date in dates.items() if part != RSA_PART})
        _annotate(rsa, ROTATED, {part: date for part, date in dates.items() if part == RSA_PART})
        if self.notes.get(ROTATION):
            credentials["metadata"]["annotations"][ROTATION] = self.notes[ROTATION]
        return {credentials_name: credentials, rsa_name: rsa}

    def state_of(self, secret: Secret) -> str:
        """Return the keyed fingerprint of a Secret's values and of what is noted of their rotation."""
        notes = {key: _annotations(secret).get(key, "") for key in (ROTATED, ROTATION)}
        text = json.dumps([secret.get("data") or {}, notes], sort_keys=True)
        return hmac.new(self.values[FINGERPRINT_KEY], text.encode(), hashlib.sha256).hexdigest()[:FINGERPRINT_DIGITS]

    def behind(self, live: Secrets) -> list[str]:
        """Return the names of those Secrets that have not followed yet: they are as before this version, or lack no more than a note."""
        wanted = self.secrets()
        found = {name: secret for name, secret in live.items() if self.state_of(secret) != self.state_of(wanted[name])}
        return [
            name
            for name, secret in found.items()
            if self.state_of(secret) == self.former.get(name) or secret.get("data") == wanted[name]["data"]
        ]

    def differing(self, live: Secrets) -> list[str]:
        """Return the names of those Secrets whose values are neither the store's nor the ones before them."""
        wanted, behind = self.secrets(), self.behind(live)
        return [name for name, secret in live.items() if name not in behind and self.state_of(secret) != self.state_of(wanted[name])]

    def differences(self, live: Secrets) -> list[str]:
        """Return which values differ, by keyed fingerprints: "seed (store 0c3f5e1a9b2d4c60, Secret 77aa01be5f1c0a12)"."""
        wanted = self.secrets()
        ours, theirs = self._fingerprints(wanted), self._fingerprints({**wanted, **live})
        found = [f"{name} (store {ours[name]}, Secret {theirs[name]})" for name in ours if ours[name] != theirs[name]]
        return found or ["keys that the collection does not know"]

    def _fingerprints(self, secrets: Secrets) -> dict[str, str]:
        """Return the fingerprints of the parts of two Secrets, all under the store's own key."""
        credentials, rsa = (domain.data_of(secrets[name]) for name in _names(self.client))
        values = {**dict.fromkeys(CREDENTIALS_KEYS, b""), **credentials, FINGERPRINT_KEY: self.values[FINGERPRINT_KEY]}
        return {**domain.fingerprints(values, rsa.get(RSA_KEY, b""), {}), **domain.login_fingerprints(values)}


def _names(client: ClientId) -> tuple[str, str]:
    return credentials_secret_name(client), rsa_secret_name(client)


def _annotations(secret: Secret) -> dict[str, str]:
    return dict(secret["metadata"].get("annotations") or {})


def _annotate(secret: dict[str, t.Any], key: str, dates: t.Mapping[str, str]) -> None:
    """Note dates on a Secret, where there are any."""
    if dates:
        secret["metadata"]["annotations"][key] = json.dumps(dates, sort_keys=True)


def _damaged(where: str, why: str) -> LmsError:
    """Return what is told of an entry that no Secret can be made from."""
    return LmsError(
        f"{where} is damaged: {why}.",
        hint="Bring an earlier version back (vault kv rollback), or write what is missing, and run the same again.",
    )
