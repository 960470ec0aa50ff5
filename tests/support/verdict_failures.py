# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failures that a verdict has to name, in the order in which they were asked for, and the causes that name them."""

from __future__ import annotations

from dataclasses import dataclass

from .verdict_screens import ELSEWHERE, SHOWN

__all__ = ["FAILURES", "Failure", "table"]

FAULTS = "[faults.md](faults.md)"
UNKNOWN = "phase [`unknown`](#not-found-out)"


@dataclass(frozen=True)
class Failure:
    """One failure: the causes that name its forms, and a note on what the lab cannot do, or on where else it is tried."""

    number: int
    what: str
    causes: tuple[str, ...] = ()
    note: str = ""

    def row(self) -> str:
        """Return the failure as a row of Markdown; each cause leads to its screen."""
        causes = ", ".join(f"[`{cause}`](#{cause}){'' if cause in {*SHOWN, *ELSEWHERE} else ' (recorded)'}" for cause in self.causes)
        return f"| {self.number} | {self.what} | {causes} | {self.note} |\n"


_DATABASE = (
    "administrator_password",
    "database_host_unknown",
    "database_closed",
    "database_silent",
    "too_many_connections",
    "administrator_rights",
    "extension_absent",
    "database_read_only",
    "database_disk_full",
)
FAILURES = (
    Failure(1, "the image does not exist", ("image_not_found",)),
    Failure(
        2,
        "the registry refuses: no pull secret, a wrong password, a secret in a wrong format",
        ("pull_secret_missing", "pull_secret_unset", "pull_secret_wrong"),
        "a format that the kubelet does not read shows as a wrong login",
    ),
    Failure(3, "the registry is down", ("registry_down", "registry_unknown_host", "registry_certificate")),
    Failure(4, "wrong processor, or not executable", ("image_platform", "not_executable", "program_missing", "program_forbidden")),
    Failure(5, "crash at the start", ("crash", "program_ended")),
    Failure(6, "crash by a missing variable", ("variable_missing", "variable_wrong")),
    Failure(7, "out of memory", ("out_of_memory",)),
    Failure(8, "liveness or readiness fails", ("liveness", "readiness")),
    Failure(9, "slow start past its deadline", ("startup", "rollout_deadline")),
    Failure(10, "no node with the label", ("no_node_with_label",)),
    Failure(11, "not enough CPU or memory", ("not_enough_room",)),
    Failure(12, "a taint", ("taint", "no_node_open"), "the second where other nodes lack the label, by a token that may not read nodes"),
    Failure(13, "the quota is used up", ("quota", "quota_wants_resources"), "there is no pod at all"),
    Failure(14, "a LimitRange", ("limit_range",)),
    Failure(15, "Pod Security refuses", ("pod_security",)),
    Failure(16, "an admission webhook denies, or is down", ("webhook_denied", "webhook_down", "policy_denied")),
    Failure(17, "a Secret or its key is missing", ("reference_missing", "key_missing", "key_missing_in_volume")),
    Failure(18, "a ConfigMap is missing", ("reference_missing",)),
    Failure(19, "a claim is not bound", ("claim_unbound", "claim_missing")),
    Failure(
        20,
        "an NFS volume cannot be mounted",
        ("nfs_helper_missing", "nfs_denied", "nfs_path_missing", "nfs_down"),
        "the lab has no NFS server: its node's own refusal is real, a server's words are recorded",
    ),
    Failure(
        21,
        "PostgreSQL: password, host, port, silence, connections, rights, extension, standby, disk",
        _DATABASE,
        "servers of the lab's own, each with that fault",
    ),
    Failure(
        22,
        "ClickHouse: the same, and a grant that an older version does not know",
        (*(cause for cause in _DATABASE if cause != "extension_absent"), "statement_unknown"),
        "by the lab's stand-in; connections, standby and disk, which it does not limit, are recorded, and the real server's words for all",
    ),
    Failure(23, "the client's password differs from the database's", ("client_password",)),
    Failure(24, "the database goes down after the start", ("database_closed",), "C142 of the tests serves before its server is ended"),
    Failure(25, "a Job's deadline and back-off are reached", ("job_deadline", "job_failed")),
    Failure(
        26, "DNS in the cluster is broken", ("cluster_dns",), "of a Job and of a back end, by a NetworkPolicy that lets out all but that"
    ),
    Failure(27, "a NetworkPolicy blocks the database", ("database_closed",), "told with the other reason for a refused connection"),
    Failure(28, "a Service without endpoints", ("no_endpoints",)),
    Failure(
        29,
        "Ingress: a class that nobody serves, host and path taken, the TLS Secret missing, expired, for another name",
        ("ingress_class_missing", "path_taken", "tls_secret_missing", "certificate_expired", "certificate_name"),
        "the class by a token that may read IngressClasses; without it, 404 of the public path",
    ),
    Failure(
        30,
        "HTTPRoute: refused by its parent, no ReferenceGrant",
        ("route_not_allowed", "route_host_unknown", "route_listener_unknown", "route_reference_denied"),
    ),
    Failure(31, "token expired, rights missing, wrong CA, a proxy's 502, a silent API", (), f"{UNKNOWN}, {FAULTS}"),
    Failure(32, "the API is slow or throttles", (), f"waited for; then {UNKNOWN}, {FAULTS}"),
    Failure(
        33,
        "the namespace is being deleted",
        ("namespace_terminating",),
        "of a Deployment that is kept for a while; the preflight says so before anything is touched",
    ),
    Failure(34, "a node is not ready", ("node_not_ready", "nodes_not_ready"), "by a token that may read nodes"),
    Failure(35, "a finalizer blocks a deletion", ("deletion_blocked",)),
    Failure(36, "a rollout is stuck half way: old pods serve, new ones fail", ("image_not_found",), "phase `degraded`; C410 of the tests"),
    Failure(37, "an unresolved `$(NAME)` in a DSN", ("variable_unresolved", "unresolved_reference")),
    Failure(38, "the tag's digest in the registry is newer than the one that runs", ("image_newer",), "a note, not a fault"),
)


def table() -> str:
    """Return the table of failures in docs/causes.md."""
    return "| number | what fails | named by | note |\n| --- | --- | --- | --- |\n" + "".join(failure.row() for failure in FAILURES)
