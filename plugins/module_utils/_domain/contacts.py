# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contacts of a client: persons with telephone numbers and mailboxes. They are personal data: no message repeats a value of theirs.

A contact is {name: text, role: text, phones: [E.164], mailboxes: [address]}; the Secret lms-contacts-c42 holds the list as JSON.
"""

from __future__ import annotations

import base64
import json
import typing as t

from .._core.deps import EMAIL_VALIDATOR, PHONENUMBERS
from .._core.errors import InputError, LmsError
from .client_id import ClientId
from .names import RECORD_LABEL, RECORD_OF_CONTACTS, contacts_secret_name, is_ours, labels
from .organisation import comparable, organisation_name

__all__ = ["Contact", "contacts_object", "contacts_of", "has_contact", "read_contacts"]

Contact = dict[str, t.Any]

KEY = "contacts"
TEXTS, LISTS = ("name", "role"), ("phones", "mailboxes")
EXPECTED = "Expected a list such as [{name: ..., role: ..., phones: [...], mailboxes: [...]}]."


def read_contacts(given: t.Any, region: str = "", field: str = "contacts") -> list[Contact]:
    """Return the contacts in one form: numbers in E.164, mailboxes normalised. Raises InputError with every problem, one sentence each.

    given: a list, or its JSON. region: country (such as DE) whose national form a number without + has; empty: none may be without.
    """
    if isinstance(given, str):
        try:
            given = json.loads(given) if given.strip() else []
        except ValueError:
            raise InputError(f"{field}: is not JSON. {EXPECTED}") from None
    if not isinstance(given, list):
        raise InputError(f"{field}: is no list. {EXPECTED}")
    if region and region not in PHONENUMBERS.require().SUPPORTED_REGIONS:
        raise InputError(f"phone_region: {region!r:.20} is not a country that numbers are known of. Expected two letters such as DE.")
    problems: list[str] = []
    contacts = [_read_one(one, region, f"{field}[{place}]", problems) for place, one in enumerate(given)]
    if problems:
        raise InputError("\n  ".join(problems), data={"problems": problems})
    return contacts


def contacts_object(client: ClientId, namespace: str, contacts: t.Sequence[Contact], found: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the Secret with these contacts; found: the Secret as it was read, {} where there is none."""
    metadata = {**(found.get("metadata") or {}), "name": contacts_secret_name(client), "namespace": namespace}
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels(client), RECORD_LABEL: RECORD_OF_CONTACTS}
    metadata.pop("managedFields", None)
    text = json.dumps(list(contacts), ensure_ascii=False, sort_keys=True)
    data = {**(found.get("data") or {}), KEY: base64.b64encode(text.encode()).decode("ascii")}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": found.get("type", "Opaque"), "data": data}


def contacts_of(secret: t.Mapping[str, t.Any], client: ClientId) -> list[Contact]:
    """Return the contacts that a Secret holds; raises LmsError where it is not ours or damaged."""
    where = f"Secret {secret['metadata'].get('namespace', '')}/{secret['metadata']['name']}"
    if not is_ours(secret, client):
        raise LmsError(f"{where} exists and does not hold this collection's contacts of {client}: its labels do not say so.")
    try:
        found = json.loads(base64.b64decode((secret.get("data") or {}).get(KEY, ""), validate=True))
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise LmsError(f"{where} is damaged: {KEY} must be a JSON list.", hint="Give the contacts anew with edit_client.yml.")
    return found


def has_contact(contacts: t.Iterable[Contact], text: str) -> bool:
    """Return whether a name, a number or a mailbox among the contacts contains the text, upper and lower case alike."""
    wanted = comparable(text)
    return any(wanted in comparable(str(part)) for one in contacts for part in (one.get("name", ""), *_lists(one)))


def _lists(contact: Contact) -> list[t.Any]:
    return [part for key in LISTS for part in contact.get(key) or []]


def _read_one(given: t.Any, region: str, field: str, problems: list[str]) -> Contact:
    """Return one contact; what is wrong with it goes into problems, a sentence each."""
    if not isinstance(given, dict):
        problems.append(f"{field}: is no contact. {EXPECTED}")
        return {}
    problems += [f"{field}: has a key that there is none of. {EXPECTED}" for key in given if key not in (*TEXTS, *LISTS)]
    contact: Contact = {key: _text(given.get(key), f"{field}.{key}", problems) for key in TEXTS}
    contact["phones"] = _each(given.get("phones"), f"{field}.phones", problems, lambda text: _phone(text, region))
    contact["mailboxes"] = _each(given.get("mailboxes"), f"{field}.mailboxes", problems, _mailbox)
    if not contact["name"] and not _lists(contact) and not problems:
        problems.append(f"{field}: says nobody. Expected a name, a number or a mailbox.")
    return contact


def _text(given: t.Any, field: str, problems: list[str]) -> str:
    """Return a name or a role."""
    if given is None:
        return ""
    if not isinstance(given, str):
        problems.append(f"{field}: is no text. Put it in quotes.")
        return ""
    try:
        return organisation_name(given, field)
    except InputError as error:
        problems.append(error.message)
        return ""


def _each(given: t.Any, field: str, problems: list[str], read: t.Callable[[str], tuple[str, str]]) -> list[str]:
    """Return what `read` makes of each text of a list; what it says is wrong goes into problems."""
    if given is None:
        return []
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list):
        problems.append(f"{field}: is no list.")
        return []
    result: list[str] = []
    for place, text in enumerate(texts):
        value, problem = read(str(text).strip())
        if problem:
            problems.append(f"{field}[{place}]: {problem}")
        elif value not in result:
            result.append(value)
    return result


def _phone(text: str, region: str) -> tuple[str, str]:
    """Return a telephone number as E.164, or what is wrong with it."""
    numbers = PHONENUMBERS.require()
    try:
        number = numbers.parse(text, region or None)
    except numbers.NumberParseException:
        national = "" if region or text.startswith("+") else " Without + it needs phone_region, the country that it is in."
        return "", f"is not a telephone number. Expected + with country and number, such as +49 30 901820.{national}"
    if number.extension:
        return "", "has an extension, which E.164 cannot hold. Leave it out, or note it in the contact's role."
    if not numbers.is_valid_number(number):
        return "", "is not a number that its country gives. Expected + with country and number, such as +49 30 901820."
    return str(numbers.format_number(number, numbers.PhoneNumberFormat.E164)), ""


def _mailbox(text: str) -> tuple[str, str]:
    """Return the address of a mailbox in its normal form, or what is wrong with it; nobody is asked whether it exists."""
    validator = EMAIL_VALIDATOR.require()
    try:
        return str(validator.validate_email(text, check_deliverability=False).normalized), ""
    except validator.EmailNotValidError:
        return "", "is not the address of a mailbox. Expected one such as anna@company.example."
