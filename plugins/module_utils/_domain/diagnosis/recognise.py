# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From symptoms to findings: the tables of causes, looked through in their order."""

from __future__ import annotations

import re
import typing as t

from .causes_logs import LOG_CAUSES
from .causes_pods import POD_CAUSES
from .causes_rollout import ROLLOUT_CAUSES
from .model import Cause, Finding, Seen, Severity, Symptom

__all__ = ["CAUSES", "PROGRAM_ENDS", "SYMPTOM_CAUSES", "recognise"]

SYMPTOM_CAUSES: tuple[Cause, ...] = (*ROLLOUT_CAUSES, *POD_CAUSES)
# Every cause that there is a name for; the order is that in which findings are told: what comes first explains what follows.
CAUSES: tuple[Cause, ...] = (*LOG_CAUSES, *SYMPTOM_CAUSES)
_ORDER = {cause.name: number for number, cause in enumerate(CAUSES)}

# What a message may hold and no pattern should find: addresses with tags, digests or ports that look like a status.
_URL = re.compile(r"https?://[^\s\"]*[^\s\":,.]")
_DATABASES = (
    (
        re.compile(r"clickhouse|DB::", re.IGNORECASE),
        {
            "database": "ClickHouse",
            "host_setting": "lms_clickhouse_host",
            "address_settings": "lms_clickhouse_host, lms_clickhouse_port",
            "tls_settings": "lms_clickhouse_secure or lms_clickhouse_ca",
        },
    ),
    (
        re.compile(r"postgres|psql|SQLSTATE|\bpg_|\b(pq|pgx?): |password authentication failed for user", re.IGNORECASE),
        {
            "database": "PostgreSQL",
            "host_setting": "lms_postgres_host",
            "address_settings": "lms_postgres_host, lms_postgres_port",
            "tls_settings": "lms_postgres_sslmode or lms_postgres_ca",
        },
    ),
)
_ANY_DATABASE = {
    "database": "the database",
    "host_setting": "lms_postgres_host or lms_clickhouse_host",
    "address_settings": "lms_postgres_host, lms_postgres_port, lms_clickhouse_host, lms_clickhouse_port",
    "tls_settings": "lms_postgres_sslmode, lms_postgres_ca, lms_clickhouse_secure or lms_clickhouse_ca",
}
# A line by which a program ends whatever the lines before it say, and one that says that it got over them.
_LAST_WORD = re.compile(r"^\W*(panic|fatal error|Traceback|Exception in thread)\b")
_GOT_OVER = re.compile(r"(?<!not )(?<!not yet )\b(re)?(connected|connection established|listening|serving|up and running)\b", re.IGNORECASE)
# What the exit codes of signals mean: 128 and the signal's number.
_MEANINGS = {137: " (killed: SIGKILL)", 139: " (crashed: segmentation fault)", 143: " (told to end: SIGTERM)"}
# Facts that were proven by this very look, so that they hold however old the message is that named them.
_PROVEN = {"absent", "missing_pull_secrets"}
_LOG_HINT = "see `ansible-playbook logs_client.yml -e client={client} -e previous=true`, correct what it says"
# Reasons with which a program ended that had begun; the others are of programs that could not be started.
PROGRAM_ENDS = frozenset({"Error", "Completed", "OOMKilled"})
_NOISE = re.compile(r"\brpc error: code = \w+ desc = ")
_EVIDENCE_LENGTH = 500


class _Facts(dict[str, t.Any]):
    """Facts for a sentence; what is not known is named by its word, so that a sentence never fails."""

    def __missing__(self, key: str) -> str:
        return f"({key})"


def recognise(symptoms: t.Iterable[Symptom], seen: Seen, *, setup: bool = False) -> list[Finding]:
    """Return what the symptoms mean, one finding a cause, the first cause first.

    setup: the containers are those of database Jobs, so their logs are read by the rows about those.
    """
    found: dict[tuple[str, str, str], Finding] = {}
    for symptom in symptoms:
        finding = _finding(symptom, seen, setup=setup)
        if finding is not None:
            found.setdefault((finding.cause, finding.container, finding.message), finding)
    ranks = {Severity.FATAL: 0, Severity.WAITING: 1, Severity.NOTE: 2}
    return sorted(found.values(), key=lambda one: (ranks[one.severity], _ORDER[one.cause]))


