# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Causes that keep pods from being made, end a rollout or a Job, or leave the public path unserved."""

from __future__ import annotations

from .model import AGAIN, Cause, Severity

__all__ = ["EXCEEDED_QUOTA", "ROLLOUT_CAUSES"]

EXCEEDED_QUOTA = r"exceeded quota: (?P<quota>[^,]+), requested: (?P<requested>.+?), used: .+?, limited: (?P<limited>.+)"
_EVENTS = "kubectl -n {namespace} get events --field-selector reason=FailedCreate"
_DESCRIBE = "kubectl -n {namespace} describe deployment {deployment}"

NAMESPACE_CAUSES = (
    Cause(
        "namespace_terminating",
        "deletion",
        "namespace {namespace} is being deleted",
        "ask the cluster's owners who deletes it; once it is gone, have it made anew (prepare_namespace.yml, run by an administrator)",
        reasons="NamespaceTerminating",
    ),
)

ADMISSION_CAUSES = (
    Cause(
        "quota",
        "creation",
        "quota {quota} of namespace {namespace} is used up: {requested} more was asked for, {limited} is the limit",
        f"lower lms_resources, or ask the cluster's owners to raise quota {{quota}} of {{namespace}}, {AGAIN}",
        EXCEEDED_QUOTA,
    ),
    Cause(
        "quota_wants_resources",
        "creation",
        "quota {quota} asks every pod to say its {what}",
        f"set lms_resources (and lms_job_resources), {AGAIN}",
        r"failed quota: (?P<quota>[^:]+): must specify (?P<what>.+)",
    ),
    Cause(
        "limit_range",
        "creation",
        "a LimitRange of namespace {namespace} refuses the pod: {why}",
        f"change lms_resources so that it fits, or ask the cluster's owners to change the LimitRange of {{namespace}}, {AGAIN}",
        r"(?P<why>(minimum|maximum) \S+ usage per \w+ is [^,\n]+(, but [^,\n\]]+)?|\S+ max limit to request ratio per [^\n]+)",
    ),
    Cause(
        "pod_security",
        "creation",
        "Pod Security {level} of namespace {namespace} refuses the pod: {why}",
        f"correct the template, or ask the cluster's owners for another level (an NFS volume in the pod needs `baseline`), {AGAIN}",
        r'violates PodSecurity "(?P<level>[^":]+)[^"]*": (?P<why>.+)',
    ),
    Cause(
        "webhook_denied",
        "creation",
        "admission webhook {webhook} refuses the pod: {why}",
        f"do as it says, or ask the cluster's owners, who run webhook {{webhook}}, {AGAIN}",
        r'admission webhook "(?P<webhook>[^"]+)" denied the request(: |)(?P<why>.*)',
    ),
    Cause(
        "policy_denied",
        "creation",
        "admission policy {policy} refuses the pod: {why}",
        f"do as it says, or ask the cluster's owners, who made policy {{policy}}, {AGAIN}",
        r"ValidatingAdmissionPolicy '(?P<policy>[^']+)'.* denied request: (?P<why>.*)",
    ),
    Cause(
        "webhook_down",
        "creation",
        "admission webhook {webhook} does not answer, and no pod can be made without it",
        f"ask the cluster's owners to start webhook {{webhook}}, or to change its failurePolicy; {AGAIN}",
        r'failed calling webhook "(?P<webhook>[^"]+)"',
        severity=Severity.WAITING,
    ),
    Cause(
        "service_account_missing",
        "creation",
        "ServiceAccount {namespace}/{account} is missing",
        f"correct the template, or ask the cluster's owners for it (`kubectl -n {{namespace}} create serviceaccount {{account}}`), {AGAIN}",
        r'serviceaccount "(?P<account>[^"]+)" not found',
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
        f"ask the cluster's owners, and send them what `{_EVENTS}` shows; {AGAIN}",
        r"is forbidden|is invalid|denied",
    ),
    Cause(
        "creation_failed",
        "creation",
        "the pod could not be made yet ({reason})",
        f"ask the cluster's owners, and send them what `{_EVENTS}` shows; {AGAIN}",
        severity=Severity.WAITING,
    ),
)

