# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's keys and logins: how they are made, checked, and told apart by fingerprints; values never leave here but in the Secrets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import string
import typing as t

from .._core.deps import CRYPTOGRAPHY
from .._core.errors import InputError, LmsError
from .client_id import ClientId
from .names import MADE, credentials_secret_name, labels, rsa_secret_name

__all__ = [
    "CREDENTIALS_KEYS",
    "FINGERPRINT_DIGITS",
    "FINGERPRINT_KEY",
    "IN_USE",
    "LOGIN_FIELDS",
    "NEXT",
    "PASSWORD",
    "PREVIOUS",
    "RSA_KEY",
    "SEED",
    "combined",
    "config_data_of",
    "credentials_secret",
    "credentials_secret_of",
    "data_of",
    "databases_text",
    "encoded",
    "fingerprints",
    "fresh_login",
    "fresh_seed",
    "generate_rsa_key",
    "login_fingerprints",
    "login_of",
    "rsa_secret",
    "scram_verifier",
    "validate_rsa_key",
    "values_of",
]

RSA_KEY = "rsa_key"
RSA_LEAST_BITS = 2048
RSA_EXPONENT = 65537

SEED_BYTES = 64
# 40 letters and digits: 238 bits. No other characters: the passwords stand in URLs, SQL, shells and option files.
PASSWORD_ALPHABET = string.ascii_letters + string.digits
PASSWORD_LENGTH = 40
SALT_BYTES = 16
SCRAM_ITERATIONS = 4096
FINGERPRINT_KEY_BYTES = 32
FINGERPRINT_DIGITS = 16

SEED = "keys-secret-seed"
PASSWORD = "password"
# What a login is, by database: its user, its password, and what the database stores of that.
LOGIN_FIELDS = {"postgres": ("user", PASSWORD, "verifier"), "clickhouse": ("user", PASSWORD, "password-sha256", "salt")}
# The logins of one database that a Secret may hold, by what comes between the database and the field in their keys. The databases let in
# all that are there; the one before has no password any more.
IN_USE, NEXT, PREVIOUS = "", "next-", "previous-"
POSTGRES, CLICKHOUSE = (tuple(f"{database}-{field}" for field in fields) for database, fields in LOGIN_FIELDS.items())
FINGERPRINT_KEY = "fingerprint-key"
CREDENTIALS_KEYS = (SEED, *POSTGRES, *CLICKHOUSE, FINGERPRINT_KEY)

# Which keys make up what fingerprints are named after.
PARTS = {"seed": (SEED,), "postgres": POSTGRES, "clickhouse": CLICKHOUSE}


def credentials_secret(client: ClientId, *, namespace: str, user: str, made: str) -> dict[str, t.Any]:
    """Return the Secret with fresh seed, logins, passwords, what databases store of them, and the key of the fingerprints.

    user: name of the client's role in both databases; made: date for the annotation (ISO 8601, UTC).
    """
    logins = {key: value for database in LOGIN_FIELDS for key, value in fresh_login(database, IN_USE, user).items()}
    values = {SEED: fresh_seed(), **logins, FINGERPRINT_KEY: secrets.token_bytes(FINGERPRINT_KEY_BYTES)}
    return credentials_secret_of(client, namespace=namespace, made=made, values=values)


def credentials_secret_of(client: ClientId, *, namespace: str, made: str, values: t.Mapping[str, bytes]) -> dict[str, t.Any]:
    """Return that Secret with given values, by their keys."""
    return _secret(client, credentials_secret_name(client), namespace, made, values)


def fresh_seed() -> bytes:
    """Return a fresh seed: 64 random bytes in hexadecimal."""
    return secrets.token_hex(SEED_BYTES).encode()


def fresh_login(database: str, slot: str, user: str) -> dict[str, bytes]:
    """Return a login with a fresh password, and what the database stores of it, by the keys of a Secret.

    database: postgres or clickhouse; slot: IN_USE or NEXT.
    """
    return login_of(database, slot, user, _password())


