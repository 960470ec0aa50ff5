# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import hashlib
import re
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain import credentials
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

C42 = ClientId.parse("C42")
MADE = "2026-11-21T09:00:00Z"
KEY_2048 = rsa.generate_private_key(65537, 2048)


def secret() -> dict[str, t.Any]:
    return credentials.credentials_secret(C42, namespace="lms-dev", user="c42", made=MADE)


def values() -> dict[str, bytes]:
    return credentials.values_of(secret(), credentials.CREDENTIALS_KEYS, "")


def pem(key: t.Any, form: PrivateFormat = PrivateFormat.PKCS8, encryption: KeySerializationEncryption | None = None) -> bytes:
    found: bytes = key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())
    return found


def test_a_secret_holds_everything_in_the_right_form() -> None:
    obj = secret()
    assert (obj["kind"], obj["type"], "stringData" in obj) == ("Secret", "Opaque", False)
    assert obj["metadata"] == {
        "name": "lms-credentials-c42",
        "namespace": "lms-dev",
        "labels": {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": "C42"},
        "annotations": {"rarus.lms/made": MADE},
    }
    found = credentials.values_of(obj, credentials.CREDENTIALS_KEYS, "")
    assert set(obj["data"]) == set(credentials.CREDENTIALS_KEYS)
    assert re.fullmatch(rb"[0-9a-f]{128}", found["keys-secret-seed"])
    for database in ("postgres", "clickhouse"):
        assert found[f"{database}-user"] == b"c42"
        assert re.fullmatch(rb"[A-Za-z0-9]{40}", found[f"{database}-password"]), "URL-safe, 238 bits"
    assert found["postgres-password"] != found["clickhouse-password"]
    assert len(found["fingerprint-key"]) == 32
    salted = found["clickhouse-password"] + found["clickhouse-salt"]
    assert found["clickhouse-password-sha256"] == hashlib.sha256(salted).hexdigest().encode()
    salt = base64.b64decode(found["postgres-verifier"].split(b"$")[1].split(b":")[1])
    assert credentials.scram_verifier(found["postgres-password"].decode(), salt).encode() == found["postgres-verifier"]


def test_every_secret_is_another() -> None:
    first, second = values(), values()
    assert [key for key in credentials.CREDENTIALS_KEYS if first[key] == second[key]] == ["postgres-user", "clickhouse-user"]


def test_the_verifier_is_the_one_of_rfc_7677() -> None:
    # The RFC's example: password "pencil", its salt, its count; the keys follow from its proof and signature.
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    assert credentials.scram_verifier("pencil", salt) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_a_fresh_key_has_its_length_and_its_form(bits: int) -> None:
    text = credentials.generate_rsa_key(bits)
    assert text.startswith(b"-----BEGIN RSA PRIVATE KEY-----\n")
    key = load_pem_private_key(text, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert (key.key_size, key.public_key().public_numbers().e) == (bits, 65537)
    credentials.validate_rsa_key(text, "it")


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_brought_key_may_have_either_form(form: PrivateFormat) -> None:
    credentials.validate_rsa_key(pem(KEY_2048, form), "it")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"hello", "is not PEM"),
        (b"", "is not PEM"),
        (KEY_2048.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), "is not PEM"),
        (KEY_2048.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "holds a public key or a certificate"),
        (pem(KEY_2048, encryption=BestAvailableEncryption(b"x")), "is encrypted"),
        (pem(KEY_2048, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x")), "is encrypted"),
        (pem(KEY_2048, PrivateFormat.OpenSSH), "is in OpenSSH's own form"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "is a key of another kind (ECPrivateKey)"),
        (pem(ed25519.Ed25519PrivateKey.generate()), "is a key of another kind (Ed25519PrivateKey)"),
        (pem(rsa.generate_private_key(65537, 1024)), "has 1024 bits"),
        (b"-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----\n", "is damaged"),
    ],
)
def test_what_is_no_fit_key_is_refused_in_one_sentence(text: bytes, words: str) -> None:
    with pytest.raises(InputError) as caught:
        credentials.validate_rsa_key(text, "rsa_key_secret: key tls.key of Secret lms-dev/brought")
    message = caught.value.message
    assert message.startswith(f"rsa_key_secret: key tls.key of Secret lms-dev/brought {words}")
    assert "Expected a private RSA key of 2048 bits or more, PEM, not encrypted." in message
    assert "canary" not in caught.value.as_result()["msg"]


@pytest.mark.parametrize("data", [None, {}, {"a": ""}, {"b": "eA=="}])
def test_a_value_that_is_missing_or_empty_is_told(data: dict[str, str] | None) -> None:
    obj = {"metadata": {"name": "s", "namespace": "x"}, "data": data}
    with pytest.raises(LmsError) as caught:
        credentials.values_of(obj, ["a", "b"][:1], "Do this.")
    assert caught.value.as_result()["msg"] == "Secret x/s lacks a, or it is empty. Do this."


def test_fingerprints_are_keyed_short_and_change_with_their_value_alone() -> None:
    first = values()
    told = credentials.fingerprints(first, b"key", {"sms4b/token": b"t"})
    assert set(told) == {"seed", "postgres", "clickhouse", "rsa", "sms4b/token"}
    assert all(re.fullmatch(r"[0-9a-f]{16}", text) for text in told.values())
    assert credentials.fingerprints(first, b"key", {"sms4b/token": b"t"}) == told
    for part, key in (("seed", "keys-secret-seed"), ("postgres", "postgres-verifier"), ("clickhouse", "clickhouse-password")):
        changed = credentials.fingerprints({**first, key: b"other"}, b"key", {"sms4b/token": b"t"})
        assert [name for name in told if changed[name] != told[name]] == [part]
    assert credentials.fingerprints({**first, "fingerprint-key": b"other"}, b"key", {"sms4b/token": b"t"}).items().isdisjoint(told.items())


def test_equal_values_under_two_names_have_two_fingerprints() -> None:
    told = credentials.fingerprints(values(), b"same", {"a/x": b"same", "a/y": b"same"})
    assert len({told["rsa"], told["a/x"], told["a/y"]}) == 3


def test_one_fingerprint_stands_for_all() -> None:
    first = values()
    told = credentials.fingerprints(first, b"key", {"sms4b/token": b"t"})
    one = credentials.combined(first, told)
    assert one == credentials.combined(first, dict(reversed(told.items())))
    assert one != credentials.combined(first, credentials.fingerprints(first, b"key", {"sms4b/token": b"u"}))
