# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Causes that keep pods from being made, end a rollout or a Job, or leave the public path unserved."""

from __future__ import annotations

from .model import Cause, Severity

__all__ = ["ROLLOUT_CAUSES"]

AGAIN = "then run the same command again"

ADMISSION_CAUSES = (
    Cause(
        "quota",
        "creation",
        "quota {quota} of namespace {namespace} is used up: {requested} more was asked for, {limited} is the limit",
        f"raise the quota (`kubectl -n {{namespace}} describe quota {{quota}}`), or lower lms_resources, {AGAIN}; {{retry}}",
        r"exceeded quota: (?P<quota>[^,]+), requested: (?P<requested>.+?), used: .+?, limited: (?P<limited>.+)",
    ),
    Cause(
        "quota_wants_resources",
        "creation",
        "quota {quota} asks every pod to say its {what}",
        f"set lms_resources (and lms_job_resources), {AGAIN}; {{retry}}",
        r"failed quota: (?P<quota>[^:]+): must specify (?P<what>.+)",
    ),
    Cause(
        "limit_range",
        "creation",
        "a LimitRange of namespace {namespace} refuses the pod: {why}",
        f"keep lms_resources within `kubectl -n {{namespace}} describe limitrange`, {AGAIN}; {{retry}}",
        r"(?P<why>(minimum|maximum) \S+ usage per \w+ is [^,\n]+(, but [^,\n\]]+)?|\S+ max limit to request ratio per [^\n]+)",
    ),
    Cause(
        "pod_security",
        "creation",
        "Pod Security {level} of namespace {namespace} refuses the pod: {why}",
        f"correct the template (an NFS volume in the pod needs `baseline`), or the namespace's level, {AGAIN}; {{retry}}",
        r'violates PodSecurity "(?P<level>[^":]+)[^"]*": (?P<why>.+)',
    ),
    Cause(
        "webhook_denied",
        "creation",
        "admission webhook {webhook} refuses the pod: {why}",
        f"do as it says, or ask who runs the webhook, {AGAIN}; {{retry}}",
        r'admission webhook "(?P<webhook>[^"]+)" denied the request(: |)(?P<why>.*)',
    ),
    Cause(
        "policy_denied",
        "creation",
        "admission policy {policy} refuses the pod: {why}",
        f"do as it says, or ask who made the policy, {AGAIN}; {{retry}}",
        r"ValidatingAdmissionPolicy '(?P<policy>[^']+)'.* denied request: (?P<why>.*)",
    ),
    Cause(
        "webhook_down",
        "creation",
        "admission webhook {webhook} does not answer, and no pod can be made without it",
        f"have the webhook started, or its failurePolicy changed, {AGAIN}",
        r'failed calling webhook "(?P<webhook>[^"]+)"',
        severity=Severity.WAITING,
    ),
    Cause(
        "service_account_missing",
        "creation",
        "ServiceAccount {namespace}/{account} is missing",
        f"kubectl -n {{namespace}} create serviceaccount {{account}}; {AGAIN}",
        r'serviceaccount "(?P<account>[^"]+)" not found',
    ),
    Cause(
        "namespace_terminating",
        "creation",
        "namespace {namespace} is being deleted",
        "find out who deletes it (`kubectl get namespace {namespace} -o yaml`)",
        r"is being terminated",
    ),
    Cause(
        "class_missing",
        "creation",
        "{kind} {name} does not exist",
        f"correct the template, {AGAIN}",
        r"no (?P<kind>PriorityClass) with name (?P<name>\S+) was found",
    ),
    Cause(
        "creation_refused",
        "creation",
        "the API server refuses to make the pod",
        "kubectl -n {namespace} get events --field-selector reason=FailedCreate",
        r"is forbidden|is invalid|denied",
    ),
    Cause(
        "creation_failed",
        "creation",
        "the pod could not be made yet ({reason})",
        "kubectl -n {namespace} get events --field-selector reason=FailedCreate",
        severity=Severity.WAITING,
    ),
)

