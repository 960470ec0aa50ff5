# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Causes that pods show: images, configuration, crashes, volumes, nodes. The first row that fits holds: the special before the general."""

from __future__ import annotations

from .model import AGAIN, Cause, Severity
from .symptoms_pods import IMAGE_REASONS

__all__ = ["POD_CAUSES"]

_IMAGE = " ".join(sorted(IMAGE_REASONS))
_CONFIG = "CreateContainerConfigError CreateContainerError"
_START = "StartError ContainerCannotRun RunContainerError CreateContainerError"
_DESCRIBE = "kubectl -n {namespace} describe pod {pod}"
_REFUSED = r"\b40[13]\b|unauthorized|denied|authorization failed|no basic auth|insufficient_scope|authentication required"
_LOGS = "`ansible-playbook logs_client.yml -e client={client} -e previous=true`"
_RESTORE = "ansible-playbook restore_credentials.yml -e client={client} -e escrow_identity_file=FILE"
_NO_ESCROW = '(where there is no escrow: docs/credentials.md, "When a Secret is gone")'

IMAGE_CAUSES = (
    Cause(
        "image_name_invalid",
        "container",
        '"{image}" is not the name of an image',
        f"correct the image in the catalogue, {AGAIN}",
        reasons="InvalidImageName",
    ),
    Cause(
        "image_never_pulled",
        "container",
        "image {image} is not on node {node}, and the template forbids pulling it",
        f"take `imagePullPolicy: Never` out of the template, {AGAIN}",
        reasons="ErrImageNeverPull",
    ),
    Cause(
        "image_platform",
        "container",
        "image {image} has no build for the processor of node {node}",
        f"push a build for that processor (`kubectl get node {{node}} -o wide`), {AGAIN}",
        r"no match for platform|no matching manifest|does not match the specified platform|no image found in (image|manifest) (index|list)",
        reasons=_IMAGE,
    ),
    Cause(
        "pull_secret_missing",
        "container",
        "the registry refused image {image}: pull secret {missing_pull_secrets} is missing",
        "correct lms_pull_secret, or have Secret {namespace}/{missing_pull_secrets} made (prepare_namespace.yml, run by an administrator),"
        f" {AGAIN}",
        _REFUSED,
        reasons=_IMAGE,
        needs="missing_pull_secrets",
    ),
    Cause(
        "pull_secret_unset",
        "container",
        "the registry refused image {image}: it asks for a login, and the pod names no pull secret",
        f"set lms_pull_secret in the catalogue, {AGAIN}",
        _REFUSED,
        reasons=_IMAGE,
        needs="no_pull_secret",
    ),
    Cause(
        "pull_secret_wrong",
        "container",
        "the registry refused the login of pull secret {pull_secrets} for image {image}, or has no such image",
        f"check the image's spelling in the catalogue; if it is right, have Secret {{namespace}}/{{pull_secrets}} corrected (type"
        f" kubernetes.io/dockerconfigjson; the registry's host, user, password, right to pull), {AGAIN}",
        _REFUSED,
        reasons=_IMAGE,
    ),
    Cause(
        "registry_certificate",
        "container",
        "node {node} does not trust the certificate of the registry of {image}",
        f"ask the cluster's owners to install the registry's certificate authority on the nodes, {AGAIN}",
        r"x509|certificate signed by unknown|server gave HTTP response to HTTPS client|tls: (failed|bad|unknown)",
        reasons=_IMAGE,
    ),
    Cause(
        "node_disk_full",
        "container",
        "the disk of node {node} is full: image {image} could not be stored",
        f"ask the cluster's owners to free space on node {{node}}, {AGAIN}",
        r"no space left on device",
        reasons=_IMAGE,
        severity=Severity.WAITING,
    ),
    Cause(
        "registry_unknown_host",
        "container",
        "the host of the registry of {image} cannot be resolved by node {node}",
        f"correct the registry's name in the image, or ask the cluster's owners about the DNS of node {{node}}, {AGAIN}",
        r"no such host|name resolution|server misbehaving|dial tcp: lookup ",
        reasons=_IMAGE,
        severity=Severity.WAITING,
    ),
    Cause(
        "registry_down",
        "container",
        "the registry of {image} does not answer as it should ({fault})",
        f"see whether the registry serves (node {{node}} must reach it), {AGAIN}",
        r"(?P<fault>connection refused|i/o timeout|connection reset|no route to host|network is unreachable|deadline exceeded|timeout"
        r"|\bEOF\b|\b5\d\d\b( [A-Z][A-Za-z ]+)?|\b429\b( [A-Z][A-Za-z ]+)?|too many requests|pull QPS exceeded)",
        reasons=_IMAGE,
        severity=Severity.WAITING,
    ),
    Cause(
        "image_not_found",
        "container",
        "image {image} not found in its registry",
        f"push the image or correct it in the catalogue, {AGAIN}",
        r"not found|manifest unknown|name unknown|NAME_UNKNOWN|does not exist|repository name not known",
        reasons=_IMAGE,
    ),
    Cause(
        "image_pull",
        "container",
        "image {image} could not be pulled yet",
        _DESCRIBE,
        reasons=_IMAGE,
        severity=Severity.WAITING,
    ),
)

