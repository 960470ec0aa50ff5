# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Job that asks public paths: what it runs, what Pod Security admits, and what its log (curl 7.88 and 8) says."""

from __future__ import annotations

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import Obj, dig
from ansible_collections.rarus.lms.plugins.module_utils._domain.probe_job import Question, answers_of, probe_job, unasked

C7, C42 = ClientId(7), ClientId(42)
ADDRESS = "https://backend.lms-dev.example/C42/"
ASKED = {C42: Question(ADDRESS, 200)}
# 2026-11-21 00:00:00 UTC
NOW = 1795219200.0
CERTIFICATES = (
    "Subject:CN = backend\nExpire date:{leaf}\n-----BEGIN CERTIFICATE-----\nMII\nSubject:CN = CA\nExpire date:Nov 21 00:00:00 2036 GMT\n"
)
UNTRUSTED = "SSL certificate problem: unable to get local issuer certificate"
ANSWERS = [
    ("0 200 0 ", "Served", "HTTP status 200, expected 200"),
    ("0 404 0 ", "NotFound", "HTTP status 404, expected 200"),
    ("0 503 0 ", "ServerError", "HTTP status 503, expected 200"),
    ("0 302 0 ", "UnexpectedStatus", "HTTP status 302, expected 200"),
    (f"60 000 20 {UNTRUSTED}", "CertificateUntrusted", UNTRUSTED),
    (
        "60 000 10 SSL certificate problem: certificate has expired",
        "CertificateExpired",
        "SSL certificate problem: certificate has expired",
    ),
    (
        "60 000 1 SSL: no alternative certificate subject name matches target host name 'x'",
        "CertificateName",
        "SSL: no alternative certificate subject name matches target host name 'x'",
    ),
    ("6 000 0 Could not resolve host: x", "UnknownHost", "Could not resolve host: x"),
    ("7 000 0 Failed to connect", "Refused", "Failed to connect"),
    ("28 000 0 Connection timed out after 5001 milliseconds", "Timeout", "Connection timed out after 5001 milliseconds"),
    ("35 000 0 wrong version number", "TLS", "wrong version number"),
    ("52 000 0 Empty reply from server", "Broken", "Empty reply from server"),
]


@pytest.mark.parametrize(("told", "reason", "message"), ANSWERS, ids=lambda value: str(value)[:20])
def test_answers(told: str, reason: str, message: str) -> None:
    answer = answers_of(f"noise\n\nrarus.lms C42 {told}\n", ASKED, NOW)[C42]
    assert (answer.address, answer.reason, answer.message, answer.days_left) == (ADDRESS, reason, message, None)


@pytest.mark.parametrize(
    ("leaf", "days"), [("Nov 24 00:00:00 2026 GMT", 3), ("Nov 20 00:00:00 2026 GMT", -1), ("some time", None)], ids=["good", "past", "odd"]
)
def test_days_left_are_those_of_the_certificate_that_was_shown(leaf: str, days: int | None) -> None:
    log = CERTIFICATES.format(leaf=leaf) + "\nrarus.lms C42 0 200 0 \n\nrarus.lms C7 0 200 0 \n"
    answers = answers_of(log, {**ASKED, C7: Question("https://backend.lms-dev.example/C7/", 200)}, NOW)
    assert (answers[C42].days_left if days is not None else None, answers[C7].days_left) == (days, None)


def test_what_the_log_does_not_tell_is_left_out() -> None:
    assert answers_of("curl: not found\nrarus.lms C8 0 200 0 \n", ASKED, NOW) == {}
    assert unasked(ASKED, "why")[C42].reason == "NotAsked"


def command_of(job: Obj) -> list[str]:
    """Return what the Job's container runs."""
    return list(dig(job, "spec", "template", "spec", "containers", 0, "command"))


def test_one_job_asks_for_several_clients_each_by_its_own_authority() -> None:
    questions = {
        C7: Question("https://backend.lms-dev.example/C7/", 200, "PEM A"),
        C42: Question(ADDRESS, 200, "PEM B"),
        ClientId(43): Question("https://other.example/C43/", 401),
    }
    job = probe_job("lms-probe-1", "lms-dev", "registry.example/tools/curl:7", questions, {})
    command = command_of(job)
    assert [word for word in command if word.startswith("https://")] == [one.address for one in questions.values()]
    assert command.count("--next") == 2
    assert [command[place + 1] for place, word in enumerate(command) if word == "--cacert"] == ["/run/lms/0.pem", "/run/lms/1.pem"]
    assert ["%{certs}" in command[place + 1] for place, word in enumerate(command) if word == "--write-out"] == [True, False, True]
    annotations = job["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"rarus.lms/authority-0.pem": "PEM A", "rarus.lms/authority-1.pem": "PEM B"}
    items = job["spec"]["template"]["spec"]["volumes"][0]["downwardAPI"]["items"]
    assert [one["path"] for one in items] == ["0.pem", "1.pem"]
    assert "rarus.lms/client" not in job["metadata"]["labels"], "it belongs to no client's environment"


def test_it_runs_like_the_clients_own_pods() -> None:
    pod = {
        "imagePullSecrets": [{"name": "repository-token"}],
        "affinity": {"nodeAffinity": {}},
        "securityContext": {"runAsUser": 20002},
        "volumes": [{"name": "static"}],
        "containers": [{"name": "c42", "env": [{"name": "SECRET"}]}],
    }
    spec = probe_job("lms-probe-1", "lms-dev", "image", ASKED, pod)["spec"]["template"]["spec"]
    assert spec["imagePullSecrets"] == pod["imagePullSecrets"]
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsNonRoot"]) == (20002, True)
    assert [volume["name"] for volume in spec["volumes"]] == ["authority"]
    assert "env" not in spec["containers"][0]
    assert spec["automountServiceAccountToken"] is False
