# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.rarus.lms.plugins.plugin_utils.sentences import AGAIN, sentence_of, sentence_of_kubernetes_core

STATUS = '{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 422, "reason": "Invalid", "message": "Job is invalid: no."}'
CASES = [
    (f"Failed to apply object: {STATUS}", "Apply: Kubernetes answered 422 Invalid: Job is invalid: no."),
    (
        "Failed to find exact match for networking.k8s.io/v1.Ingress by [kind, name, singularName, shortNames]",
        f"Apply: the API did not tell that it serves networking.k8s.io/v1.Ingress: it is too busy, or lacks that kind. {AGAIN}",
    ),
    ("Task failed: Timed out after 5 second(s).", f"Apply: the API stayed silent, and was given up after 5 s. {AGAIN}"),
    (
        "Failed to apply object: b'<html><h1>Bad Gateway</h1>\\n</html>'",
        f"Apply: Failed to apply object: b' Bad Gateway '. {AGAIN}",
    ),
    (
        "Failed to apply object: ('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))",
        f"Apply: Failed to apply object: ('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer')). {AGAIN}",
    ),
    ("Failed: {not JSON", f"Apply: Failed: {{not JSON. {AGAIN}"),
]


@pytest.mark.parametrize(("message", "sentence"), CASES)
def test_what_kubernetes_core_says_becomes_a_sentence(message: str, sentence: str) -> None:
    assert sentence_of_kubernetes_core("Apply", message) == sentence


def test_a_role_s_option_that_is_wrong_is_one_sentence() -> None:
    wrong = "value of provision_redo must be one or more of: databases. Got no match for: typo"
    facts = {"msg": f"Validation of arguments failed:\n{wrong}"}
    assert sentence_of("Validating arguments", "ansible.builtin.validate_argument_spec", facts) == wrong