CONFIG_CAUSES = (
    Cause(
        "credentials_key_missing",
        "container mount",
        "{own_secret} has no key `{key}`, one of the client's keys and passwords, which cannot be made again",
        f"{_RESTORE} -e confirm={{client}} {_NO_ESCROW}, {AGAIN}",
        r"(couldn't find key|references non-existent secret key:) (?P<key>\S+)",
        needs="own_secret",
    ),
    Cause(
        "key_missing",
        "container mount",
        "{kind} {namespace}/{name} has no key `{key}`, which the container needs",
        f"add the key `{{key}}` to {{kind}} {{namespace}}/{{name}}, {AGAIN}",
        r"couldn't find key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) [^/\s]+/(?P<name>\S+)",
    ),
    Cause(
        "key_missing_in_volume",
        "mount",
        "a {kind} that volume {volume} mounts has no key `{key}`",
        f"add the key `{{key}}` ({_DESCRIBE}), {AGAIN}",
        r'volume "(?P<volume>[^"]+)".*references non-existent (?P<kind>secret|config) key: (?P<key>\S+)',
    ),
    Cause(
        "credentials_missing",
        "container mount",
        "{absent} is missing: it holds the client's keys and passwords, which cannot be made again",
        f"{_RESTORE} {_NO_ESCROW}, {AGAIN}",
        r"secrets? \"?(lms-credentials|rsa-secret)-[^\s\"]+\"? not found",
        needs="absent",
    ),
    Cause(
        "config_missing",
        "container mount",
        "{absent}, which the collection makes, is missing, and the container cannot start without it",
        "ansible-playbook provision_client.yml -e client={client}",
        r"configmaps? \"?lms-config-[^\s\"]+\"? not found",
        needs="absent",
    ),
    Cause(
        "reference_missing",
        "container mount",
        "{absent} is missing, and the container cannot start without it",
        f"make {{absent}}, or correct its name in the catalogue, {AGAIN}",
        r"(secrets?|configmaps?) \"?[^\s\"]+\"? not found",
        needs="absent",
    ),
    Cause(
        "reference_was_missing",
        "container mount",
        "{kind} {name} was missing when the container was last started; Kubernetes tries again",
        f"wait a minute, {AGAIN}",
        r"(?P<kind>secret|configmap) \"?(?P<name>[^\s\"]+?)\"? not found",
        severity=Severity.WAITING,
    ),
    Cause(
        "runs_as_root",
        "container",
        "image {image} wants to run as root, which the pod forbids (runAsNonRoot)",
        f"build the image with a numeric USER, or set lms_run_as_user, {AGAIN}",
        r"runAsNonRoot",
    ),
    Cause(
        "not_executable",
        "container crash",
        "the program of image {image} cannot run on this processor, or is no program (exec format error)",
        f"build the image for the processor of node {{node}}, {AGAIN}",
        r"exec format error",
    ),
    Cause(
        "program_missing",
        "container crash",
        "image {image} lacks the program that it is to start",
        f"correct the image's command ({_DESCRIBE} shows it), {AGAIN}",
        r"executable file not found|no such file or directory|no command specified",
        reasons=_START,
    ),
    Cause(
        "program_forbidden",
        "container crash",
        "the program of image {image} may not be run: permission denied",
        f"make it executable for user and group of the pod (lms_run_as_user, lms_run_as_group), {AGAIN}",
        r"permission denied",
        reasons=_START,
    ),
    Cause(
        "mount_impossible",
        "container crash",
        "a volume of the pod cannot be mounted where the template puts it",
        f"correct the template's volumeMounts ({_DESCRIBE}), {AGAIN}",
        r"(error|failed).*mount|not a directory|subPath|read-only file system",
        reasons=f"{_START} {_CONFIG}",
    ),
    Cause(
        "container_not_created",
        "container crash",
        "the container could not be started ({reason})",
        _DESCRIBE,
        reasons=f"{_START} {_CONFIG}",
        severity=Severity.WAITING,
    ),
)