def _finding(symptom: Symptom, seen: Seen, *, setup: bool) -> Finding | None:
    """Return what one symptom means, None where no row knows it."""
    facts = {
        **symptom.facts,
        "namespace": seen.namespace,
        "client": seen.client.id,
        "reason": symptom.reason,
        "again": "the same command again" if seen.waited else f"ansible-playbook provision_client.yml -e client={seen.client}",
        "meaning": _MEANINGS.get(symptom.facts.get("exit_code", 0), ""),
    }
    log = _log_of(symptom, seen)
    facts["log_hint"] = "correct what the log says" if log else _LOG_HINT.format_map(facts)
    speaks = symptom.subject == "crash" and symptom.reason != "OOMKilled"
    text = "\n".join([symptom.message, *log]) if speaks else symptom.message
    text = _URL.sub("", text.replace(facts["image"], "") if facts.get("image") else text)
    told = _by_log(log, facts, setup=setup) if speaks else None
    match = told or _by_table(SYMPTOM_CAUSES, symptom.subject, symptom.reason, text, facts)
    if match is None:
        return None
    cause, facts = match
    message = "" if _is_log(symptom) else _NOISE.sub("", symptom.message)
    stale = symptom.stale and cause.needs not in _PROVEN
    settled = not stale and (symptom.settled or (told is not None and symptom.settled_by_log))
    return Finding(
        cause=cause.name,
        severity=Severity.WAITING if cause.severity is Severity.FATAL and not settled else cause.severity,
        object=symptom.object,
        container=symptom.container,
        reason=symptom.reason,
        message=cause.sentence.format_map(_Facts(facts)),
        since=symptom.since,
        evidence=tuple(line[:_EVIDENCE_LENGTH] for line in (message, *symptom.evidence) if line),
        log=log,
        next=cause.next.format_map(_Facts(facts)),
        exit_code=symptom.facts.get("exit_code") if isinstance(symptom.facts.get("exit_code"), int) else None,
        stale=stale,
    )


def _is_log(symptom: Symptom) -> bool:
    """Return whether the message is the end of the container's own log, and not Kubernetes' word."""
    return symptom.subject in ("crash", "restart") and symptom.reason in PROGRAM_ENDS


def _log_of(symptom: Symptom, seen: Seen) -> tuple[str, ...]:
    """Return the last lines of the log; where it was not read, what the kubelet kept of it (terminationMessagePolicy)."""
    if symptom.log is None:
        return ()
    kept = symptom.message.splitlines() if _is_log(symptom) else []
    return tuple(seen.logs.get(symptom.log) or [line for line in kept if line.strip()])


def _by_log(log: t.Sequence[str], facts: t.Mapping[str, t.Any], *, setup: bool) -> tuple[Cause, dict[str, t.Any]] | None:
    """Return the row that the last telling line of a log fits, with which database that line speaks of.

    What stands above a panic, or above a line that says that the program got over it, ended nothing.
    """
    for line in reversed(log):
        where = f"{facts.get('container', '')} {line}"
        database = next((known for pattern, known in _DATABASES if pattern.search(where)), _ANY_DATABASE)
        told = _by_table(LOG_CAUSES, "setup" if setup else "service", "", line, {**facts, **database})
        if told is not None or _LAST_WORD.search(line) or _GOT_OVER.search(line):
            return told
    return None


def _by_table(
    table: t.Sequence[Cause], subject: str, reason: str, text: str, facts: t.Mapping[str, t.Any]
) -> tuple[Cause, dict[str, t.Any]] | None:
    """Return the first row that fits, with all facts for its sentences."""
    for cause in table:
        known = cause.facts_of(subject, reason, text, facts)
        if known is not None:
            return cause, known
    return None
