# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a client's Secret and its databases agree: the Job that logs in to find out, and what its answer means.

A probe is the rendered setup Job of the same database with another script, so it has its image, mounts, limits and place, whatever the
catalogue's templates say. It has the client's own Secret alone, and so it can repair nothing.
"""

from __future__ import annotations

import copy
import re
import typing as t
from dataclasses import asdict, dataclass

from .client_id import ClientId
from .diagnosis.model import LogKey, Obj, Seen, Symptom
from .diagnosis.recognise import recognise
from .names import clickhouse_job_base, credentials_secret_name, postgres_job_base

__all__ = ["AGREES", "DATABASES", "DIFFERS", "UNKNOWN", "UNREACHABLE", "Answer", "answer_of", "is_setup_of", "probe_job", "probe_name"]

AGREES, DIFFERS, UNREACHABLE, UNKNOWN = "agrees", "differs", "unreachable", "unknown"
# By the name in results, how people write it.
DATABASES = {"postgres": "PostgreSQL", "clickhouse": "ClickHouse"}
# Seconds that a Job stays whose run was killed before it took it away.
KEPT_SECONDS = 300
TOLD = "/run/lms/told"
_BASES = {"postgres": postgres_job_base, "clickhouse": clickhouse_job_base}

# Each ends well and leaves its answer: "agrees", or the database's own words. Logins hold no character that needs a mark before it.
_SCRIPTS = {
    "postgres": r"""set -euo pipefail
umask 077
cd /run/lms
printf '*:*:*:*:%s\n' "$(<credentials/postgres-password)" > work/pgpass
PGUSER=$(<credentials/postgres-user)
export PGUSER PGDATABASE=$DATABASE PGPASSFILE=/run/lms/work/pgpass
if acts_as=$(psql --no-psqlrc --no-password --tuples-only --no-align --command='SELECT current_user' 2> work/why); then
  [ "$acts_as" = "$DATABASE" ] && echo agrees > told || echo "login $PGUSER acts as $acts_as, not as $DATABASE" > told
else
  tail -c 2000 work/why > told
fi
""",
    "clickhouse": r"""set -euo pipefail
umask 077
cd /run/lms
printf '<config><user>%s</user><password>%s</password>%s</config>\n' \
  "$(<credentials/clickhouse-user)" "$(<credentials/clickhouse-password)" "${CLIENT_CONFIG:-}" > work/client.xml
if seen=$(clickhouse-client --config-file work/client.xml --host "$SERVER_HOST" --port "$SERVER_PORT" ${SECURE:+"$SECURE"} --multiquery \
  2> work/why <<< "SELECT count() FROM system.databases WHERE name = '$DATABASE'"); then
  [ "$seen" = 1 ] && echo agrees > told || echo "database $DATABASE does not exist, or the login does not see it" > told
else
  tail -c 2000 work/why > told
fi
""",
}

# Causes of the diagnosis that the setup Job takes away, and those that keep a login from being tried at all.
_REPAIRED = frozenset({"client_password", "client_rights", "database_missing"})
_ON_THE_WAY = frozenset(
    {
        "cluster_dns",
        "database_closed",
        "database_host_unknown",
        "database_silent",
        "database_starting",
        "database_tls",
        "login_not_admitted",
        "too_many_connections",
    }
)
# What a login is refused with that is there no more, is closed, or is another's: words that only a probe meets.
_NO_LOGIN = re.compile(r'role "[^"]+" (does not exist|is not permitted to log in)|login \S+ acts as \S+, not as \S+')


@dataclass(frozen=True)
class Answer:
    """What a probe has found: agrees, differs, unreachable or unknown; why and what to do next are sentences, empty where it agrees."""

    state: str
    why: str = ""
    next: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the answer as a task's result shows it."""
        return asdict(self)


def is_setup_of(database: str, client: ClientId, obj: Obj) -> bool:
    """Return whether a rendered object is the Job that sets up a client's database."""
    name = str((obj.get("metadata") or {}).get("name", ""))
    return obj.get("kind") == "Job" and name.startswith(f"{_BASES[database](client)}-")


def probe_name(database: str, client: ClientId, token: str) -> str:
    """Return the name of a probe: `postgres-probe-c42-5f1c0a12`. token: of the run, so that two runs do not meet."""
    return f"{database}-probe-{client.name}-{token}"


def probe_job(setup: Obj, database: str, client: ClientId, token: str, *, deadline: int) -> Obj:
    """Return the Job that logs in as a client. setup: the rendered Job that sets the database up; deadline: seconds that it may take."""
    pod = copy.deepcopy(setup["spec"]["template"])
    foreign = _foreign_secrets(pod["spec"], client)
    pod["spec"]["volumes"] = [volume for volume in pod["spec"].get("volumes") or [] if volume["name"] not in foreign]
    container = pod["spec"]["containers"][0]
    container["volumeMounts"] = [mount for mount in container.get("volumeMounts") or [] if mount["name"] not in foreign]
    container |= {"command": ["/bin/bash", "-c"], "args": [_SCRIPTS[database]], "terminationMessagePath": TOLD}
    pod["spec"] |= {"containers": [container], "restartPolicy": "Never"}
    metadata = {
        "name": probe_name(database, client, token),
        "namespace": setup["metadata"]["namespace"],
        "labels": setup["metadata"]["labels"],
    }
    spec = {"backoffLimit": 0, "activeDeadlineSeconds": deadline, "ttlSecondsAfterFinished": KEPT_SECONDS, "template": pod}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def answer_of(told: str, database: str, client: ClientId, namespace: str) -> Answer:
    """Return what the text means that a probe has left. namespace: of the client's environment."""
    if told.strip() == AGREES:
        return Answer(AGREES)
    repair = f"provision_client.yml -e client={client} -e redo=databases gives {DATABASES[database]} what the Secret holds"
    refused = _NO_LOGIN.search(told)
    if refused:
        return Answer(DIFFERS, f"{DATABASES[database]}: {refused[0]}", repair)
    log = LogKey("probe", f"{database}-probe", previous=False)
    symptom = Symptom("crash", f"{database}-probe", "Error", told, container=log.container, log=log, facts={"container": log.container})
    found = recognise([symptom], Seen(client, namespace, logs={log: tuple(told.splitlines())}))
    if not found or found[0].cause not in _REPAIRED | _ON_THE_WAY:
        first = next((line for line in told.splitlines() if line.strip()), "the probe told nothing")
        return Answer(UNKNOWN, f"{DATABASES[database]}: {first.strip()}", "correct that, then ask again")
    if found[0].cause in _REPAIRED:
        return Answer(DIFFERS, found[0].message, repair)
    return Answer(UNREACHABLE, found[0].message, found[0].next)


def _foreign_secrets(spec: t.Mapping[str, t.Any], client: ClientId) -> set[str]:
    """Return the names of a pod's volumes with Secrets other than the client's own: those of the administrator."""
    named = {volume["name"]: (volume.get("secret") or {}).get("secretName") for volume in spec.get("volumes") or []}
    return {name for name, secret in named.items() if secret and secret != credentials_secret_name(client)}
