# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least Role that suffices to provision clients: what the administrator grants, and what a preflight asks for."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

__all__ = [
    "ALWAYS",
    "CONTACTS",
    "DIAGNOSIS",
    "HTTPROUTE",
    "INGRESS",
    "NAMESPACE_RULES",
    "REGISTRY_RULES",
    "Right",
    "Rule",
    "describe",
    "granted",
    "needed_rights",
    "role_rules",
]

# When a rule is needed: by every run, by a run that publishes this way, only to explain a failure better, or for contacts alone.
ALWAYS, INGRESS, HTTPROUTE, DIAGNOSIS, CONTACTS = "always", "ingress", "httproute", "diagnosis", "contacts"

READ = ("get", "list")
APPLY = ("get", "list", "create", "update", "patch")
APPLY_AND_REMOVE = (*APPLY, "delete")


@dataclass(frozen=True)
class Rule:
    """One rule of the Role. group is an API group ("" for the core), resources are plurals, why is a sentence for people."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    when: str = ALWAYS


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource, as Kubernetes authorises it. resource may carry a subresource: pods/log."""

    group: str
    resource: str
    verb: str

    @property
    def target(self) -> str:
        """Return the resource as Kubernetes' own messages write it: jobs.batch, pods/log."""
        name, _slash, subresource = self.resource.partition("/")
        return name + (f".{self.group}" if self.group else "") + (f"/{subresource}" if subresource else "")


LEASES = Rule("coordination.k8s.io", ("leases",), ("get", "create", "update"), "keeping two runs from working on one client at once")

# In the namespace of the environments.
NAMESPACE_RULES = (
    Rule("", ("configmaps",), APPLY_AND_REMOVE, "environment variables, records, and what a template no longer makes"),
    Rule(
        "",
        ("secrets",),
        ("get", "list", "create", "update"),
        "credentials are made once, read back, never deleted; update is for their rotation, an adoption or a restore",
    ),
    Rule(
        "batch",
        ("jobs",),
        ("get", "list", "create", "patch", "delete"),
        "the database Jobs, and those that try a login on demand; a failed one is removed before it is made again",
    ),
    Rule("", ("pods",), READ, "the state of Jobs and Deployments"),
    Rule("", ("pods/log",), ("get",), "the last lines of a container that failed"),
    Rule("", ("services",), APPLY_AND_REMOVE, "the Service of a client"),
    Rule("apps", ("deployments",), APPLY_AND_REMOVE, "the Deployment of a client"),
    Rule("apps", ("replicasets",), READ, "which pods belong to the newest rollout, and why none could be made"),
    Rule("networking.k8s.io", ("ingresses",), APPLY_AND_REMOVE, "publishing by Ingress, and taking it away after a change", INGRESS),
    Rule(
        "gateway.networking.k8s.io",
        ("httproutes",),
        APPLY_AND_REMOVE,
        "publishing by HTTPRoute, and taking it away after a change",
        HTTPROUTE,
    ),
    Rule("", ("persistentvolumeclaims",), READ, "whether the claim of the static files is bound", DIAGNOSIS),
    Rule("", ("events",), READ, "why a pod is not scheduled, mounted or pulled", DIAGNOSIS),
    Rule("", ("resourcequotas",), ("list",), "whether a quota keeps pods from being made", DIAGNOSIS),
    Rule("discovery.k8s.io", ("endpointslices",), ("list",), "whether the Service has ready pods behind it", DIAGNOSIS),
    Rule("", ("namespaces",), ("get",), "this namespace's own Pod Security level, and whether it is being deleted", DIAGNOSIS),
    LEASES,
)

# In the namespace of the registry, where that is another one.
REGISTRY_RULES = (
    Rule("", ("configmaps",), APPLY, "the records of the clients, and the counter of their ids"),
    Rule("", ("secrets",), ("get", "list", "create", "update"), "the contacts of the clients, beside their records", CONTACTS),
    LEASES,
)


def role_rules(rules: t.Iterable[Rule]) -> list[dict[str, list[str]]]:
    """Return the rules as rbac.authorization.k8s.io/v1 Role.rules takes them."""
    return [{"apiGroups": [rule.group], "resources": list(rule.resources), "verbs": list(rule.verbs)} for rule in rules]


def needed_rights(rules: t.Iterable[Rule], when: t.Container[str]) -> list[Right]:
    """Return each single right of the rules that are needed at one of the given occasions (ALWAYS and so on)."""
    return [Right(rule.group, resource, verb) for rule in rules if rule.when in when for resource in rule.resources for verb in rule.verbs]


def granted(right: Right, resource_rules: t.Iterable[t.Mapping[str, t.Any]]) -> bool:
    """Return whether a SelfSubjectRulesReview's status.resourceRules contain the right for objects of every name."""
    return any(
        not rule.get("resourceNames")
        and _names(right.group, rule.get("apiGroups"))
        and _names(right.verb, rule.get("verbs"))
        and _covers(right.resource, rule.get("resources") or ())
        for rule in resource_rules
    )


def describe(rights: t.Iterable[Right]) -> str:
    """Return the rights for a sentence, one entry a resource: "create/delete jobs.batch, get pods/log"."""
    verbs: dict[str, list[str]] = {}
    for right in rights:
        verbs.setdefault(right.target, []).append(right.verb)
    return ", ".join(f"{'/'.join(names)} {target}" for target, names in verbs.items())


def _names(wanted: str, given: t.Collection[str] | None) -> bool:
    return given is not None and ("*" in given or wanted in given)


def _covers(resource: str, given: t.Collection[str]) -> bool:
    _name, slash, subresource = resource.partition("/")
    return _names(resource, given) or (bool(slash) and f"*/{subresource}" in given)