CRASH_CAUSES = (
    Cause(
        "restarted",
        "restart",
        "the container was restarted {restarts} times; it ended with exit code {exit_code} ({reason})",
        f"{_LOGS} shows how it ended",
        severity=Severity.NOTE,
    ),
    Cause(
        "out_of_memory",
        "crash",
        "the container needs more memory than its limit of {memory}, and was killed",
        f"raise the memory limit in lms_resources, {AGAIN}",
        reasons="OOMKilled",
    ),
    Cause(
        "liveness",
        "crash",
        "the container runs, but its probe has it killed: {kill}",
        f"see the log, or give it more time (lms_startup_probe, lms_liveness_probe), {AGAIN}",
        needs="kill",
    ),
    Cause(
        "unresolved_reference",
        "crash",
        "the variable {unresolved} is never resolved: no entry above it in the container's env defines it",
        f"correct the template's env, {AGAIN}",
        needs="unresolved",
    ),
    Cause(
        "program_ended",
        "crash",
        "the container's program ends by itself, with exit code 0",
        f"see why it does not stay ({_LOGS}), {AGAIN}",
        reasons="Completed",
    ),
    Cause(
        "crash",
        "crash",
        "the container {container} ends with exit code {exit_code}{meaning}",
        f"{{log_hint}}, {AGAIN}",
    ),
    Cause(
        "container_waiting",
        "container",
        "the container {container} does not start ({reason})",
        _DESCRIBE,
        severity=Severity.WAITING,
    ),
)

VOLUME_CAUSES = (
    Cause(
        "nfs_helper_missing",
        "mount",
        "node {node} cannot mount NFS: it has no NFS client",
        f"ask the cluster's owners to install the NFS client on the nodes (nfs-common, nfs-utils), {AGAIN}",
        r"(?s)nfs.*(need a /sbin/mount|bad option; for several filesystems)|unknown filesystem type '?nfs|nfs.*No such device",
    ),
    Cause(
        "nfs_denied",
        "mount",
        "the file server does not let node {node} mount {source}",
        f"export the path to the nodes' addresses on the file server, {AGAIN}",
        r"(?s)access denied by server while mounting (?P<source>\S+)",
    ),
    Cause(
        "nfs_path_missing",
        "mount",
        "the file server exports no such path: {source}",
        f"correct lms_nfs_path, or export the path, {AGAIN}",
        r"mounting (?P<source>\S+) failed, reason given by server: No such file or directory",
    ),
    Cause(
        "nfs_down",
        "mount",
        "the file server of volume {volume} does not answer",
        f"see whether the server in lms_nfs_server serves and the nodes reach it, {AGAIN}",
        r'(?s)volume "(?P<volume>[^"]+)".*(nfs.*(timed out|refused|unreachable|no route|rpc)|(timed out|refused|unreachable).*nfs)',
        severity=Severity.WAITING,
    ),
    Cause(
        "host_path_missing",
        "mount",
        "node {node} lacks the folder of volume {volume}: {why}",
        f"ask the cluster's owners to make the folder on the nodes, or use a claim (lms_static_volume), {AGAIN}",
        r'volume "(?P<volume>[^"]+)"\s*: hostPath type check failed: (?P<why>.*)',
    ),
    Cause(
        "volume_not_mounted",
        "mount",
        "volume {volume} could not be mounted yet",
        _DESCRIBE,
        r'volumes?[ =]"?\[?(?P<volume>[^"\s\],]+)',
        severity=Severity.WAITING,
    ),
    Cause("volume_unknown", "mount", "a volume of the pod could not be mounted yet", _DESCRIBE, severity=Severity.WAITING),
)

