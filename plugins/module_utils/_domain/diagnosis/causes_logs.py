# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Causes that only the log of the container that ended tells: databases (in the words of both and of their drivers) and variables.

Subject `setup` is a database Job's container, `service` the back end's. A row about something that may come back (a server that is away)
is waited for, also after the container crashed twice.
"""

from __future__ import annotations

from .model import AGAIN, Cause, Severity

__all__ = ["LOG_CAUSES"]

_ANY = "setup service"
_REFUSED_LOGIN = r"password authentication failed|Authentication failed|failed SASL auth|AUTHENTICATION_FAILED|\bcode: 516\b"

LOG_CAUSES = (
    Cause(
        "database_foreign",
        "setup",
        "{why}",
        f"{{advice}} {AGAIN.capitalize()}",
        r"^refused: (?P<why>[^\n]+?)\. (?P<advice>Add [^\n]+)",
    ),
    Cause("setup_refused", "setup", "the setup refused: {why}", f"correct that, {AGAIN}", r"^refused: (?P<why>[^\n]+)"),
    Cause(
        "administrator_password",
        "setup",
        "{database} refused the administrator's password",
        f"correct {{admin_password}}, {AGAIN}",
        _REFUSED_LOGIN,
    ),
    Cause(
        "client_password",
        "service",
        "{database} refused the client's own password, as the Secret and the database differ",
        "ansible-playbook provision_client.yml -e client={client} -e redo=databases",
        _REFUSED_LOGIN,
    ),
    Cause(
        "login_not_admitted",
        _ANY,
        "PostgreSQL admits no such login from the cluster (pg_hba.conf): {why}",
        f"add the entry to the server's pg_hba.conf, {AGAIN}",
        r"no pg_hba\.conf entry for (?P<why>[^\n(]+)",
    ),
    Cause(
        "cluster_dns",
        _ANY,
        "the cluster's DNS gave no answer for the host of {database}",
        f"check {{host_setting}}; ask the cluster's owners whether the cluster's DNS runs and NetworkPolicies let pods reach it; {AGAIN}",
        r"Temporary failure in name resolution|server misbehaving|lookup \S+ on \S+:53: .*(i/o timeout|refused)",
        severity=Severity.WAITING,
    ),
    Cause(
        "database_host_unknown",
        _ANY,
        "{database} was not found: its host name cannot be resolved",
        f"correct {{host_setting}} in the catalogue, {AGAIN}",
        r"could not translate host name|no such host|Not found address of host|Name or service not known|Name does not resolve",
    ),
    Cause(
        "too_many_connections",
        _ANY,
        "{database} has no connection left",
        f"close connections, or raise the server's limit, {AGAIN}",
        r"too many clients already|remaining connection slots are reserved|too many connections|too[ _]many[ _]simultaneous[ _]queries",
        severity=Severity.WAITING,
    ),
    Cause(
        "database_starting",
        _ANY,
        "{database} is starting up or shutting down",
        f"see whether the server comes up, {AGAIN}",
        r"the database system is (starting up|shutting down|in recovery mode|not yet accepting)",
        severity=Severity.WAITING,
    ),
    Cause(
        "database_closed",
        _ANY,
        "{database} accepts no connection: its port is closed, or a NetworkPolicy blocks the way",
        f"see whether the server runs and listens ({{address_settings}}), {AGAIN}",
        r"connection refused|No route to host|network is unreachable",
        severity=Severity.WAITING,
    ),
    Cause(
        "database_silent",
        _ANY,
        "{database} does not answer: a firewall or a NetworkPolicy drops the packets on the way",
        f"have firewalls and NetworkPolicies between the nodes and {{host_setting}} checked, {AGAIN}",
        r"timeout expired|timed out|i/o timeout|Timeout exceeded|SOCKET_TIMEOUT|context deadline exceeded",
        severity=Severity.WAITING,
    ),
    Cause(
        "database_tls",
        _ANY,
        "{database} and the client do not agree on TLS: {why}",
        f"correct {{tls_settings}}, {AGAIN}",
        r"(?P<why>server does not support SSL[^\n]*|certificate verify failed|x509: [^\n]+|tls: [^\n]+|SSL error: [^\n]+)",
    ),
    Cause(
        "extension_absent",
        "setup",
        "PostgreSQL's server lacks the extension {extension}",
        f"install it on the server (package postgresql-contrib), {AGAIN}",
        r'extension (control file "[^"]*/|")(?P<extension>[\w-]+)(\.control"|" is not available)',
    ),
    Cause(
        "database_read_only",
        _ANY,
        "{database} is a read-only standby",
        f"set {{host_setting}} to the primary server, {AGAIN}",
        r"read-only transaction|readonly mode|\bREADONLY\b",
    ),
    Cause(
        "database_disk_full",
        _ANY,
        "the disk of {database} is full",
        f"free space on the database server, {AGAIN}",
        r"No space left on device|not[ _]enough[ _]space|disk full",
        severity=Severity.WAITING,
    ),
    Cause(
        "administrator_rights",
        "setup",
        "{database}'s administrator lacks a right: {why}",
        f"grant it, or name another administrator in {{admin_secret}}, {AGAIN}",
        r"(?P<why>(permission denied|must be (superuser|owner|member|able to SET ROLE)|Not enough privileges|ACCESS_DENIED)[^\n]*)",
    ),
    Cause(
        "client_rights",
        "service",
        "{database} denies the client a right: {why}",
        "ansible-playbook provision_client.yml -e client={client} -e redo=databases",
        r"(?P<why>permission denied[^\n]*|Not enough privileges[^\n]*|ACCESS_DENIED|function \w+\([^\n]*\) does not exist)",
    ),
    Cause(
        "statement_unknown",
        "setup",
        "{database} does not understand a statement of the setup; is its version too old? {why}",
        f"see the log; update the server, or replace the Job's template, {AGAIN}",
        r"(?P<why>Syntax error[^\n]*|syntax error at or near[^\n]*|UNKNOWN_ACCESS_TYPE)",
    ),
    Cause(
        "database_missing",
        "service",
        "{database} has no database of the client's",
        "ansible-playbook provision_client.yml -e client={client} -e redo=databases",
        r'database "?[\w-]+"? does not exist|UNKNOWN_DATABASE|\bcode: 81\b',
    ),
    Cause(
        "variable_unresolved",
        "service",
        "{variable} still holds the reference {reference}: nothing above it in the container's env defines it",
        f"correct the template's env, {AGAIN}",
        r"(?P<variable>[A-Z][A-Z0-9_]+): still holds the reference (?P<reference>\$\([^)\s]+\))",
    ),
    Cause(
        "variable_missing",
        "service",
        "the back end lacks the variable {variable}",
        f"set it in lms_environment or in the template, {AGAIN}",
        r"(?P<variable>LMS_[A-Z0-9_]+)\W+(is )?(not set|empty|missing|required)",
    ),
    Cause(
        "variable_wrong",
        "service",
        "the back end refuses {variable}: {why}",
        f"correct it in the catalogue, {AGAIN}",
        r"(?P<variable>LMS_[A-Z0-9_]+): (?P<why>(is |must |not |no |cannot |could not |invalid|unknown|wrong|bad |malformed)[^\n]*)",
    ),
)