DEADLINE_CAUSES = (
    Cause(
        "deployment_gone",
        "rollout",
        "Deployment {deployment} is gone, though the client's record says that it was made",
        "ansible-playbook provision_client.yml -e client={client}",
        reasons="NotFound",
    ),
    Cause(
        "rollout_paused",
        "rollout",
        "the rollout of Deployment {deployment} is paused",
        f"kubectl -n {{namespace}} rollout resume deployment/{{deployment}}, {AGAIN}",
        reasons="DeploymentPaused",
    ),
    Cause(
        "rollout_deadline",
        "rollout",
        "the rollout made no progress for {seconds} s",
        f"send the cluster's owners what `{_DESCRIBE}` shows, {AGAIN}: it makes the pods anew",
        reasons="ProgressDeadlineExceeded",
    ),
    Cause(
        "rollout_stuck",
        "rollout",
        "the rollout does not go on ({reason})",
        f"send the cluster's owners what `{_DESCRIBE}` shows, {AGAIN}",
        severity=Severity.WAITING,
    ),
    Cause(
        "job_gone",
        "job",
        "Job {job} is gone: it was deleted while it was waited for",
        "run {again}",
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
        "run {again}: the Job is made anew; if it fails so again, send the cluster's owners this screen",
    ),
)

DELETION_CAUSES = (
    Cause(
        "deletion_blocked",
        "deletion",
        "{kind} {name} is being deleted, and its finalizer {finalizers} keeps it",
        f"ask whose finalizer that is to end its work (`kubectl -n {{namespace}} get {{kind}} {{name}} -o yaml`), {AGAIN}",
        reasons="DeletionBlocked",
    ),
    Cause(
        "being_deleted",
        "deletion",
        "{kind} {name} is being deleted",
        f"find out who deletes it, wait until it is gone, {AGAIN}",
        reasons="Terminating",
        severity=Severity.WAITING,
    ),
)

PATH_CAUSES = (
    Cause(
        "service_missing",
        "service",
        "Service {service} is missing",
        "ansible-playbook provision_client.yml -e client={client}",
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
        "ansible-playbook provision_client.yml -e client={client}",
        reasons="NotFound",
    ),
    Cause(
        "path_taken",
        "ingress httproute",
        "{host}{path} is taken by {other} (of {whose}), which was there first",
        f"see whose it is (`kubectl -n {{namespace}} get {{other_kind}} {{other_name}} -o yaml`), take that one away or give one of them"
        f" another public name (lms_public_dns), {AGAIN}",
        reasons="PathTaken",
    ),
    Cause(
        "path_shared",
        "ingress httproute",
        "{host}{path} is claimed by {other} (of {whose}) as well",
        "find out who made it: `kubectl -n {namespace} get {other_kind} {other_name} -o yaml`",
        reasons="PathShared",
        severity=Severity.NOTE,
    ),
    Cause(
        "ingress_class_missing",
        "ingress",
        "nobody serves Ingress class {class}: there is no such IngressClass",
        f"correct lms_ingress_class, or ask the cluster's owners which class they serve, {AGAIN}",
        reasons="IngressClassNotFound",
    ),
    Cause(
        "tls_secret_missing",
        "ingress",
        "the certificate's Secret {namespace}/{secret} is missing",
        f"correct lms_tls_secret, or put a certificate for {{host}} there: {{tls_command}}; {AGAIN}",
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
        f"ask the owners of Gateway {{parent}} to open its listener's allowedRoutes for {{namespace}}, {AGAIN}",
        reasons="NotAllowedByListeners",
    ),
    Cause(
        "route_host_unknown",
        "httproute",
        "Gateway {parent} has no listener for the public name",
        f"correct lms_public_dns, or ask the owners of Gateway {{parent}} for a listener, {AGAIN}",
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
        "ansible-playbook provision_client.yml -e client={client}",
        reasons="BackendNotFound",
        severity=Severity.WAITING,
    ),
    Cause(
        "route_refused",
        "httproute",
        "Gateway {parent} refuses the route ({reason})",
        f"ask the owners of Gateway {{parent}} to admit the route, and send them this screen; {AGAIN}",
    ),
)