NODE_CAUSES = (
    Cause(
        "claim_missing",
        "scheduling",
        "claim {namespace}/{claim} is missing",
        f"correct lms_static_volume, or have the claim made (prepare_namespace.yml, run by an administrator), {AGAIN}",
        r'persistentvolumeclaim "(?P<claim>[^"]+)" (not found|is being deleted)',
    ),
    Cause(
        "claim_unbound",
        "scheduling",
        "{claim} is bound to no volume yet (storage class {storage_class})",
        f"ask the cluster's owners to provide a volume for {{claim}}, and send them this screen; {AGAIN}",
        r"unbound immediate PersistentVolumeClaims|didn't find available persistent volumes",
        severity=Severity.WAITING,
    ),
    Cause(
        "not_enough_room",
        "scheduling",
        "no node has enough {resource} left for the pod",
        f"lower lms_resources, or ask the cluster's owners for another node, {AGAIN}",
        r"Insufficient (?P<resource>[\w./-]*\w)",
        severity=Severity.WAITING,
    ),
    Cause(
        "nodes_full",
        "scheduling",
        "the nodes run as many pods as they may",
        f"ask the cluster's owners for another node, {AGAIN}",
        r"Too many pods",
        severity=Severity.WAITING,
    ),
    Cause(
        "volume_elsewhere",
        "scheduling",
        "the pod's volume is tied to other nodes than the pod",
        f"ask the cluster's owners for a volume that the nodes of lms_node_affinity reach, and send them this screen; {AGAIN}",
        r"volume node affinity conflict|match PersistentVolume's node affinity|no available volume zone|max volume count",
        severity=Severity.WAITING,
    ),
    Cause(
        "nodes_not_ready",
        "scheduling",
        "no node is ready to take the pod ({node_taint})",
        f"ask the cluster's owners to bring a node back, and send them this screen; {AGAIN}",
        r"untolerated taint",
        needs="node_taint",
        severity=Severity.WAITING,
    ),
    Cause(
        "taint",
        "scheduling",
        "a taint keeps the pod off the nodes: {taint}",
        f"ask the cluster's owners for a node without that taint, or add a toleration by a template of your own, {AGAIN}",
        r"untolerated taint",
        needs="taint",
        severity=Severity.WAITING,
    ),
    Cause(
        "no_node_open",
        "scheduling",
        "no node takes the pod: those with the label {affinity} have a taint, or there is none",
        f"ask the cluster's owners for a node with {{affinity}} that is ready and has no taint, and send them this screen; {AGAIN}",
        r"untolerated taint",
        needs="unseen_taint",
        severity=Severity.WAITING,
    ),
    Cause(
        "nodes_cordoned",
        "scheduling",
        "the nodes that the pod may run on are closed to new pods (cordoned)",
        f"ask the cluster's owners who closed them, and to open one (`kubectl uncordon NAME`); {AGAIN}",
        r"node\(s\) were unschedulable",
        severity=Severity.WAITING,
    ),
    Cause(
        "no_node_with_label",
        "scheduling",
        "no node has the label that the pod asks for: {affinity}",
        f"correct lms_node_affinity, or ask the cluster's owners to label a node (`kubectl label node NAME {{affinity}}`), {AGAIN}",
        r"didn't match Pod's node affinity|node selector|no nodes available",
        severity=Severity.WAITING,
    ),
    Cause("not_scheduled", "scheduling", "no node takes the pod yet ({reason})", _DESCRIBE, severity=Severity.WAITING),
    Cause(
        "node_not_ready",
        "node",
        "node {node}, which the pod runs on, is not ready",
        f"ask the cluster's owners to bring node {{node}} back, and send them this screen; {AGAIN}",
        severity=Severity.WAITING,
    ),
    Cause(
        "evicted",
        "pod",
        "the pod was evicted from node {node}: {why}",
        f"ask the cluster's owners what node {{node}} lacks, and send them this screen; {AGAIN}",
        r"(?P<why>.*)",
        reasons="Evicted Preempting Terminated NodeShutdown NodeLost",
        severity=Severity.WAITING,
    ),
    Cause(
        "network_not_made",
        "pod",
        "node {node} could not give the pod its network",
        f"ask the cluster's owners what is wrong with the network of node {{node}}, and send them this screen; {AGAIN}",
        reasons="FailedCreatePodSandBox NetworkNotReady",
        severity=Severity.WAITING,
    ),
    Cause("pod_refused", "pod", "node {node} refused the pod ({reason})", _DESCRIBE, severity=Severity.WAITING),
    Cause(
        "readiness",
        "probe",
        "the container runs, but its readiness probe fails: {why}",
        f"see the log, or give it more time (lms_readiness_probe, lms_wait_timeout_seconds), {AGAIN}",
        r"Readiness probe failed: (?P<why>.*)",
        severity=Severity.WAITING,
    ),
    Cause(
        "startup",
        "probe",
        "the container runs, but its startup probe fails: {why}",
        f"see the log, or give it more time (lms_startup_probe), {AGAIN}",
        r"Startup probe failed: (?P<why>.*)",
        severity=Severity.WAITING,
    ),
    Cause("probe", "probe", "a probe of the container fails", _DESCRIBE, severity=Severity.WAITING),
)

POD_CAUSES = (*IMAGE_CAUSES, *CONFIG_CAUSES, *CRASH_CAUSES, *VOLUME_CAUSES, *NODE_CAUSES)
