# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at random moments, several times in a row, and run again: no secret changes by itself, no id is lost, nothing is left over.

RARUS_LMS_SEED=NUMBER repeats the moments of an earlier session, whose seed a failure prints. RARUS_LMS_KILL_PARTS=NUMBER makes twenty kills
so many times in `make soak`, instead of five. How many kills ended well is kept for `make bench`.
"""

from __future__ import annotations

import base64
import json
import os
import random
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.names import organisation_index_name
from support.deployer import audit_of
from support.ids import fresh
from support.kills import note_kills
from support.lab import Lab, Prepared
from support.runs import Run

PARTS = int(os.environ.get("RARUS_LMS_KILL_PARTS") or 5)
SEED = int(os.environ.get("RARUS_LMS_SEED") or random.SystemRandom().randrange(10**6))
# The longest that a run takes here on a quiet machine; a kill after the end of a run is a kill as well.
PROVISION_SECONDS, ROTATE_SECONDS = 9.0, 22.0
# A killed run's Lease frees itself; here it need not be waited for long.
SHORT_LEASE = {"lms_lease_seconds": 2}
AT_ONCE = 2
KINDS = "configmap,secret,service,ingress,deployment,job,lease"
# What a client has when all is well; the names of the Jobs go on by a hash.
OBJECTS = [
    "ConfigMap/lms-client-{name}",
    "ConfigMap/lms-config-{name}",
    "Deployment/lms-deployment-{name}",
    "Ingress/client-lms-ingress-{name}",
    "Job/clickhouse-setup-{name}",
    "Job/postgres-setup-{name}",
    "Lease/lms-client-{name}",
    "Secret/lms-credentials-{name}",
    "Secret/rsa-secret-{name}",
    "Service/lms-service-{name}",
]
PERSON = {"name": "Anna", "role": "IT", "phones": ["+4930901820"], "mailboxes": ["anna@company.example"]}


@pytest.fixture(scope="module")
def dev(lab: Lab) -> Prepared:
    """The namespace lms-dev."""
    return lab.prepare()


def secrets_of(prepared: Prepared, client: str) -> dict[str, dict[str, str]]:
    """Return the data of the client's Secrets by name."""
    found = prepared.lab.get("secret", "", prepared.namespace, selector=f"rarus.lms/client={client}").get("items", [])
    return {secret["metadata"]["name"]: secret["data"] for secret in found}


def objects_of(prepared: Prepared, client: str) -> list[str]:
    """Return "Kind/name" of all that bears the client's label, Jobs without their hash and once each."""
    found = prepared.lab.get(KINDS, "", prepared.namespace, selector=f"rarus.lms/client={client}")["items"]
    names = [(one["kind"], one["metadata"]["name"]) for one in found]
    return sorted({f"{kind}/{name.rpartition('-')[0] if kind == 'Job' else name}" for kind, name in names})


def killed(prepared: Prepared, playbook: str, seconds: float, **variables: object) -> None:
    """Begin a playbook and kill it after so many seconds."""
    run = Run(prepared, playbook, **variables, **SHORT_LEASE)
    time.sleep(seconds)
    run.kill()


def finished(prepared: Prepared, playbook: str, client: str, **variables: object) -> str:
    """Run a playbook to its end."""
    code, output = Run(prepared, playbook, client=client, **variables, **SHORT_LEASE).ended()
    assert (code, f"{client} is ready" in output) == (0, True), output
    return output


def expect_well(prepared: Prepared, client: str, *more: str) -> None:
    """Assert that nothing is left to be done, and nothing left over; more: objects that this client has besides."""
    audit = audit_of(prepared)
    assert f"{client} is ready, nothing changed" in finished(prepared, "provision_client", client)
    assert [write for write in audit.writes() if client.lower() in write] == []
    assert objects_of(prepared, client) == sorted(one.format(name=client.lower()) for one in (*OBJECTS, *more))


def provisioned_under_kills(prepared: Prepared, moments: list[float]) -> str:
    """Provision a client, killed at each of the moments before it may go on to the end; return its id."""
    client = fresh()
    known: dict[str, dict[str, str]] = {}
    for moment in moments:
        killed(prepared, "provision_client", moment, client=client)
        found = secrets_of(prepared, client)
        assert {name: found.get(name) for name in known} == known, "a secret changed"
        known = found
    finished(prepared, "provision_client", client)
    found = secrets_of(prepared, client)
    assert {name: found.get(name) for name in known} == known, "a secret changed"
    assert len(found) == 2
    expect_well(prepared, client)
    return client


