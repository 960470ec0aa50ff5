# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of values that settings have: each brings what an inventory, a survey or a shell gives into one type, or refuses it."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .._core.errors import InputError
from .client_id import ClientId

__all__ = ["KINDS", "Fields", "Kind", "ListOf", "MapOf", "RefusedError", "choice", "integer", "plain", "shown", "text"]

SHOWN_CHARACTERS = 60

Parse = t.Callable[[t.Any], t.Any]


class RefusedError(ValueError):
    """A value that its kind does not take."""

    def __init__(self, *sentences: str) -> None:
        """Keep one sentence for each problem, naming the field."""
        super().__init__(*sentences)
        self.sentences = list(sentences)


def plain(value: t.Any) -> t.Any:
    """Return the value in Python's own types: Ansible's tagged and lazy ones carry their class into every copy."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, t.Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return "".join(str(value))


def shown(value: t.Any) -> str:
    """Return the value as a message shows it: text in double quotes on one line, cut where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return f"{value!r:.{SHOWN_CHARACTERS}}"
    cut = value if len(value) <= SHOWN_CHARACTERS else value[:SHOWN_CHARACTERS] + "..."
    return '"' + cut.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'


@dataclass(frozen=True)
class Kind:
    """One kind of value.

    noun and expected: the two halves of a refusal, `<field>: <value> is not <noun>. Expected <expected>.`
    parse: takes a plain value and returns it in its type, or raises ValueError.
    type: Ansible's word for it, for the documentation.
    secret: the value is never shown.
    """

    noun: str
    expected: str
    parse: Parse = field(repr=False)
    type: str = "str"
    secret: bool = False

    def read(self, name: str, value: t.Any) -> t.Any:
        """Return the value in its type. Raises RefusedError."""
        try:
            return self.parse(value)
        except ValueError:
            what = "the value" if self.secret else shown(value)
            raise RefusedError(f"{name}: {what} is not {self.noun}. Expected {self.expected}.") from None


@dataclass(frozen=True)
class Fields(Kind):
    """A dictionary with known keys: name to (kind, default); a default of None says that the key is required.

    may_be_empty: {} stands for "none" and is left as it is.
    """

    fields: t.Mapping[str, tuple[Kind, t.Any]] = field(default_factory=dict)
    may_be_empty: bool = False
    type: str = "dict"

    def read(self, name: str, value: t.Any) -> dict[str, t.Any]:
        """Return the dictionary with defaults filled in. Raises RefusedError with one sentence for each wrong key."""
        if not isinstance(value, dict):
            return t.cast("dict[str, t.Any]", super().read(name, value))
        if self.may_be_empty and not value:
            return {}
        problems = [f"{name}.{key}: there is no such key. Expected {self.expected}." for key in value if key not in self.fields]
        result: dict[str, t.Any] = {}
        for key, (part, default) in self.fields.items():
            given = value.get(key)
            if given in (None, "") and default is not None:
                result[key] = default
            elif given in (None, ""):
                problems.append(f"{name}.{key}: is missing. Expected {self.expected}.")
            else:
                _collect(problems, result, key, part=part, name=f"{name}.{key}", value=given)
        if problems:
            raise RefusedError(*problems)
        return result


@dataclass(frozen=True)
class MapOf(Kind):
    """A dictionary with free keys; key and value are kinds."""

    key: Kind | None = None
    value: Kind | None = None
    type: str = "dict"

    def read(self, name: str, value: t.Any) -> dict[str, t.Any]:
        """Return the dictionary, sorted by key. Raises RefusedError with one sentence for each wrong key or value."""
        if not isinstance(value, dict):
            return t.cast("dict[str, t.Any]", super().read(name, value))
        problems: list[str] = []
        result: dict[str, t.Any] = {}
        for key in sorted(value):
            try:
                read = self.key.read(f"{name}, key", key) if self.key else key
            except RefusedError as refused:
                problems += refused.sentences
                continue
            if self.value is None:
                result[read] = value[key]
            else:
                _collect(problems, result, read, part=self.value, name=f"{name}.{key}", value=value[key])
        if problems:
            raise RefusedError(*problems)
        return result


