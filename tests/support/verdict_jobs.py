# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Database Jobs that fail for real, each in one way."""

from __future__ import annotations

from dataclasses import dataclass, field

from .verdict_faults import CLICKHOUSE_IMAGE, NAMESPACE, POSTGRES, SERVERS, SHELL_IMAGE, Obj, container_of, fails, head, pod_of

__all__ = ["JOB_FAULTS", "WALLS", "JobFault", "job"]


@dataclass(frozen=True)
class JobFault:
    """One Job that fails: what its container runs, and what must be told of it; next: what the next step has to name.

    ends: it comes to its Failed condition. early: it will not heal, so that the verdict comes while the Job still tries.
    alone: it fails by what it runs, and nothing around it is arranged for that.
    """

    number: int
    cause: str
    script: str
    told: str
    next: str
    spec: Obj = field(default_factory=dict)
    clickhouse: bool = False
    ends: bool = True
    early: bool = True
    alone: bool = True

    @property
    def client(self) -> str:
        """The client's id."""
        return f"C{self.number}"

    @property
    def name(self) -> str:
        """The Job's name."""
        return f"{'clickhouse' if self.clickhouse else 'postgres'}-setup-{self.client.lower()}-0badc0de"

    @property
    def container(self) -> str:
        """The container that the cause is told of, empty where it is told of the Job."""
        if self.cause.startswith("job_"):
            return ""
        return "clickhouse-setup" if self.clickhouse else "postgres-client"


def _psql(host: str, password: str = "wrong") -> str:
    return f"export PGPASSWORD={password} PGCONNECT_TIMEOUT=3; psql --host={host} --username=postgres --command='SELECT 1'"


def _until_it_fails(host: str) -> str:
    """Return a script that logs in again and again until that fails, and says nothing before."""
    return f"while {_psql(host, '$SUPERUSER')} >/dev/null; do read -rt 0.2 <> <(:); done; exit 2"


def _at(server: str, statement: str, user: str = "postgres") -> str:
    """Return the command that sends a statement to one of the further servers, which ask for no password."""
    return f'psql --host={POSTGRES} --port={SERVERS[server]} --username={user} --dbname=postgres --command="{statement}"'


# What psql runs beside its own connection.
_SECOND = rf"\! psql --host={POSTGRES} --port={SERVERS['full']} --username=postgres"


def _clickhouse(query: str, host: str = "clickhouse.lms-dev.example", login: str = "--user default --password $CLICKHOUSE") -> str:
    return f'clickhouse-client --host {host} {login} --query "{query}"'


def _as_superuser(*statements: str) -> str:
    """Return a script that logs in with the lab's own password, and sends the statements in one transaction."""
    commands = " ".join(f"--command='{statement}'" for statement in ("BEGIN", *statements))
    return f"set -e; export PGPASSWORD=$SUPERUSER; psql --quiet --set=ON_ERROR_STOP=1 --host={POSTGRES} --username=postgres {commands}"


