# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import re
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.hosts import groups_of, number_of, variables_of
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record

RECORD = Record(
    client=ClientId(42),
    organisation='«Ромашка» {{ "x" }}',
    catalogue="lms-dev",
    namespace="lms-dev",
    registry_namespace="registry",
    settings={"replicas": 2},
    databases={"postgres-setup-c42": "5f1c0a3e"},
    epoch=3,
)


def test_a_client_s_variables_are_what_its_record_says_of_it() -> None:
    variables = variables_of(RECORD.to_object())
    own_use = {"client", "schema", "databases", "objects", "epoch", "epoch_by"}
    shown = {f"lms_client_{key}": value for key, value in RECORD.as_dict().items() if key not in own_use}
    assert variables == {"lms_client_id": "C42", "lms_client_name": "c42", **shown}
    assert (variables["lms_client_organisation"], variables["lms_client_settings"]) == (RECORD.organisation, {"replicas": 2})
    assert number_of(variables) == 42


ORGANISATIONS: list[tuple[str, str]] = [
    ("Horns and Hooves", "lms_organisation_horns_and_hooves"),
    ("«Ромашка»", "lms_organisation_"),
    ("{{ lookup('pipe', 'id') }}", "lms_organisation_lookup_pipe_id_"),
    ("عيادة النور", "lms_organisation_"),
    ("7", "lms_organisation_7"),
    ("x" * 256, "lms_organisation_xxxxx"),
]


@pytest.mark.parametrize(("organisation", "beginning"), ORGANISATIONS)
def test_every_organisation_gets_a_group_that_ansible_takes(organisation: str, beginning: str) -> None:
    catalogue, phase, group = groups_of(variables_of(RECORD.with_(organisation=organisation).to_object()))
    assert (catalogue, phase) == ("lms_catalogue_lms_dev", "lms_phase_registered")
    assert group.startswith(beginning)
    assert re.fullmatch(r"[a-z_][a-z0-9_]{,80}", group)


def test_organisations_that_differ_do_not_share_a_group() -> None:
    groups = [
        groups_of(variables_of(RECORD.with_(organisation=text).to_object()))[-1] for text in ("Ромашка", "Василёк", "a b", "a-b", "!")
    ]
    assert len(set(groups)) >= 4
    assert groups_of(variables_of(RECORD.with_(organisation="").to_object())) == ["lms_catalogue_lms_dev", "lms_phase_registered"]


DAMAGED: list[tuple[str, t.Callable[[dict[str, t.Any]], t.Any], str]] = [
    ("no label", lambda obj: obj["metadata"]["labels"].pop("rarus.lms/client"), "label rarus.lms/client"),
    ("a wrong label", lambda obj: obj["metadata"]["labels"].update({"rarus.lms/client": "c42"}), '"c42" is not a client id'),
    ("no labels", lambda obj: obj["metadata"].pop("labels"), "label rarus.lms/client"),
    ("a copy", lambda obj: obj["metadata"].update(name="lms-client-c42-old"), "the record of C42, which is lms-client-c42"),
    ("no data", lambda obj: obj.pop("data"), "schema must be a number"),
    ("a newer schema", lambda obj: obj["data"].update(schema="99"), "newer version of the collection"),
    ("a wrong map", lambda obj: obj["data"].update(objects="["), "objects must be a JSON object"),
]


@pytest.mark.parametrize(("damage", "sentence"), [case[1:] for case in DAMAGED], ids=[case[0] for case in DAMAGED])
def test_a_damaged_record_is_named(damage: t.Callable[[dict[str, t.Any]], t.Any], sentence: str) -> None:
    obj = copy.deepcopy(RECORD.to_object())
    damage(obj)
    with pytest.raises(LmsError) as told:
        variables_of(obj)
    assert told.value.message.startswith("ConfigMap registry/lms-client-c42")
    assert sentence in told.value.message
