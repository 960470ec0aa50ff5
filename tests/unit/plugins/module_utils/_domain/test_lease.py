# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.lease import LEASE_SECONDS, Lease, holder_identity, holder_shown

C42 = ClientId.parse("C42")
NOON = 1795262403.25


def test_a_lease_is_read_as_it_was_written() -> None:
    lease = Lease(C42, "registry", metadata={"resourceVersion": "7", "managedFields": [{}]}).taken_by("anna@desk 5f1c", NOON)
    obj = lease.to_object()
    assert (obj["apiVersion"], obj["kind"], obj["metadata"]["name"]) == ("coordination.k8s.io/v1", "Lease", "lms-client-c42")
    assert obj["metadata"]["resourceVersion"] == "7"
    assert "managedFields" not in obj["metadata"]
    assert obj["metadata"]["labels"]["rarus.lms/client"] == "C42"
    assert (obj["spec"]["renewTime"], obj["spec"]["leaseTransitions"]) == ("2026-11-21T12:00:03.250000Z", 1)
    assert Lease.from_object(obj, C42) == lease
    assert lease.since == "2026-11-21 12:00:03 UTC"


@pytest.mark.parametrize(
    ("lease", "after", "free"),
    [
        (Lease(C42, "r"), 0.0, True),
        (Lease(C42, "r").taken_by("a t", NOON), 0.0, False),
        (Lease(C42, "r").taken_by("a t", NOON), LEASE_SECONDS - 1.0, False),
        (Lease(C42, "r").taken_by("a t", NOON), LEASE_SECONDS + 0.0, True),
        (Lease(C42, "r").taken_by("a t", NOON).kept(NOON + 40), LEASE_SECONDS + 1.0, False),
        (Lease(C42, "r").taken_by("a t", NOON).given_back(NOON + 1), 2.0, True),
    ],
)
def test_a_lease_is_free_without_a_sign_of_life(lease: Lease, after: float, free: bool) -> None:
    assert lease.is_free(NOON + after) is free


def test_a_lease_that_cannot_be_read_is_free() -> None:
    assert Lease.from_object({"metadata": {"name": "lms-client-c42"}, "spec": {"renewTime": "soon"}}, C42).is_free(NOON)
    assert (
        Lease.from_object({"metadata": {}, "spec": {"holderIdentity": "a t", "renewTime": "2026-11-21T12:00:03Z"}}, C42).renewed
        == 1795262403
    )


def test_people_are_shown_who_acts_and_not_the_token() -> None:
    assert holder_shown(holder_identity("anna@desk (AWX job 7)", "5f1c0a3e")) == "anna@desk (AWX job 7)"
    assert holder_shown("somebody") == "somebody"