_POSTGRES, _CLICKHOUSE = "Secret verdict/postgres-admin", "Secret verdict/clickhouse-admin"
JOB_FAULTS = (
    JobFault(201, "administrator_password", _psql(POSTGRES), "PostgreSQL refused the administrator's password", _POSTGRES),
    JobFault(
        202,
        "database_host_unknown",
        _psql("no-such-host.verdict.svc.cluster.local"),
        "its host name cannot be resolved",
        "lms_postgres_host",
    ),
    # A wall stands between it and the cluster's DNS, once that is known to the node.
    JobFault(206, "cluster_dns", _until_it_fails(POSTGRES), "DNS gave no answer", "DNS", early=False, alone=False),
    JobFault(203, "crash", "echo something; exit 5", "exit code 5", "what the log says", early=False),
    JobFault(204, "setup_refused", "echo 'refused: not today.' >&2; exit 78", "the setup refused: not today.", "correct that"),
    JobFault(205, "database_closed", _psql("registry.example"), "its port is closed", "lms_postgres_port", early=False),
    JobFault(
        208,
        "job_deadline",
        "read -rt 60 <> <(:)",
        "within its deadline of 2 s",
        "lms_job_deadline_seconds",
        spec={"activeDeadlineSeconds": 2},
        early=False,
    ),
    JobFault(209, "database_tls", f"export PGSSLMODE=require; {_psql(POSTGRES)}", "server does not support SSL", "lms_postgres_sslmode"),
    JobFault(
        210, "extension_absent", _as_superuser("CREATE EXTENSION nonesuch"), "lacks the extension nonesuch", "package postgresql-contrib"
    ),
    JobFault(211, "database_read_only", _at("standby", "CREATE ROLE nobody"), "PostgreSQL is a read-only standby", "lms_postgres_host"),
    JobFault(
        212,
        "administrator_rights",
        _as_superuser("SET ROLE pg_monitor", "CREATE ROLE nobody"),
        "permission denied to create role",
        _POSTGRES,
    ),
    JobFault(
        213,
        "administrator_password",
        "clickhouse-client --host clickhouse.lms-dev.example --user default --password wrong --query 'SELECT 1'",
        "ClickHouse refused the administrator's password",
        _CLICKHOUSE,
        clickhouse=True,
    ),
    JobFault(
        214,
        "database_silent",
        _psql("silent.example"),
        "PostgreSQL does not answer: a firewall or a NetworkPolicy",
        "lms_postgres_host",
        early=False,
    ),
    # The second login of a server that takes one; psql does not end with its command's exit code.
    JobFault(
        215,
        "too_many_connections",
        f"{_at('full', _SECOND)}; exit 2",
        "PostgreSQL has no connection left",
        "the server's limit",
        early=False,
    ),
    JobFault(
        216,
        "database_disk_full",
        _at("small", "CREATE UNLOGGED TABLE filled AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 100000) n"),
        "the disk of PostgreSQL is full",
        "free space on the database server",
        early=False,
    ),
    JobFault(217, "login_not_admitted", _at("small", "SELECT 1", user="stranger"), "PostgreSQL admits no such login", "pg_hba.conf"),
    # A wall stands between it and every database, once that is known to the node.
    JobFault(
        218,
        "database_closed",
        _until_it_fails(POSTGRES),
        "a NetworkPolicy blocks the way",
        "lms_postgres_host",
        early=False,
        alone=False,
    ),
    JobFault(
        219, "job_suspended", "true", "is suspended: nothing of it runs", '"suspend":false', spec={"suspend": True}, ends=False, alone=False
    ),
    JobFault(220, "job_gone", "", "is gone: it was deleted", "run the same command again", ends=False, alone=False),
    # Its pod is taken away once it has failed, so that nothing says why.
    JobFault(
        221,
        "job_failed",
        "exit 1",
        "failed (BackoffLimitExceeded)",
        "the Job is made anew",
        spec={"backoffLimit": 0},
        early=False,
        alone=False,
    ),
    JobFault(
        222,
        "database_host_unknown",
        _clickhouse("SELECT 1", host="no-such-host.verdict.svc.cluster.local"),
        "ClickHouse was not found: its host name cannot be resolved",
        "lms_clickhouse_host",
        clickhouse=True,
    ),
    JobFault(
        223,
        "database_closed",
        _clickhouse("SELECT 1", host="registry.example"),
        "ClickHouse accepts no connection",
        "lms_clickhouse_port",
        clickhouse=True,
        early=False,
    ),
    JobFault(
        224,
        "database_silent",
        _clickhouse("SELECT 1", host="silent.example"),
        "ClickHouse does not answer",
        "lms_clickhouse_host",
        clickhouse=True,
        early=False,
    ),
    JobFault(
        225,
        "administrator_rights",
        f"{_clickhouse('CREATE USER IF NOT EXISTS verdict NOT IDENTIFIED')}; {_clickhouse('CREATE USER other', login='--user verdict')}",
        "ClickHouse's administrator lacks a right: Not enough privileges",
        _CLICKHOUSE,
        clickhouse=True,
    ),
    JobFault(
        226,
        "statement_unknown",
        _clickhouse("GRANT NONESUCH ON *.* TO default"),
        "ClickHouse does not understand",
        "update the server",
        clickhouse=True,
    ),
)

_ALL_BUT_DNS = ({"port": 1, "endPort": 52}, {"port": 54, "endPort": 65535})


def _policy(name: str, pods: Obj, *ports: Obj) -> Obj:
    """Return a NetworkPolicy that leaves some pods these ports alone, of whatever host."""
    egress = [{"ports": [{"protocol": protocol, **port} for port in ports for protocol in ("UDP", "TCP")]}]
    spec = {"podSelector": {"matchLabels": pods}, "policyTypes": ["Egress"], "egress": egress}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def _of_job(cause: str, script: str) -> Obj:
    """Return the label of the pods of the Job that fails so."""
    fault = next(fault for fault in JOB_FAULTS if (fault.cause, fault.script) == (cause, script))
    return {"batch.kubernetes.io/job-name": fault.name}


# The wall leaves a Job nothing but the DNS, the dark another Job and a back end everything but that.
WALLS: tuple[Obj, ...] = (
    _policy("wall", _of_job("database_closed", _until_it_fails(POSTGRES)), {"port": 53}),
    _policy("dark-job", _of_job("cluster_dns", _until_it_fails(POSTGRES)), *_ALL_BUT_DNS),
    _policy("dark-back-end", {"app": "C155-lms"}, *_ALL_BUT_DNS),
)


def job(fault: JobFault) -> Obj:
    """Return a database Job that fails."""
    names = ("clickhouse-setup", CLICKHOUSE_IMAGE) if fault.clickhouse else ("postgres-client", SHELL_IMAGE)
    container = container_of(*names, fails(fault.script))
    container["resources"] = {"limits": {"cpu": "100m", "memory": "64Mi"}, "requests": {"cpu": "1m"}}
    secrets = {"SUPERUSER": "postgres-admin", "CLICKHOUSE": "clickhouse-admin"}
    container["env"] = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": "password"}}} for name, secret in secrets.items()
    ]
    admin = {"secretName": secrets["CLICKHOUSE" if fault.clickhouse else "SUPERUSER"]}
    refusals = {"action": "FailJob", "onExitCodes": {"containerName": names[0], "operator": "In", "values": [78]}}
    return {
        **head("batch/v1", "Job", fault.name, fault.client),
        "spec": {
            # What will not heal is tried for minutes, so that its verdict comes before the Job's own end on a busy machine too.
            "backoffLimit": 6 if fault.early else 1,
            "podFailurePolicy": {"rules": [refusals]},
            "template": {"spec": {**pod_of(container), "restartPolicy": "Never", "volumes": [{"name": "admin", "secret": admin}]}},
            **fault.spec,
        },
    }
