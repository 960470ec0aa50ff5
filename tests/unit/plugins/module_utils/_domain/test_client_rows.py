# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of an import: every problem is found at once, each with its line."""

from __future__ import annotations

import typing as t

from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_rows import Wanted, judge, read_rows
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record

ROWS: list[tuple[int, t.Any]] = [
    (2, {"client": "c2", "organisation": "x" * 300}),
    (3, {"organisation": "nobody"}),
    (4, {"client": "C4", "phase": "gone", "created": "yesterday", "catalogue": "a b", "settings": {"replica": 1}, "contacts": [{}]}),
    (5, {"client": "C5", "organisation": 42, "owner": "x", "settings": "x"}),
    (6, "C6"),
    (7, {"client": "C7", "organisation": "Acme", "applied": "is passed over", "contacts": ""}),
]


def record(number: int, **fields: t.Any) -> Record:
    return Record(client=ClientId(number), **{"catalogue": "lms-dev", "namespace": "lms-dev", "registry_namespace": "lms-dev", **fields})


def test_every_problem_of_every_row_is_told() -> None:
    problems: list[str] = []
    assert read_rows(ROWS, "", problems) == [Wanted(7, ClientId(7), {"organisation": "Acme"})]
    starts = [
        'line 2: client: "c2" is not a client id',
        "line 2: organisation: has 300 characters",
        "line 3: client: is missing",
        "line 4: contacts[0]: says nobody",
        'line 4: catalogue: "a b" is not the name of a catalogue',
        "line 4: phase: is none",
        "line 4: created: is no date",
        "line 4: settings.replica: there is no such setting",
        "line 5: owner: there is no such column",
        "line 5: organisation: 42 is no text",
        "line 5: settings: is no dictionary",
        "line 6: is no client",
    ]
    assert len(problems) == len(starts)
    assert [start for start in starts if not any(problem.startswith(start) for problem in problems)] == []


def wanted(line: int, number: int, contacts: t.Any = None, **fields: t.Any) -> Wanted:
    return Wanted(line, ClientId(number), fields, contacts)


def judged(*rows: Wanted, same_organisation: bool = False) -> list[str]:
    records = [record(1, organisation="Acme", settings={"replicas": 2}), record(2)]
    known = {one.client: one for one in records}
    return judge(rows, known, {ClientId(1): [{"name": "Anna"}]}, same_organisation=same_organisation)


def test_rows_are_judged_beside_each_other_and_the_list() -> None:
    rows = (
        wanted(2, 1, organisation="Acme", settings={"replicas": 2}, contacts=[{"name": "Anna"}]),
        wanted(3, 1, organisation="Acme"),
        wanted(4, 5, organisation="ACME"),
        wanted(5, 6, organisation="Brot"),
        wanted(6, 7, organisation="brot"),
        wanted(7, 2, organisation="Other", phase="retired"),
        wanted(8, 8),
        wanted(9, 9, organisation=""),
    )
    assert judged(*rows) == [
        "line 3: client: C1 stands in line 2 already.",
        "line 4: organisation: is that of C1 in line 2 already.",
        "line 6: organisation: is that of C6 in line 5 already.",
        "line 7: organisation: C2 is on the list with another one. Change it by edit_client.yml, or correct the file.",
        "line 7: phase: C2 is on the list with another one. Change it by edit_client.yml, or correct the file.",
    ]


def test_several_clients_may_have_one_organisation_where_that_is_said() -> None:
    assert judged(wanted(2, 5, organisation="Acme"), wanted(3, 6, organisation="Acme"), same_organisation=True) == []


def test_other_contacts_are_told_without_their_values() -> None:
    assert judged(wanted(2, 1, contacts=[{"name": "x-canary"}])) == [
        "line 2: contacts: C1 is on the list with another one. Change it by edit_client.yml, or correct the file."
    ]


def test_what_a_row_does_not_say_is_filled_in() -> None:
    defaults = {"catalogue": "lms-dev", "namespace": "lms-dev", "registry_namespace": "registry", "created": "2026-11-21T09:00:00Z"}
    made = wanted(2, 5, organisation="Acme", catalogue="other").record(defaults)
    assert (made.catalogue, made.registry_namespace, made.phase, made.phase_since) == (
        "other",
        "registry",
        "registered",
        defaults["created"],
    )
