"""Many records of clients, as provisioned ones are: python records.py NAMESPACE COUNT, in a lab, with K8S_AUTH_* of a deployer."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import MADE, Record
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import connect

__all__ = ["record"]

CONNECTIONS = 8
DATE, ACTOR, HASH = "2026-11-21T09:00:00Z", "anna@controller (AWX job 4711)", "0123456789abcdef"
JOBS = ("postgres-setup", "clickhouse-setup")
OBJECTS = (
    "/ConfigMap/lms-config",
    "/Service/lms-service",
    "networking.k8s.io/Ingress/client-lms-ingress",
    "apps/Deployment/lms-deployment",
)


def record(number: int, namespace: str) -> dict[str, Any]:
    """Return the record of a client that was provisioned, of an organisation of its own."""
    client = ClientId(number)
    made: dict[str, Any] = Record(
        client=client,
        catalogue="lms-dev",
        namespace="lms-dev",
        registry_namespace=namespace,
        organisation=f"«Ромашка № {number}»",
        phase_since=DATE,
        credentials=MADE,
        databases={f"{job}-{client.name}": HASH for job in JOBS},
        objects={f"{prefix}-{client.name}": HASH for prefix in OBJECTS},
        created=DATE,
        created_by=ACTOR,
        applied=DATE,
        applied_by=ACTOR,
        result="ready",
        version="0.1.0",
        epoch=2,
        epoch_by=ACTOR,
    ).to_object()
    return made


def fill(namespace: str, count: int) -> None:
    """Create the records C1 to C<count> by several connections at once."""
    environment = {"host": "K8S_AUTH_HOST", "api_key": "K8S_AUTH_API_KEY", "ca_cert": "K8S_AUTH_SSL_CA_CERT"}
    api = connect({option: os.environ[variable] for option, variable in environment.items()})
    numbers = itertools.count(1)

    def create(lots: Iterator[int]) -> None:
        for number in itertools.takewhile(lambda number: number <= count, lots):
            api.create(record(number, namespace))

    with ThreadPoolExecutor(CONNECTIONS) as workers:
        for done in [workers.submit(create, numbers) for _connection in range(CONNECTIONS)]:
            done.result()


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]))
