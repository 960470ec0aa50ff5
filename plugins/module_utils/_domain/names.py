# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names, labels and annotations that the collection's objects bear (spec, section 6 and 10)."""

from __future__ import annotations

import hashlib
import typing as t

from .client_id import ClientId
from .organisation import comparable

__all__ = [
    "APP_LABEL",
    "CATALOGUE_LABEL",
    "CHECKSUM",
    "CLIENT_LABEL",
    "COUNTER_NAME",
    "FIELD_MANAGER",
    "FINGERPRINT",
    "HASH",
    "JOB_UID_LABEL",
    "MADE",
    "MANAGED_BY",
    "MANAGER",
    "ORGANISATION_LABEL",
    "PHASE_LABEL",
    "PROBE_NAME",
    "RECORD_LABEL",
    "RECORD_OF_CLIENT",
    "RECORD_OF_CONTACTS",
    "RECORD_OF_ORGANISATION",
    "ROTATED",
    "ROTATION",
    "WRITE",
    "app_label",
    "clickhouse_job_base",
    "config_name",
    "contacts_secret_name",
    "credentials_secret_name",
    "database_name",
    "deployment_name",
    "escrow_secret_name",
    "ingress_name",
    "is_ours",
    "labels",
    "lease_name",
    "organisation_index_name",
    "postgres_job_base",
    "record_name",
    "route_name",
    "rsa_secret_name",
    "selector",
    "service_name",
]

MANAGER = "rarus.lms"
FIELD_MANAGER = MANAGER

MANAGED_BY = "app.kubernetes.io/managed-by"
CLIENT_LABEL = "rarus.lms/client"
APP_LABEL = "app"
# Kubernetes' own, on the pods of a Job: the Job's uid.
JOB_UID_LABEL = "batch.kubernetes.io/controller-uid"
# On records alone, so that they can be listed without the other ConfigMaps.
RECORD_LABEL = "rarus.lms/record"
RECORD_OF_CLIENT = "client"
# On the Secrets beside the records.
RECORD_OF_CONTACTS = "contacts"
# On the ConfigMaps beside the records that name the first client of an organisation.
RECORD_OF_ORGANISATION = "organisation"
CATALOGUE_LABEL = "rarus.lms/catalogue"
PHASE_LABEL = "rarus.lms/phase"
# The name of a client's organisation as far as a label can hold it (organisation.slug).
ORGANISATION_LABEL = "rarus.lms/organisation"
# The ConfigMap, beside the records, that says which id was formed last.
COUNTER_NAME = "lms-client-counter"
# Digits of the hash in the name of an organisation's index.
_ORGANISATION_DIGITS = 16

# What the names of the Jobs begin with that ask public paths; each lives for as long as it asks.
PROBE_NAME = "lms-probe"

HASH = "rarus.lms/hash"
CHECKSUM = "rarus.lms/checksum"
FINGERPRINT = "rarus.lms/fingerprint"
# When a Secret was made (ISO 8601, UTC), and the mark by which a write is known again when its answer was lost.
MADE = "rarus.lms/made"
WRITE = "rarus.lms/write"
# On a client's Secrets: how far a rotation has come, and when which of the values were last made anew (both JSON, no value among them).
ROTATION = "rarus.lms/rotation"
ROTATED = "rarus.lms/rotated"


def labels(client: ClientId) -> dict[str, str]:
    """Return the labels that say that an object is the collection's and this client's."""
    return {MANAGED_BY: MANAGER, CLIENT_LABEL: client.id}


def selector(client: ClientId | None = None) -> str:
    """Return the label selector of all objects of the collection, or of one client's."""
    ours = f"{MANAGED_BY}={MANAGER}"
    return ours if client is None else f"{ours},{CLIENT_LABEL}={client.id}"


def is_ours(obj: t.Mapping[str, t.Any], client: ClientId) -> bool:
    """Return whether an object's labels say that it is the collection's and this client's."""
    found = (obj.get("metadata") or {}).get("labels") or {}
    return all(found.get(key) == value for key, value in labels(client).items())


def app_label(client: ClientId) -> str:
    """Return the value of the label `app`, by which the Service and the Deployment select pods: `C42-lms`."""
    return f"{client.id}-lms"


def record_name(client: ClientId) -> str:
    """Return the name of the ConfigMap that is the client's record: `lms-client-c42`."""
    return f"lms-client-{client.name}"


def contacts_secret_name(client: ClientId) -> str:
    """Return the name of the Secret with the client's contacts, beside the record: `lms-contacts-c42`."""
    return f"lms-contacts-{client.name}"


def lease_name(client: ClientId) -> str:
    """Return the name of the Lease that keeps two runs from working on one client: `lms-client-c42`."""
    return record_name(client)


def organisation_index_name(organisation: str) -> str:
    """Return the name of the ConfigMap that names an organisation's first client: `lms-organisation-` and 16 hexadecimal digits."""
    digest = hashlib.sha256(comparable(organisation).encode()).hexdigest()
    return f"lms-organisation-{digest[:_ORGANISATION_DIGITS]}"


def credentials_secret_name(client: ClientId) -> str:
    """Return the name of the Secret with seed, logins and passwords: `lms-credentials-c42`."""
    return f"lms-credentials-{client.name}"


def rsa_secret_name(client: ClientId) -> str:
    """Return the name of the Secret with the private key: `rsa-secret-c42`."""
    return f"rsa-secret-{client.name}"


def escrow_secret_name(client: ClientId) -> str:
    """Return the name of the Secret, in another namespace, with the encrypted copy of the client's Secrets: `lms-escrow-c42`."""
    return f"lms-escrow-{client.name}"


def config_name(client: ClientId) -> str:
    """Return the name of the ConfigMap with the environment variables: `lms-config-c42`."""
    return f"lms-config-{client.name}"


def service_name(client: ClientId) -> str:
    """Return the name of the Service: `lms-service-c42`."""
    return f"lms-service-{client.name}"


def deployment_name(client: ClientId) -> str:
    """Return the name of the Deployment: `lms-deployment-c42`."""
    return f"lms-deployment-{client.name}"


def ingress_name(client: ClientId) -> str:
    """Return the name of the Ingress: `client-lms-ingress-c42`."""
    return f"client-lms-ingress-{client.name}"


def route_name(client: ClientId) -> str:
    """Return the name of the HTTPRoute, the Gateway API's form of the Ingress: `client-lms-route-c42`."""
    return f"client-lms-route-{client.name}"


def postgres_job_base(client: ClientId) -> str:
    """Return what the PostgreSQL Job's name begins with, before the hash of its content: `postgres-setup-c42`."""
    return f"postgres-setup-{client.name}"


def clickhouse_job_base(client: ClientId) -> str:
    """Return what the ClickHouse Job's name begins with, before the hash of its content: `clickhouse-setup-c42`."""
    return f"clickhouse-setup-{client.name}"


def database_name(client: ClientId, prefix: str = "") -> str:
    """Return the name of the client's database and of its owner's role, in PostgreSQL and ClickHouse alike: `c42`."""
    return f"{prefix}{client.name}"
