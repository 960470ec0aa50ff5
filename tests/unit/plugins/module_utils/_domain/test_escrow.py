# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import json
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.deps import PYRAGE
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain import credentials as domain
from ansible_collections.rarus.lms.plugins.module_utils._domain import escrow
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record

C42 = ClientId.parse("C42")
RECORD = Record(client=C42, catalogue="lms-dev", namespace="lms-dev", registry_namespace="lms-dev", organisation="«Ромашка»")
ALICE = PYRAGE.require().x25519.Identity.generate()
BOB = PYRAGE.require().x25519.Identity.generate()
PAIR = [
    domain.credentials_secret(C42, namespace="lms-dev", user="c42", made="2026-11-21T09:00:00Z"),
    domain.rsa_secret(C42, namespace="lms-dev", key=b"-----BEGIN RSA PRIVATE KEY-----", made="2026-11-21T09:00:00Z"),
]


def document(**changes: t.Any) -> bytes:
    """Return a document with some of its fields changed."""
    made = escrow.Escrow.of(RECORD, PAIR, made="2026-11-21T09:00:00Z", by="me@here")
    return json.dumps({**json.loads(made.to_bytes()), **changes}).encode()


def test_a_copy_comes_back_whole() -> None:
    secret = copy.deepcopy(PAIR[0])
    server = {"uid": "u", "resourceVersion": "7", "managedFields": [{}], "creationTimestamp": "x"}
    secret["metadata"] |= {
        **server,
        "annotations": {**secret["metadata"]["annotations"], "rarus.lms/write": "t", "rarus.lms/rotation": "{}"},
    }
    made = escrow.Escrow.of(RECORD, [secret, PAIR[1]], made="2026-11-21T09:00:00Z", by="me@here")
    for identity in (ALICE, BOB):
        content = escrow.encrypted(made.to_bytes(), [str(ALICE.to_public()), str(BOB.to_public())])
        back = escrow.Escrow.from_bytes(escrow.decrypted(content, f"# created\n{identity}\n", "it"), "it")
        assert back == made
    assert back.secrets[0]["data"] == PAIR[0]["data"]
    assert set(back.secrets[0]["metadata"]) == {"name", "namespace", "labels", "annotations"}
    assert set(back.secrets[0]["metadata"]["annotations"]) == {"rarus.lms/made", "rarus.lms/rotation"}
    assert back.record["organisation"] == "«Ромашка»"
    back.expect(C42, catalogue="lms-dev", namespace="lms-dev", where="it")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello", "it is not a file that age has encrypted"),
        (escrow.encrypted(b"x" * 99, [str(BOB.to_public())]), "it cannot be decrypted: No matching keys found."),
        (escrow.encrypted(b"x" * 99, [str(ALICE.to_public())])[:-9], "it cannot be decrypted: decryption error."),
        (escrow.encrypted(b"x" * 99, [str(ALICE.to_public())])[:60], "it cannot be decrypted: "),
    ],
    ids=["no copy", "for another", "without its end", "its beginning alone"],
)
def test_a_copy_that_cannot_be_read_is_told_in_one_sentence(content: bytes, words: str) -> None:
    with pytest.raises(LmsError) as caught:
        escrow.decrypted(content, str(ALICE), "it")
    assert caught.value.message.startswith(words)
    assert str(ALICE) not in caught.value.as_result()["msg"]


@pytest.mark.parametrize("text", ["", "# only a comment", "AGE-SECRET-KEY-1CANARY", "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY"])
def test_an_identity_that_is_none_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(InputError, match="is not an age identity") as caught:
        escrow.decrypted(escrow.encrypted(b"x", [str(ALICE.to_public())]), text, "it")
    assert "CANARY" not in str(caught.value)


def test_a_recipient_with_a_wrong_letter_is_refused() -> None:
    right = str(ALICE.to_public())
    wrong = right[:-1] + ("q" if right[-1] != "q" else "p")
    with pytest.raises(InputError, match=f"escrow_recipients: {wrong} is not an age public key"):
        escrow.encrypted(b"x", [wrong])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no JSON", "holds no copy"),
        (b"[]", "holds no copy"),
        (b'{"format": "other"}', "holds no copy"),
        (document(schema=2), "was written by a newer version"),
        (document(client="c42"), "is not a client id"),
        (document(secrets=[]), "lacks one of the two Secrets of C42"),
        (document(secrets=[{"metadata": {}}, "x"]), "lacks one of the two Secrets of C42"),
        (document(client="C7"), "lacks one of the two Secrets of C7"),
    ],
)
def test_another_document_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(LmsError) as caught:
        escrow.Escrow.from_bytes(content, "it")
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("client", "catalogue", "namespace", "words"),
    [
        ("C7", "lms-dev", "lms-dev", "it is the copy of C42, not of C7."),
        ("C42", "lms-prod", "lms-dev", "it is of C42 in catalogue lms-dev, not in lms-prod."),
        ("C42", "lms-dev", "lms-other", "it is of C42 in namespace lms-dev, not in lms-other."),
    ],
)
def test_somebody_elses_copy_is_refused(client: str, catalogue: str, namespace: str, words: str) -> None:
    made = escrow.Escrow.from_bytes(document(), "it")
    with pytest.raises(InputError) as caught:
        made.expect(ClientId.parse(client), catalogue=catalogue, namespace=namespace, where="it")
    assert caught.value.message == words


def test_the_fingerprint_changes_with_values_and_readers_alone() -> None:
    first = escrow.fingerprint(PAIR, ["a", "b"])
    relabelled = copy.deepcopy(PAIR)
    relabelled[0]["metadata"]["labels"]["other"] = "x"
    rotated = copy.deepcopy(PAIR)
    rotated[0]["data"]["postgres-next-password"] = "eA=="
    assert escrow.fingerprint(relabelled, ["b", "a", "a"]) == first
    assert len({first, escrow.fingerprint(rotated, ["a", "b"]), escrow.fingerprint(PAIR, ["a"])}) == 3


def test_a_secret_without_its_fingerprint_key_is_named() -> None:
    with pytest.raises(LmsError, match="rsa-secret-c42: there is no key fingerprint-key"):
        escrow.fingerprint(PAIR[1:], ["a"])