@dataclass(frozen=True)
class ListOf(Kind):
    """A list of one kind; a text is split at commas and blanks, as surveys and `-e` give lists."""

    element: Kind | None = None
    type: str = "list"

    def read(self, name: str, value: t.Any) -> list[t.Any]:
        """Return the list. Raises RefusedError with one sentence for each wrong element."""
        given = value.replace(",", " ").split() if isinstance(value, str) else value
        if not isinstance(given, list):
            return t.cast("list[t.Any]", super().read(name, value))
        problems: list[str] = []
        result: dict[int, t.Any] = {}
        for number, part in enumerate(given):
            if self.element is None:
                result[number] = part
            else:
                _collect(problems, result, number, part=self.element, name=f"{name}[{number}]", value=part)
        if problems:
            raise RefusedError(*problems)
        return list(result.values())


def _collect(problems: list[str], result: dict[t.Any, t.Any], key: t.Any, *, part: Kind, name: str, value: t.Any) -> None:
    """Read one part of a composite value into result, or its refusals into problems."""
    try:
        result[key] = part.read(name, value)
    except RefusedError as refused:
        problems += refused.sentences


def _refuse(_value: t.Any) -> t.NoReturn:
    """Refuse a value; the kind makes the sentence."""
    raise ValueError


def _text(value: t.Any) -> str:
    """Return a text, or a number written as one."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        _refuse(value)
    return str(value)


def text(noun: str, expected: str, pattern: str, *, most: int = 253, **more: t.Any) -> Kind:
    """Return the kind of texts that match the pattern as a whole and have at most that many characters."""
    form = re.compile(pattern)

    def parse(value: t.Any) -> str:
        given = _text(value)
        return given if len(given) <= most and form.fullmatch(given) else _refuse(value)

    return Kind(noun, expected, parse, **more)


def integer(least: int, most: int, unit: str) -> Kind:
    """Return the kind of whole numbers in a range; a text of digits is one. unit names what is counted, for the message."""

    def parse(value: t.Any) -> int:
        given = _text(value).strip()
        if not re.fullmatch(r"-?[0-9]{1,18}", given, re.ASCII):
            _refuse(value)
        return int(given) if least <= int(given) <= most else _refuse(value)

    return Kind(f"a whole number from {least} to {most}", f"{unit}, from {least} to {most}", parse, type="int")


def choice(*choices: str) -> Kind:
    """Return the kind of one of several words."""

    def parse(value: t.Any) -> str:
        return str(value) if value in choices else _refuse(value)

    return Kind("one of its choices", " or ".join([", ".join(choices[:-1]), choices[-1]]), parse)


def _boolean(value: t.Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    word = str(value).strip().lower()
    return words[word] if word in words else _refuse(value)


def _api_root(value: t.Any) -> str:
    """Return the URL without its last slash, so that both forms are one."""
    given = _text(value)
    parts = urlsplit(given)
    if parts.scheme != "https" or parts.query or parts.fragment or "@" in parts.netloc or re.search(r"[\s\\]|/\.{1,2}(/|$)|//.*//", given):
        _refuse(value)
    _host(parts.hostname or "")
    if parts.port == 0:
        _refuse(value)
    return given.rstrip("/")


_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"


def _host(value: t.Any) -> str:
    """Return a DNS name or an IP address; digits and dots alone are an address or nothing."""
    given = _text(value)
    if re.fullmatch(r"[0-9.]+", given) or ":" in given:
        return str(ipaddress.ip_address(given))
    return given if len(given) <= 253 and re.fullmatch(_SUBDOMAIN, given.lower()) else _refuse(value)


def _public_name(value: t.Any) -> str:
    given = _text(value)
    numeric = re.fullmatch(r"[0-9.]+", given)
    return given if len(given) <= 253 and re.fullmatch(_SUBDOMAIN, given) and "." in given and not numeric else _refuse(value)


_IMAGE = re.compile(
    r"(?:[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


def _image(value: t.Any) -> str:
    given = _text(value)
    return given if len(given) <= 500 and _IMAGE.fullmatch(given) else _refuse(value)


def _client_id(value: t.Any) -> str:
    try:
        return ClientId.parse(value).id
    except InputError:
        _refuse(value)


def _count_or_share(value: t.Any) -> int | str:
    given = _text(value).strip()
    if re.fullmatch(r"[0-9]{1,6}", given, re.ASCII):
        return int(given)
    return given if re.fullmatch(r"(100|[0-9]{1,2})%", given, re.ASCII) else _refuse(value)


def _rsa_bits(value: t.Any) -> int:
    bits = _COUNT.parse(value)
    return int(bits) if bits in (2048, 3072, 4096) else _refuse(value)


def _mode(value: t.Any) -> str:
    """Return an octal mode that the owner may read; a number is refused, since YAML reads 0440 as 288."""
    if not isinstance(value, str) or not re.fullmatch(r"0[0-7]{3}", value):
        _refuse(value)
    return value if int(value, 8) & 0o400 and not int(value, 8) & 0o007 else _refuse(value)


def _variable_value(value: t.Any) -> str:
    """Return the text of an environment variable; true and false are written as such."""
    return str(value).lower() if isinstance(value, bool) else _text(value)


def _probe(value: t.Any) -> dict[str, t.Any]:
    """Return a probe as Kubernetes takes it, or an empty one for none."""
    actions = {"tcpSocket", "httpGet", "exec", "grpc"}
    if not isinstance(value, dict) or (value and len(actions & set(value)) != 1):
        _refuse(value)
    times = {key: part for key, part in value.items() if key not in actions}
    known = {
        "initialDelaySeconds",
        "periodSeconds",
        "timeoutSeconds",
        "failureThreshold",
        "successThreshold",
        "terminationGracePeriodSeconds",
    }
    if set(times) - known or not all(isinstance(value[key], dict) for key in actions & set(value)):
        _refuse(value)
    return {**value, **{key: _COUNT.parse(part) for key, part in times.items()}}


_QUANTITY = text("a quantity", "a Kubernetes quantity such as 250m, 1 or 512Mi", r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?", most=20)
_NAME = text("a name of a Kubernetes object", "lower-case letters, digits, - and ., such as repository-token", _SUBDOMAIN)
_KEY = text("a key", "letters, digits, -, _ and ., such as password", r"[-._a-zA-Z0-9]+")
_LABEL_KEY = text(
    "a label's key", "a Kubernetes label key such as rarus", rf"({_SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"
)
_LABEL_VALUE = text("a label's value", "a Kubernetes label value such as lms", r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", most=63)
_COUNT = integer(0, 1_000_000_000, "a number")
_VARIABLE = text("the name of an environment variable", "letters, digits and _, such as LMS_FEATURE", r"[A-Za-z_][A-Za-z0-9_]*")
_RESOURCE_LIST = MapOf(
    "a dictionary", "resource names with quantities, such as {cpu: 100m, memory: 128Mi}", _refuse, key=None, value=_QUANTITY
)


def _reference(expected: str, *keys: str, may_be_empty: bool = False) -> Fields:
    """Return the kind of references to an existing Secret or ConfigMap; a text in its place may be the secret itself and is not shown."""
    fields = {"name": (_NAME, None), **dict.fromkeys(keys, (_KEY, None))}
    return Fields("a reference", f"{expected}; never the value itself", _refuse, secret=True, fields=fields, may_be_empty=may_be_empty)


_STORE_PATH = text("a path in Vault", "letters, digits, - and _, with / between, such as lms/lms-dev", r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_PATH = r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._-]+)"

# By name, so that the table of settings reads as a table.
KINDS: dict[str, Kind] = {
    "api root": Kind(
        "the root URL of a cluster's API",
        "https://<host>[:<port>][/<path>], without login, query or blanks, such as https://rancher.example/k8s/clusters/c-abcde",
        _api_root,
    ),
    "boolean": Kind("true or false", "true or false", _boolean, type="bool"),
    "namespace": text("the name of a namespace", "up to 63 lower-case letters, digits and -, such as lms-dev", _LABEL, most=63),
    "catalogue": text("the name of a catalogue", "letters, digits, -, _ and ., such as lms-dev", r"[A-Za-z0-9][-A-Za-z0-9_.]*", most=63),
    "host": Kind("a host", "a DNS name or an IP address, without scheme, port or path, such as postgres.example", _host),
    "public name": Kind(
        "a public DNS name", "lower-case labels with dots between, without scheme or path, such as backend.lms-dev.example", _public_name
    ),
    "port": integer(1, 65535, "a TCP port"),
    "seconds": integer(1, 86_400, "seconds"),
    "seconds or none": integer(0, 3_600, "seconds"),
    "user or group": integer(0, 2_147_483_647, "the id of a user or group"),
    "lifetime": integer(1, 86_400, "seconds"),
    "hours": integer(1, 8_760, "hours"),
    "retries": integer(0, 20, "retries"),
    "replicas": integer(1, 100, "pods"),
    "lease seconds": integer(2, 60, "seconds"),
    "rsa bits": Kind("a length of RSA keys", "bits: 2048, 3072 or 4096", _rsa_bits, type="int"),
    "sslmode": choice("disable", "prefer", "require", "verify-ca", "verify-full"),
    "publish": choice("ingress", "httproute", "none"),
    "public probe": choice("controller", "job", "none"),
    "image check": choice("controller", "none"),
    "http status": integer(100, 599, "an HTTP status"),
    "cluster": text(
        "the name of a ClickHouse cluster", "letters, digits, -, _ and ., or nothing", r"([A-Za-z0-9_][-A-Za-z0-9_.]*)?", most=63
    ),
    "image": Kind(
        "the name of an image",
        "[<registry>/]<path>[:<tag>][@sha256:<digest>] without blanks, such as registry.example/lms/backend:dev",
        _image,
    ),
    "name": _NAME,
    "prefix": text(
        "a prefix of database names",
        "a lower-case letter, then lower-case letters, digits and _, up to 40, such as prod_",
        r"([a-z][a-z0-9_]*)?",
        most=40,
    ),
    "identifier": text("a name in SQL", "letters, digits, - and _, such as postgres", r"[A-Za-z_][-A-Za-z0-9_]*", most=63),
    "line": text("one line of text", "one line of up to 200 characters", r"[^\r\n\t\0]*\S[^\r\n\t\0]*", most=200),
    "path": text(
        "an absolute path",
        "a path from the root without . and .., such as /etc/lms/rsa_key",
        _PATH + "+",
        most=1000,
    ),
    "key path": text(
        "the path of a file in a folder", "a path of two steps or more from the root, such as /etc/lms/rsa_key", _PATH + "{2,}", most=1000
    ),
    "folder": text("a folder", "a path, from the catalogue's folder or absolute, such as group_vars/templates", r"[^\0\r\n]+", most=1000),
    "file": text("a file", "a path on the machine that runs the playbook, such as /etc/ssl/rancher-ca.pem", r"[^\0\r\n]+", most=1000),
    "mode": Kind("a file mode", 'four octal digits in quotes, readable by the owner and not by others, such as "0440"', _mode),
    "count": _COUNT,
    "count or share": Kind(
        "a number or a percentage", "a number of pods such as 1, or a percentage such as 25%", _count_or_share, type="raw"
    ),
    "token": text(
        "a bearer token",
        "printable characters without blanks, as Rancher or the cluster gave it",
        r"[\x21-\x7e]+",
        most=20_000,
        secret=True,
    ),
    "database admin": _reference("{name: <Secret>, user_key: <key>, password_key: <key>}", "user_key", "password_key"),
    "secret key": _reference("{name: <Secret>, key: <key>}", "key"),
    "config key": _reference("{name: <ConfigMap>, key: <key>}", "key"),
    "secret": _reference("{name: <Secret>}"),
    "secret or none": _reference("{name: <Secret>}, or {} for none", may_be_empty=True),
    "client ids": ListOf(
        "a list of client ids",
        "ids such as [C7, C42]",
        _refuse,
        element=Kind("a client id", "C and a number without leading zeros, such as C42", _client_id),
    ),
    "age recipients": ListOf(
        "a list of age public keys",
        "public keys such as [age1...], as age-keygen prints them",
        _refuse,
        element=text("an age public key", "age1 and 58 letters and digits, as age-keygen prints it", r"age1[02-9ac-hj-np-z]{58}"),
    ),
    "secret store": Fields(
        "a store of values",
        "{kind: kubernetes}, or {kind: vault, url: https://<host>[:<port>], mount: <mount>, path: <path>, auth_method: token|approle|jwt}",
        _refuse,
        fields={
            "kind": (choice("kubernetes", "vault"), "kubernetes"),
            "url": (Kind("an address", "https://<host>[:<port>], such as https://vault.example:8200", _api_root), ""),
            "mount": (_STORE_PATH, "secret"),
            "path": (_STORE_PATH, "lms"),
            "namespace": (_STORE_PATH, ""),
            "ca_file": (text("a file", "a path on the controller", r"[^\0\r\n]+", most=1000), ""),
            "auth_method": (choice("token", "approle", "jwt"), "token"),
            "auth_mount": (_STORE_PATH, ""),
            "role_id": (text("a role", "the id or name of a role, such as lms", r"[A-Za-z0-9_.-]+"), ""),
        },
    ),
    "gateway": Fields(
        "a Gateway",
        "{namespace: <namespace>, name: <Gateway>, section: <listener, optional>}",
        _refuse,
        may_be_empty=True,
        fields={"namespace": (_NAME, None), "name": (_NAME, None), "section": (_NAME, "")},
    ),
    "affinity": Fields(
        "a node label with its values",
        "{key: <label>, values: [<value>, ...]}, or {} for any node",
        _refuse,
        may_be_empty=True,
        fields={"key": (_LABEL_KEY, None), "values": (ListOf("a list", "a list of label values", _refuse, element=_LABEL_VALUE), None)},
    ),
    "resources": Fields(
        "requests and limits",
        "{requests: {cpu: 100m, memory: 128Mi}, limits: {...}}",
        _refuse,
        fields={"requests": (_RESOURCE_LIST, {}), "limits": (_RESOURCE_LIST, {})},
    ),
    "probe": Kind(
        "a probe", "a Kubernetes probe with one of tcpSocket, httpGet, exec, grpc and its times, or {} for none", _probe, type="dict"
    ),
    "static volume": Fields(
        "a volume",
        "{kind: claim|nfs|none, claim: <name>, size: <quantity>, storage_class: <name>}",
        _refuse,
        fields={
            "kind": (choice("claim", "nfs", "none"), "claim"),
            "claim": (_NAME, "lms-static"),
            "size": (_QUANTITY, "10Gi"),
            "storage_class": (_NAME, ""),
        },
    ),
    "variables": MapOf(
        "a dictionary",
        "names of environment variables with their values, such as {LMS_SERVER_DEBUG: false}",
        _refuse,
        key=_VARIABLE,
        value=Kind("the value of an environment variable", "a text, a number, true or false", _variable_value),
    ),
    "secret variables": MapOf(
        "a dictionary",
        "names of environment variables with {name: <Secret>, key: <key>} each",
        _refuse,
        key=_VARIABLE,
        value=_reference("{name: <Secret>, key: <key>}", "key"),
    ),
    "settings of clients": MapOf(
        "a dictionary",
        "client ids with settings each, such as {C42: {docker_image: ...}}",
        _refuse,
        key=Kind("a client id", "C and a number without leading zeros, such as C42", _client_id),
        value=MapOf("a dictionary", "settings by their names without lms_, such as {replicas: 2}", _refuse),
    ),
}