DEADLINE_CAUSES = (
    Cause(
        "rollout_paused",
        "rollout",
        "the rollout of Deployment {deployment} is paused",
        f"kubectl -n {{namespace}} rollout resume deployment/{{deployment}}; {AGAIN}",
        reasons="DeploymentPaused",
    ),
    Cause(
        "rollout_deadline",
        "rollout",
        "the rollout made no progress for {seconds} s",
        "kubectl -n {namespace} describe deployment {deployment}",
        reasons="ProgressDeadlineExceeded",
    ),
    Cause(
        "rollout_stuck",
        "rollout",
        "the rollout does not go on ({reason})",
        "kubectl -n {namespace} describe deployment {deployment}",
        severity=Severity.WAITING,
    ),
    Cause(
        "job_gone",
        "job",
        "Job {job} is gone: it was deleted while it was waited for",
        "run the same command again",
        reasons="NotFound",
    ),
    Cause(
        "job_suspended",
        "job",
        "Job {job} is suspended: nothing of it runs",
        'kubectl -n {namespace} patch job {job} -p \'{{"spec":{{"suspend":false}}}}\'',
        reasons="Suspended",
    ),
    Cause(
        "job_deadline",
        "job",
        "Job {job} did not end within its deadline of {seconds} s",
        f"see why it takes so long, or raise lms_job_deadline_seconds, {AGAIN}",
        reasons="DeadlineExceeded",
    ),
    Cause(
        "job_failed",
        "job",
        "Job {job} failed ({reason})",
        "kubectl -n {namespace} describe job {job}",
    ),
)

PATH_CAUSES = (
    Cause(
        "service_missing",
        "service",
        "Service {service} is missing",
        "run playbooks/provision_client.yml for this client",
        reasons="NotFound",
    ),
    Cause(
        "no_endpoints",
        "service",
        "Service {service} sends requests to no pod, though pods are ready: its selector matches none of them",
        f"kubectl -n {{namespace}} describe service {{service}}; correct the template, {AGAIN}",
        severity=Severity.WAITING,
    ),
    Cause(
        "path_missing",
        "ingress httproute",
        "the public path is missing: there is no {name}",
        "run playbooks/provision_client.yml for this client",
        reasons="NotFound",
    ),
    Cause(
        "ingress_class_missing",
        "ingress",
        "nobody serves Ingress class {class}: there is no such IngressClass",
        f"correct lms_ingress_class (`kubectl get ingressclass`), {AGAIN}",
        reasons="IngressClassNotFound",
    ),
    Cause(
        "tls_secret_missing",
        "ingress",
        "the certificate's Secret {namespace}/{secret} is missing",
        f"make it (playbooks/prepare_namespace.yml), or correct lms_tls_secret, {AGAIN}",
        reasons="TLSSecretNotFound",
    ),
    Cause(
        "route_not_judged",
        "httproute",
        "no Gateway controller has looked at the route for {parent} yet",
        f"see whether Gateway {{parent}} exists and its controller runs, or correct lms_gateway, {AGAIN}",
        reasons="NotJudged Pending",
        severity=Severity.WAITING,
    ),
    Cause(
        "route_not_allowed",
        "httproute",
        "Gateway {parent} does not admit routes of namespace {namespace}",
        f"have its listener's allowedRoutes opened for {{namespace}}, {AGAIN}",
        reasons="NotAllowedByListeners",
    ),
    Cause(
        "route_host_unknown",
        "httproute",
        "Gateway {parent} has no listener for the public name",
        f"correct lms_public_dns, or have a listener added, {AGAIN}",
        reasons="NoMatchingListenerHostname",
    ),
    Cause(
        "route_listener_unknown",
        "httproute",
        "Gateway {parent} has no listener of that name or port",
        f"correct lms_gateway, {AGAIN}",
        reasons="NoMatchingParent",
    ),
    Cause(
        "route_reference_denied",
        "httproute",
        "the route names a Service of another namespace, and no ReferenceGrant there permits it",
        f"make a ReferenceGrant in that namespace, or correct the template, {AGAIN}",
        reasons="RefNotPermitted",
    ),
    Cause(
        "route_backend_missing",
        "httproute",
        "the route's Service is not found by Gateway {parent}",
        "kubectl -n {namespace} get service; run playbooks/provision_client.yml for this client",
        reasons="BackendNotFound",
        severity=Severity.WAITING,
    ),
    Cause(
        "route_refused",
        "httproute",
        "Gateway {parent} refuses the route ({reason})",
        "kubectl -n {namespace} get httproute -o yaml",
    ),
)

ROLLOUT_CAUSES = (*ADMISSION_CAUSES, *DEADLINE_CAUSES, *PATH_CAUSES)
