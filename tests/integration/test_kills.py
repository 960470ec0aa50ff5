# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at random moments, several times in a row, and run again: no secret changes by itself, no id is lost, nothing is left over.

RARUS_LMS_SEED=NUMBER repeats the moments of an earlier session, whose seed a failure prints.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.deployer import audit_of
from support.ids import fresh
from support.lab import Lab, Prepared
from support.runs import Run

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


def expect_well(prepared: Prepared, client: str) -> None:
    """Assert that nothing is left to be done, and nothing left over."""
    audit = audit_of(prepared)
    assert f"{client} is ready, nothing changed" in finished(prepared, "provision_client", client)
    assert [write for write in audit.writes() if client.lower() in write] == []
    assert objects_of(prepared, client) == [one.format(name=client.lower()) for one in OBJECTS]


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


def all_chains(prepared: Prepared, seed: int, provisions: int, rotations: int, kills: int) -> list[str]:
    """Run the chains, a few at once, each with so many kills; return the clients. The seed decides the moments."""
    source = random.Random(seed)
    chains: list[tuple[Callable[[Prepared, list[float]], str], float]] = []
    chains += [(provisioned_under_kills, PROVISION_SECONDS)] * provisions + [(rotated_under_kills, ROTATE_SECONDS)] * rotations
    moments = [sorted(source.uniform(0.3, longest) for _kill in range(kills)) for _chain, longest in chains]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun = [pool.submit(chain, prepared, when) for (chain, _longest), when in zip(chains, moments, strict=True)]
        return [one.result() for one in begun]


def test_twenty_kills(dev: Prepared) -> None:
    print(f"seed {SEED}")
    clients = all_chains(dev, SEED, provisions=3, rotations=2, kills=4)
    assert len(set(clients)) == 5


@pytest.mark.soak
@pytest.mark.parametrize("part", range(5))
def test_a_hundred_kills(dev: Prepared, part: int) -> None:
    print(f"seed {SEED + part}")
    assert len(all_chains(dev, SEED + part, provisions=3, rotations=2, kills=4)) == 5