def clients_of(prepared: Prepared, organisation: str) -> list[str]:
    """Return the clients on the list that have an organisation."""
    records = prepared.lab.get("configmap", "", prepared.namespace, selector="rarus.lms/record=client")["items"]
    return [record["data"]["client"] for record in records if record["data"]["organisation"] == organisation]


def formed_under_kills(prepared: Prepared, moments: list[float]) -> str:
    """Provision an organisation, whose client's id is formed, killed at each of the moments; return the id.

    The operator types the same form again until the organisation has a client, whose id refuses it; that client from then on.
    """
    organisation = f"Brot {uuid.uuid4()}"
    form = {"organisation": organisation, "contacts": [PERSON]}
    for moment in moments:
        known = clients_of(prepared, organisation)
        assert len(known) <= 1, "an organisation has two clients"
        killed(prepared, "provision_client", moment, **form, **({"client": known[0]} if known else {}))
    code, output = Run(prepared, "provision_client", **form, **SHORT_LEASE).ended()
    (client,) = clients_of(prepared, organisation)
    if code:
        assert f"organisation: is that of {client} already" in output, output
        finished(prepared, "provision_client", client, **form)
    index = prepared.lab.get("configmap", organisation_index_name(organisation), prepared.namespace)
    assert index["data"]["client"] == client
    contacts = prepared.lab.get("secret", f"lms-contacts-{client.lower()}", prepared.namespace)
    assert json.loads(base64.b64decode(contacts["data"]["contacts"])) == [PERSON]
    expect_well(prepared, client, "Secret/lms-contacts-{name}")
    return client


def rotated_under_kills(prepared: Prepared, moments: list[float]) -> str:
    """Rotate both passwords of a client, killed at each of the moments before it may go on to the end; return its id."""
    client = fresh()
    finished(prepared, "provision_client", client)
    before = secrets_of(prepared, client)
    rotation = {"client": client, "credentials": "postgres,clickhouse"}
    for moment in moments:
        killed(prepared, "rotate_credentials", moment, **rotation)
    code, output = Run(prepared, "rotate_credentials", **rotation, **SHORT_LEASE).ended()
    assert code == 0, output
    after = secrets_of(prepared, client)
    credentials = f"lms-credentials-{client.lower()}"
    assert set(after[credentials]) == set(before[credentials]), "a rotation has not come to its end"
    kept = ("keys-secret-seed", "fingerprint-key")
    assert [after[credentials][key] for key in kept] == [before[credentials][key] for key in kept]
    assert after[f"rsa-secret-{client.lower()}"] == before[f"rsa-secret-{client.lower()}"]
    assert after[credentials]["postgres-password"] != before[credentials]["postgres-password"]
    expect_well(prepared, client)
    return client


def all_chains(prepared: Prepared, seed: int, name: str) -> list[str]:
    """Run five chains, a few at once, each with four kills; return the clients. The seed decides the moments.

    name: under which the number of kills that ended well is kept.
    """
    source, kills = random.Random(seed), 4
    chains: list[tuple[Callable[[Prepared, list[float]], str], float]] = []
    chains += [(provisioned_under_kills, PROVISION_SECONDS)] * 2 + [(formed_under_kills, PROVISION_SECONDS)]
    chains += [(rotated_under_kills, ROTATE_SECONDS)] * 2
    moments = [sorted(source.uniform(0.3, longest) for _kill in range(kills)) for _chain, longest in chains]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun = [pool.submit(chain, prepared, when) for (chain, _longest), when in zip(chains, moments, strict=True)]
        note_kills(name, kills * len(chains), kills * sum(one.exception() is None for one in begun))
        return [one.result() for one in begun]


def test_twenty_kills(dev: Prepared) -> None:
    print(f"seed {SEED}")
    clients = all_chains(dev, SEED, "make test")
    assert len(set(clients)) == 5


@pytest.mark.soak
@pytest.mark.parametrize("part", range(PARTS))
def test_a_hundred_kills(dev: Prepared, part: int) -> None:
    print(f"seed {SEED + part}")
    assert len(all_chains(dev, SEED + part, f"make soak, part {part}")) == 5
