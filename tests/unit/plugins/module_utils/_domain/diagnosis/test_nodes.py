# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes are a pod's, and which of their taints keep it off: what the scheduler itself goes by."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import Seen
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.nodes import taint_facts, wanted_labels

MESSAGE = "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s)."
DEDICATED = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}


def affinity(*expressions: dict[str, t.Any]) -> dict[str, t.Any]:
    terms = {"nodeSelectorTerms": [{"matchExpressions": [one]} for one in expressions]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}


def taint_of_a_node(spec: dict[str, t.Any], labels: dict[str, str], taint: dict[str, t.Any]) -> str:
    """Return the taint that keeps a pod off the only node that has one, empty where the node is not the pod's or the taint does not."""
    nodes: list[dict[str, t.Any]] = [
        {"metadata": {"name": "a", "labels": labels}, "spec": {"taints": [taint]}},
        {"metadata": {"name": "b"}},
    ]
    return taint_facts(spec, MESSAGE, Seen(ClientId(42), "lms-dev", nodes=nodes))["taint"]


@pytest.mark.parametrize(
    ("spec", "labels", "its_own"),
    [
        ({"nodeSelector": {"rarus": "lms"}}, {"rarus": "lms"}, True),
        ({"nodeSelector": {"rarus": "lms", "zone": "a"}}, {"rarus": "lms"}, False),
        (affinity({"key": "rarus", "operator": "In", "values": ["lms", "all"]}), {"rarus": "all"}, True),
        (affinity({"key": "rarus", "operator": "In", "values": ["lms", "all"]}), {"rarus": "db"}, False),
        (affinity({"key": "rarus", "operator": "Exists"}), {"rarus": ""}, True),
        (affinity({"key": "rarus", "operator": "Exists"}), {}, False),
        (affinity({"key": "cores", "operator": "Gt", "values": ["8"]}), {"cores": "16"}, True),
        (affinity({"key": "cores", "operator": "Gt", "values": ["8"]}), {"cores": "many"}, False),
        (affinity({"key": "cores", "operator": "Lt", "values": ["8"]}), {"cores": "16"}, False),
        (affinity({"key": "cores", "operator": "Exists"}, {"key": "rarus", "operator": "Exists"}), {"rarus": "lms"}, True),
    ],
)
def test_a_taint_counts_on_the_pods_own_nodes(spec: dict[str, t.Any], labels: dict[str, str], its_own: bool) -> None:
    assert taint_of_a_node(spec, labels, DEDICATED) == ("dedicated=db" if its_own else "")


@pytest.mark.parametrize("operator", ["NotIn", "DoesNotExist"])
def test_a_taint_does_not_count_where_the_other_node_has_none(operator: str) -> None:
    expression = {"key": "disk", "operator": operator, "values": ["slow"] if operator == "NotIn" else []}
    assert taint_of_a_node(affinity(expression), {"disk": "fast" if operator == "NotIn" else "slow"}, DEDICATED) == ""


@pytest.mark.parametrize(
    ("toleration", "keeps_off"),
    [
        ({"key": "dedicated", "operator": "Equal", "value": "db", "effect": "NoSchedule"}, False),
        ({"key": "dedicated", "value": "db"}, False),
        ({"key": "dedicated", "operator": "Exists"}, False),
        ({"operator": "Exists"}, False),
        ({"key": "dedicated", "value": "web"}, True),
        ({"key": "other", "operator": "Exists"}, True),
        ({"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}, True),
    ],
)
def test_a_taint_counts_unless_the_pod_tolerates_it(toleration: dict[str, str], keeps_off: bool) -> None:
    spec = {"nodeSelector": {"rarus": "lms"}, "tolerations": [toleration]}
    assert bool(taint_of_a_node(spec, {"rarus": "lms"}, DEDICATED)) is keeps_off


def test_a_taint_that_only_advises_does_not_count() -> None:
    assert taint_of_a_node({"nodeSelector": {"rarus": "lms"}}, {"rarus": "lms"}, {**DEDICATED, "effect": "PreferNoSchedule"}) == ""


def test_what_a_pod_asks_for_is_told_in_the_words_of_kubectl() -> None:
    spec = {"nodeSelector": {"zone": "a"}, **affinity({"key": "rarus", "operator": "In", "values": ["lms", "all"]})}
    assert wanted_labels(spec) == "zone=a, rarus In (lms,all)"