_EDGE = "ask the cluster's owners for the log of the ingress controller or Gateway"

# What the public path answers to somebody outside, once the pods are ready: asked only where the setting `probe` says so.
ANSWER_CAUSES = (
    Cause(
        "certificate_expired",
        "answer",
        "the certificate of {host} has expired or is not valid yet",
        f"look at the clocks, and {{certificate_fix}}; {AGAIN}",
        reasons="CertificateExpired",
    ),
    Cause(
        "certificate_name",
        "answer",
        "the certificate that {host} shows is for another name",
        f"correct lms_public_dns, or {{certificate_fix}}; {AGAIN}",
        reasons="CertificateName",
    ),
    Cause(
        "certificate_untrusted",
        "answer",
        "the certificate that {host} shows is signed by nobody that is trusted here",
        f"where the signer is one of your own, set lms_probe_ca_file; otherwise {{certificate_fix}}, its chain included; {AGAIN}",
        reasons="CertificateUntrusted",
    ),
    Cause(
        "public_tls",
        "answer",
        "{host} does not speak TLS as it should",
        f"{_EDGE}, {AGAIN}",
        reasons="TLS",
    ),
    Cause(
        "public_name_unknown",
        "answer",
        "the public name {host} cannot be resolved from where it is asked",
        f"have the name entered into the DNS, or correct lms_public_dns, {AGAIN}",
        reasons="UnknownHost",
    ),
    Cause(
        "public_path_closed",
        "answer",
        "nobody listens at the public name {host}: the connection is refused or has no way",
        f"see whether the ingress controller or Gateway runs, and where {{host}} leads, {AGAIN}",
        reasons="Refused",
    ),
    Cause(
        "public_path_silent",
        "answer",
        "the public path {address} does not answer in time",
        f"see whether this controller may reach {{host}} (if not: lms_probe: none); {_EDGE}, {AGAIN}",
        reasons="Timeout",
    ),
    Cause(
        "public_path_not_found",
        "answer",
        "{address} answers 404 though the client's pods are ready",
        f"ask the cluster's owners whether their ingress controller or Gateway serves {{host}}, and what its log says; {AGAIN}",
        reasons="NotFound",
    ),
    Cause(
        "public_path_error",
        "answer",
        "{address} answers {status} though the client's pods are ready",
        f"see what the client's own log says (`ansible-playbook logs_client.yml -e client={{client}}`); {_EDGE}, {AGAIN}",
        r"(?P<status>5\d\d)",
        reasons="ServerError",
    ),
    Cause(
        "public_path_unexpected",
        "answer",
        "{address} answers otherwise than lms_probe_status asks: {why}",
        f"correct lms_probe_status, or what the service answers, {AGAIN}",
        r"(?P<why>.*)",
        reasons="UnexpectedStatus Broken",
    ),
    Cause(
        "public_path_not_asked",
        "answer",
        "the probe Job could not ask {address}: {why}",
        f"correct lms_probe_image (an image with curl), or set lms_probe to controller or none, {AGAIN}",
        r"(?P<why>.*)",
        reasons="NotAsked",
    ),
    Cause(
        "certificate_expires_soon",
        "answer",
        "the certificate of {host} expires in {days} days",
        "{certificate_fix}",
        reasons="CertificateExpiresSoon",
        severity=Severity.NOTE,
    ),
)

# What the image's registry says, where the setting `image_check` has it asked.
TAG_CAUSES = (
    Cause(
        "image_newer",
        "tag",
        "{tagged} is another image by now ({digest}) than the one that runs",
        "to run the newer one: kubectl -n {namespace} rollout restart deployment {deployment}",
        reasons="NewerDigest",
        severity=Severity.NOTE,
    ),
)

ROLLOUT_CAUSES = (*NAMESPACE_CAUSES, *ADMISSION_CAUSES, *DEADLINE_CAUSES, *DELETION_CAUSES, *PATH_CAUSES, *ANSWER_CAUSES, *TAG_CAUSES)
