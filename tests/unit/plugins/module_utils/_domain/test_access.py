# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least Role: what it grants, how a review of rules is read, and that the documentation says the same."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain import access
from ansible_collections.rarus.lms.plugins.module_utils._domain.access import Right

DOCUMENT = Path(__file__).resolve().parents[5] / "docs" / "prepare-namespace.md"


def rule(groups: list[str], resources: list[str], verbs: list[str], names: list[str] | None = None) -> dict[str, t.Any]:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs, **({"resourceNames": names} if names else {})}


GRANTS: list[tuple[str, Right, list[dict[str, t.Any]], bool]] = [
    ("nothing granted", Right("", "pods", "get"), [], False),
    ("exactly this", Right("batch", "jobs", "create"), [rule(["batch"], ["jobs"], ["create"])], True),
    ("another verb", Right("batch", "jobs", "create"), [rule(["batch"], ["jobs"], ["get"])], False),
    ("another group", Right("batch", "jobs", "create"), [rule([""], ["jobs"], ["create"])], False),
    ("everything", Right("apps", "deployments", "patch"), [rule(["*"], ["*"], ["*"])], True),
    ("subresource by its resource", Right("", "pods/log", "get"), [rule([""], ["pods"], ["get"])], False),
    ("subresource by its name", Right("", "pods/log", "get"), [rule([""], ["pods/log"], ["get"])], True),
    ("subresource of anything", Right("", "pods/log", "get"), [rule([""], ["*/log"], ["get"])], True),
    ("one object only", Right("", "secrets", "get"), [rule([""], ["secrets"], ["get"], ["tls"])], False),
    (
        "one object, and all by another rule",
        Right("", "secrets", "get"),
        [rule([""], ["secrets"], ["get"], ["tls"]), rule([""], ["secrets"], ["get"])],
        True,
    ),
    (
        "verb and group from different rules",
        Right("apps", "jobs", "get"),
        [rule(["apps"], ["x"], ["get"]), rule(["batch"], ["jobs"], ["get"])],
        False,
    ),
    ("fields left out", Right("", "pods", "get"), [{"verbs": ["get"]}], False),
]


@pytest.mark.parametrize(("case", "right", "rules", "expected"), GRANTS, ids=[case[0] for case in GRANTS])
def test_granted(case: str, right: Right, rules: list[dict[str, t.Any]], expected: bool) -> None:
    assert access.granted(right, rules) is expected, case


def test_the_role_grants_every_right_that_is_asked_for() -> None:
    for rules in (access.NAMESPACE_RULES, access.REGISTRY_RULES):
        rights = access.needed_rights(rules, {access.ALWAYS, access.INGRESS, access.HTTPROUTE, access.DIAGNOSIS, access.CONTACTS})
        assert rights
        assert [right for right in rights if not access.granted(right, access.role_rules(rules))] == []


def test_each_rule_is_necessary() -> None:
    for left_out in access.NAMESPACE_RULES:
        rest = access.role_rules(rule for rule in access.NAMESPACE_RULES if rule is not left_out)
        rights = access.needed_rights([left_out], {left_out.when})
        assert not any(access.granted(right, rest) for right in rights), left_out


def test_the_role_stays_small() -> None:
    rules = access.role_rules((*access.NAMESPACE_RULES, *access.REGISTRY_RULES))
    assert not any("*" in values for rule in rules for values in rule.values())
    secrets = [rule["verbs"] for rule in rules if "secrets" in rule["resources"]]
    assert secrets == [["get", "list", "create", "update"]] * 2
    assert not {"pods/exec", "serviceaccounts", "roles", "rolebindings"} & {name for rule in rules for name in rule["resources"]}


def test_publishing_asks_only_for_its_own_kind() -> None:
    rights = access.needed_rights(access.NAMESPACE_RULES, {access.ALWAYS, access.HTTPROUTE})
    assert Right("gateway.networking.k8s.io", "httproutes", "create") in rights
    assert not [right for right in rights if right.resource == "ingresses"]
    assert not [right for right in rights if right.resource == "events"]


def test_describe_names_a_resource_once() -> None:
    rights = [
        Right("batch", "jobs", "create"),
        Right("batch", "jobs", "delete"),
        Right("", "pods/log", "get"),
        Right("apps", "deployments/scale", "patch"),
    ]
    assert access.describe(rights) == "create/delete jobs.batch, get pods/log, patch deployments.apps/scale"


def document_table() -> str:
    """Return the table of rights as docs/prepare-namespace.md must show it."""
    where = {
        access.ALWAYS: "always",
        access.INGRESS: "to publish by Ingress",
        access.HTTPROUTE: "to publish by HTTPRoute",
        access.DIAGNOSIS: "for better answers",
        access.CONTACTS: "for contacts",
    }
    lines = ["| API group | resources | verbs | needed | why |", "| --- | --- | --- | --- | --- |"]
    for heading, rules in (("", access.NAMESPACE_RULES), ("registry: ", access.REGISTRY_RULES)):
        lines += [
            f"| {one.group or 'core'} | {heading}{', '.join(one.resources)} | {', '.join(one.verbs)} | {where[one.when]} | {one.why} |"
            for one in rules
        ]
    return "\n".join(lines)


def test_the_documentation_lists_the_role_verb_by_verb() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert document_table() in text, f"docs/prepare-namespace.md must contain this table:\n{document_table()}"