def login_of(database: str, slot: str, user: str, password: str) -> dict[str, bytes]:
    """Return a login with a given password (ASCII), as fresh_login does."""
    salt = secrets.token_hex(SALT_BYTES)
    if database == "postgres":
        stored = [scram_verifier(password, bytes.fromhex(salt))]
    else:
        stored = [hashlib.sha256((password + salt).encode()).hexdigest(), salt]
    fields = zip(LOGIN_FIELDS[database], [user, password, *stored], strict=True)
    return {f"{database}-{slot}{field}": value.encode() for field, value in fields}


def rsa_secret(client: ClientId, *, namespace: str, key: bytes, made: str) -> dict[str, t.Any]:
    """Return the Secret with the private key (PEM)."""
    return _secret(client, rsa_secret_name(client), namespace, made, {RSA_KEY: key})


def generate_rsa_key(bits: int) -> bytes:
    """Return a fresh private key as PEM, in the form that names itself RSA PRIVATE KEY (PKCS#1).

    The back end is written in Go: its x509 has a function for each form and does not tell them apart, and of the two it is
    ParsePKCS1PrivateKey that programs call for an RSA key; the JWT libraries (golang-jwt, go-jose, PyJWT, jsonwebtoken) read both forms.
    Who needs PKCS#8 (Java) brings a key.
    """
    key = CRYPTOGRAPHY.part("hazmat.primitives.asymmetric.rsa").generate_private_key(public_exponent=RSA_EXPONENT, key_size=bits)
    form = CRYPTOGRAPHY.part("hazmat.primitives.serialization")
    pem: bytes = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption())
    return pem


def validate_rsa_key(pem: bytes, where: str) -> None:
    """Raise InputError unless the text is a private RSA key of 2048 bits or more, PEM, not encrypted; where is "option: what" of it."""
    expected = f"Expected a private RSA key of {RSA_LEAST_BITS} bits or more, PEM, not encrypted."
    if not re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----", pem):
        found = "holds a public key or a certificate" if b"-----BEGIN " in pem else "is not PEM"
        raise InputError(f"{where} {found}. {expected}")
    if b"ENCRYPTED" in pem:
        raise InputError(f"{where} is encrypted. {expected}", hint="Remove its passphrase: openssl rsa -in key.pem -out plain.pem.")
    if b"OPENSSH" in pem:
        raise InputError(f"{where} is in OpenSSH's own form. {expected}", hint="Convert it: ssh-keygen -p -m PEM -f key.")
    try:
        key = CRYPTOGRAPHY.part("hazmat.primitives.serialization").load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, CRYPTOGRAPHY.part("exceptions").UnsupportedAlgorithm):
        raise InputError(f"{where} is damaged: it has the frame of a key, but none inside. {expected}") from None
    if not isinstance(key, CRYPTOGRAPHY.part("hazmat.primitives.asymmetric.rsa").RSAPrivateKey):
        raise InputError(f"{where} is a key of another kind ({type(key).__name__}). {expected}")
    if key.key_size < RSA_LEAST_BITS:
        raise InputError(f"{where} has {key.key_size} bits. {expected}")


