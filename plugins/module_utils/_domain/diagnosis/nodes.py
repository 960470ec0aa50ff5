# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes a pod asks for, and whether taints are what keeps it off them."""

from __future__ import annotations

import re
import typing as t

from .model import Obj, Seen, condition, dig, name_of

__all__ = ["nodes_told", "taint_facts", "wanted_labels"]

NODES_SHOWN = 5
# Kubernetes itself puts these on a node that takes no pods for now.
_KUBERNETES_OWN = "node.kubernetes.io/"
# Nodes of the cluster itself have these, and are not meant for anybody's pods.
_CLUSTER_OWN = ("node-role.kubernetes.io/", "CriticalAddonsOnly")
_NAMED = re.compile(r"untolerated taint \{([^}]+?):? ?\}")
# The operators of a node affinity, given a node's label (None where it has none) and the values.
_OPERATORS: dict[str, t.Callable[[str | None, t.Sequence[str]], bool]] = {
    "In": lambda label, values: label in values,
    "NotIn": lambda label, values: label not in values,
    "Exists": lambda label, _values: label is not None,
    "DoesNotExist": lambda label, _values: label is None,
    "Gt": lambda label, values: str(label).isdigit() and int(str(label)) > int(values[0]),
    "Lt": lambda label, values: str(label).isdigit() and int(str(label)) < int(values[0]),
}


def wanted_labels(spec: Obj) -> str:
    """Return the node labels that a pod asks for: `rarus=lms`."""
    wanted = [f"{key}={value}" for key, value in (spec.get("nodeSelector") or {}).items()]
    for term in _terms(spec):
        for one in term.get("matchExpressions") or []:
            values = ",".join(one.get("values") or [])
            simple = one.get("operator") == "In" and len(one.get("values") or []) == 1
            wanted.append(f"{one.get('key')}={values}" if simple else f"{one.get('key')} {one.get('operator')} ({values})")
    return ", ".join(wanted)


def taint_facts(spec: Obj, message: str, seen: Seen) -> dict[str, str]:
    """Return what the scheduler's message and the nodes tell of taints; empty is what does not keep the pod off its nodes.

    taint: those that do; node_taint: the first, where Kubernetes itself has put all of them there;
    unseen_taint: the message speaks of nodes with a taint and of others without the label, and nobody sees which has what.
    """
    labels_matter = "didn't match Pod's node affinity" in message
    if seen.nodes is None:
        taints, unseen = _taints_told(message, labels_matter=labels_matter)
    else:
        fitting = [node for node in seen.nodes if _fits(node, spec)]
        taints, unseen = _taints_seen(spec, fitting if fitting or labels_matter else seen.nodes), False
    own = taints and all(taint.startswith(_KUBERNETES_OWN) for taint in taints)
    return {
        "taint": ", ".join(dict.fromkeys(taints)),
        "node_taint": re.split("[=:]", taints[0])[0] if own else "",
        "unseen_taint": "yes" if unseen else "",
    }


def nodes_told(seen: Seen) -> tuple[str, ...]:
    """Return a line for each of the first nodes: whether it is ready, and its own labels (not those that Kubernetes gives all)."""
    lines = []
    for node in (seen.nodes or ())[:NODES_SHOWN]:
        own = {key: value for key, value in dig(node, "metadata", "labels", default={}).items() if "kubernetes.io/" not in key}
        state = "ready" if condition(node, "Ready").get("status") == "True" else "not ready"
        labels = ", ".join(f"{key}={value}" for key, value in sorted(own.items())) or "no labels of its own"
        lines.append(f"node {name_of(node)}: {state}, {labels}")
    return tuple(lines)


def _taints_told(message: str, *, labels_matter: bool) -> tuple[list[str], bool]:
    """Return the taints that a message names, and whether it names none and so does not tell whether they matter.

    The scheduler looks at taints before labels. Where there are other nodes, those of the cluster itself are taken not to be meant.
    """
    if named := _NAMED.findall(message):
        others = [one for one in named if not one.startswith(_CLUSTER_OWN)]
        return others if others or labels_matter else named, False
    return ([], True) if labels_matter else (["which one, this token may not see"], False)


def _taints_seen(spec: Obj, nodes: t.Sequence[Obj]) -> list[str]:
    """Return the taints that keep a pod off all of these nodes, none where one of them has no such taint."""
    found: list[str] = []
    for node in nodes:
        taints = [one for one in dig(node, "spec", "taints", default=[]) if _keeps_off(one, spec)]
        if not taints:
            return []
        found += [f"{one.get('key')}={one.get('value')}" if one.get("value") else str(one.get("key")) for one in taints]
    return found


def _terms(spec: Obj) -> list[Obj]:
    terms: list[Obj] = dig(
        spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms", default=[]
    )
    return terms


def _fits(node: Obj, spec: Obj) -> bool:
    labels, terms = dig(node, "metadata", "labels", default={}), _terms(spec)
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    return not terms or any(all(_holds(one, labels) for one in term.get("matchExpressions") or []) for term in terms)


def _holds(one: Obj, labels: t.Mapping[str, str]) -> bool:
    return _OPERATORS[one["operator"]](labels.get(one["key"]), one.get("values") or [])


def _keeps_off(taint: Obj, spec: Obj) -> bool:
    return taint.get("effect") != "PreferNoSchedule" and not any(_tolerates(one, taint) for one in spec.get("tolerations") or [])


def _tolerates(toleration: Obj, taint: Obj) -> bool:
    if toleration.get("effect", taint.get("effect")) != taint.get("effect") or toleration.get("key", taint.get("key")) != taint.get("key"):
        return False
    return toleration.get("operator") == "Exists" or (toleration.get("value") or "") == (taint.get("value") or "")