def scram_verifier(password: str, salt: bytes, iterations: int = SCRAM_ITERATIONS) -> str:
    """Return what PostgreSQL stores of a password (RFC 5803), so that no statement carries the password: ASCII passwords only."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored, server = hashlib.sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:{_base64(salt)}${_base64(stored)}:{_base64(server)}"


def values_of(secret: t.Mapping[str, t.Any], keys: t.Sequence[str], fix: str) -> dict[str, bytes]:
    """Return the values that a Secret holds under these keys; raises LmsError with the fix for a key that is missing or empty."""
    data = secret.get("data") or {}
    missing = [key for key in keys if not data.get(key)]
    if missing:
        metadata = secret["metadata"]
        raise LmsError(
            f"Secret {metadata.get('namespace', '')}/{metadata['name']} lacks {' and '.join(missing)}, or it is empty.", hint=fix
        )
    return {key: base64.b64decode(data[key]) for key in keys}


def data_of(secret: t.Mapping[str, t.Any]) -> dict[str, bytes]:
    """Return all values that a Secret holds."""
    return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}


def config_data_of(config_map: t.Mapping[str, t.Any]) -> dict[str, bytes]:
    """Return all values that a ConfigMap holds."""
    return {key: text.encode() for key, text in (config_map.get("data") or {}).items()} | {
        key: base64.b64decode(value) for key, value in (config_map.get("binaryData") or {}).items()
    }


def encoded(values: t.Mapping[str, bytes]) -> dict[str, str]:
    """Return values as the data of a Secret."""
    return {key: _base64(value) for key, value in values.items()}


def fingerprints(credentials: t.Mapping[str, bytes], rsa_key: bytes, watched: t.Mapping[str, bytes]) -> dict[str, str]:
    """Return a keyed fingerprint (HMAC-SHA256, 16 hexadecimal digits) of seed, rsa, postgres, clickhouse and each watched value.

    Equal values have different fingerprints under different names and for different clients: the key lies in the client's own Secret.
    """
    key = credentials[FINGERPRINT_KEY]
    texts = {name: b"\0".join(credentials[part] for part in parts) for name, parts in PARTS.items()}
    texts |= {"rsa": rsa_key, **watched}
    return {name: _fingerprint(key, name, text) for name, text in texts.items()}


def login_fingerprints(values: t.Mapping[str, bytes]) -> dict[str, str]:
    """Return a keyed fingerprint of the logins that each database must let in, as postgres_logins and clickhouse_logins.

    Which of them is in use makes no difference: it changes when one is added, replaced or taken away. values: all of the Secret's.
    """
    found = {}
    for database, fields in LOGIN_FIELDS.items():
        keys = [[f"{database}-{slot}{field}" for field in fields if field != PASSWORD] for slot in (IN_USE, NEXT, PREVIOUS)]
        logins = sorted(b"\0".join(values.get(key, b"") for key in login) for login in keys if login[0] in values)
        found[f"{database}_logins"] = _fingerprint(values[FINGERPRINT_KEY], f"{database}_logins", b"\n".join(logins))
    return found


def databases_text(values: t.Mapping[str, bytes]) -> str:
    """Return what the databases must follow, as one text: the fingerprints of their logins, and the logins' names.

    Such as "0c3f... 77aa... postgres=c42,c42_b clickhouse=c42". A Job is made for it, and compares the names with what it finds mounted.
    """
    names = []
    for database in LOGIN_FIELDS:
        keys = (f"{database}-{slot}user" for slot in (IN_USE, NEXT, PREVIOUS))
        names.append(f"{database}={','.join(sorted(values[key].decode(errors='replace') for key in keys if key in values))}")
    return " ".join([*login_fingerprints(values).values(), *names])


def combined(credentials: t.Mapping[str, bytes], single: t.Mapping[str, str]) -> str:
    """Return one fingerprint over all of them: the text that changes when any of the values does."""
    return _fingerprint(credentials[FINGERPRINT_KEY], "all", "\n".join(f"{name}={single[name]}" for name in sorted(single)).encode())


def _fingerprint(key: bytes, name: str, text: bytes) -> str:
    """Return one keyed fingerprint."""
    return hmac.new(key, name.encode() + b"\0" + text, "sha256").hexdigest()[:FINGERPRINT_DIGITS]


def _password() -> str:
    """Return a fresh password."""
    return "".join(secrets.choice(PASSWORD_ALPHABET) for _position in range(PASSWORD_LENGTH))


def _secret(client: ClientId, name: str, namespace: str, made: str, values: t.Mapping[str, bytes]) -> dict[str, t.Any]:
    """Return an Opaque Secret of the client's; base64 data, because stringData would be kept in clear by some appliers."""
    metadata = {"name": name, "namespace": namespace, "labels": labels(client), "annotations": {MADE: made}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": encoded(values)}


def _base64(value: bytes) -> str:
    """Return bytes as base64 text."""
    return base64.b64encode(value).decode("ascii")
