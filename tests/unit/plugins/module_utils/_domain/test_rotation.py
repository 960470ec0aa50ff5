# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import json
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError, LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain import credentials, rotation
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.rotation import PARTS, STEPS, Rotation

C42 = ClientId.parse("C42")
BEGAN = "2026-11-21T10:00:00Z"
Values = dict[str, bytes]


def fresh() -> Values:
    return credentials.data_of(credentials.credentials_secret(C42, namespace="lms-dev", user="c42", made=BEGAN))


def at(step: str, *parts: str) -> Rotation:
    return Rotation(parts or PARTS, step, BEGAN, "me@there")


def taken(values: Values, *steps: str, parts: tuple[str, ...] = PARTS) -> Values:
    for step in steps:
        values = rotation.advanced(at(step, *parts), values, "c42")
    return values


def changed(before: Values, after: Values) -> set[str]:
    return {key for key in before | after if before.get(key) != after.get(key)}


def open_logins(values: Values, database: str) -> set[tuple[bytes, ...]]:
    """Return what the database must let in: user and what it stores of the password."""
    fields = [field for field in credentials.LOGIN_FIELDS[database] if field != "password"]
    slots = [slot for slot in ("", "next-", "previous-") if f"{database}-{slot}user" in values]
    return {tuple(values[f"{database}-{slot}{field}"] for field in fields) for slot in slots}


def test_open_adds_the_next_logins_and_touches_nothing_else() -> None:
    before = fresh()
    after = taken(before, "open")
    assert changed(before, after) == {
        "postgres-next-user", "postgres-next-password", "postgres-next-verifier",
        "clickhouse-next-user", "clickhouse-next-password", "clickhouse-next-password-sha256", "clickhouse-next-salt",
    }  # fmt: skip
    assert (after["postgres-next-user"], after["clickhouse-next-user"]) == (b"c42_b", b"c42_b")


def test_switch_puts_them_in_use_and_keeps_no_former_password() -> None:
    before = taken(fresh(), "open")
    after = taken(before, "switch")
    for database, fields in credentials.LOGIN_FIELDS.items():
        assert [after[f"{database}-{field}"] for field in fields] == [before[f"{database}-next-{field}"] for field in fields]
        kept = [field for field in fields if field != "password"]
        assert [after[f"{database}-previous-{field}"] for field in kept] == [before[f"{database}-{field}"] for field in kept]
        assert f"{database}-previous-password" not in after
        assert open_logins(before, database) == open_logins(after, database)
    assert after["keys-secret-seed"] != before["keys-secret-seed"]
    assert before["postgres-password"] not in after.values()


def test_close_leaves_the_keys_that_there_were_before() -> None:
    before = fresh()
    after = taken(before, "open", "switch", "close", "done")
    assert set(after) == set(before)
    assert (after["postgres-user"], after["clickhouse-user"]) == (b"c42_b", b"c42_b")
    assert open_logins(before, "postgres").isdisjoint(open_logins(after, "postgres"))
    again = taken(after, "open", "switch", "close", "done")
    assert again["postgres-user"] == b"c42"


@pytest.mark.parametrize("parts", [part for count in (1, 2, 3) for part in itertools.combinations(PARTS, count)])
def test_only_the_parts_that_were_asked_for_change(parts: tuple[str, ...]) -> None:
    before = fresh()
    after = taken(before, *STEPS, parts=parts)
    named = {"seed" if key == "keys-secret-seed" else key.partition("-")[0] for key in changed(before, after)}
    assert named == set(parts) - {"rsa"}


def test_the_logins_fingerprint_follows_what_is_to_be_open_and_not_what_is_in_use() -> None:
    values = [fresh()]
    for step in STEPS:
        values.append(taken(values[-1], step))
    told = [credentials.login_fingerprints(one) for one in values]
    for name in ("postgres_logins", "clickhouse_logins"):
        before, opened, switched, closed, done = (one[name] for one in told)
        assert before != opened == switched != closed == done
        assert before != closed
    in_use = [credentials.fingerprints(one, b"key", {})["postgres"] for one in values]
    assert in_use[0] == in_use[1] != in_use[2] == in_use[3]


def test_the_databases_text_names_the_logins_to_let_in() -> None:
    values = fresh()
    shown = []
    for step in STEPS:
        values = taken(values, step, parts=("postgres",))
        shown.append(credentials.databases_text(values).split()[2:])
    both, second = ["postgres=c42,c42_b", "clickhouse=c42"], ["postgres=c42_b", "clickhouse=c42"]
    assert shown == [both, both, second, second]


def test_unknown_keys_are_kept() -> None:
    assert taken({**fresh(), "theirs": b"x"}, *STEPS)["theirs"] == b"x"


def test_leftovers_of_a_rotation_that_nobody_remembers_are_replaced() -> None:
    lost = taken(fresh(), "open", "switch")
    again = taken(lost, "open")
    assert (again["postgres-user"], again["postgres-next-user"]) == (b"c42_b", b"c42")
    assert "postgres-previous-user" not in again


def test_the_annotation_says_how_far_it_came() -> None:
    annotations = {"rarus.lms/made": "x"}
    for step in ("open", "switch", "close"):
        annotations = rotation.annotated(annotations, at(step, "postgres", "rsa"))
        found = Rotation.of(annotations, "Secret a/b")
        assert found == at(step, "postgres", "rsa")
    assert rotation.rotated_dates(annotations) == {"postgres": BEGAN}
    ended = rotation.annotated(annotations, at("done", "postgres", "rsa"))
    assert Rotation.of(ended, "Secret a/b") is None
    assert ended == {"rarus.lms/made": "x", "rarus.lms/rotated": json.dumps({"postgres": BEGAN})}


@pytest.mark.parametrize("text", ["{", "[]", '{"parts": ["x"], "step": "open", "began": "", "by": ""}', '{"parts": [], "step": "x"}'])
def test_a_damaged_annotation_is_told(text: str) -> None:
    with pytest.raises(LmsError, match=r"Secret a/b: annotation rarus\.lms/rotation is damaged"):
        Rotation.of({"rarus.lms/rotation": text}, "Secret a/b")


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_dates_that_somebody_spoilt_are_none(text: str) -> None:
    assert rotation.rotated_dates({"rarus.lms/rotated": text}) == {}


def test_another_rotation_is_refused_while_one_is_unfinished() -> None:
    at("open", "postgres", "seed").expect(C42, ["seed", "postgres"])
    with pytest.raises(ConflictError) as caught:
        at("switch", "postgres", "seed").expect(C42, ["postgres"])
    assert caught.value.as_result()["msg"] == (
        f"client: a rotation of postgres, seed of C42 is unfinished: begun {BEGAN} by me@there, step switch."
        " Finish it first: rotate_credentials.yml -e client=C42 -e credentials=postgres,seed."
    )


@pytest.mark.parametrize("step", ["switch", "close", "done"])
def test_no_step_is_left_out(step: str) -> None:
    with pytest.raises(InputError, match=f"step: {step} needs a rotation that is under way"):
        rotation.begun_or_next(None, step, ["postgres"], began=BEGAN, by="me")
    if step != "switch":
        with pytest.raises(InputError, match=f"step: {step} comes after"):
            rotation.begun_or_next(at("open"), step, PARTS, began=BEGAN, by="me")


def test_parts_have_one_order() -> None:
    begun = rotation.begun_or_next(None, "open", ["rsa", "seed", "postgres"], began=BEGAN, by="me")
    assert begun == Rotation(("postgres", "seed", "rsa"), "open", BEGAN, "me")


BEFORE, AFTER = "2026-11-21T09:59:59Z", "2026-11-21T10:00:01Z"


def of(client: str, parts: str = "", began: str = "", **rotated: str) -> dict[str, t.Any]:
    return {"client": client, "rotation": {"parts": parts.split(","), "began": began} if parts else {}, "rotated": rotated}


@pytest.mark.parametrize(
    ("case", "found", "left", "done"),
    [
        ("none is under way", [of("C1", seed=AFTER), of("C2")], ["C1", "C2"], []),
        ("killed in its second batch", [of("C1", "seed", BEGAN), of("C2", "seed", AFTER), of("C3", seed=BEFORE), of("C4")],
         ["C1", "C2", "C3", "C4"], []),
        ("killed while it ended", [of("C2", seed=AFTER), of("C3", seed=BEGAN), of("C1", "seed", BEGAN)], ["C1"], ["C2", "C3"]),
        ("given in another order", [of("C2", "seed", AFTER), of("C3"), of("C1", "seed", BEGAN)], ["C1", "C2", "C3"], []),
        ("another rotation", [of("C1", "postgres", BEGAN), of("C2", seed=AFTER)], ["C1", "C2"], []),
        ("of more parts", [of("C1", "seed,rsa", BEGAN), of("C2", seed=AFTER)], ["C1", "C2"], []),
        ("without Secrets", [of("C1", "seed", BEGAN), {"client": "C2"}], ["C1", "C2"], []),
    ],
)  # fmt: skip
def test_what_is_left_of_clients_that_are_rotated_together(
    case: str, found: list[dict[str, t.Any]], left: list[str], done: list[str]
) -> None:
    assert rotation.remaining(found, ["seed"]) == (left, done), case


def test_all_parts_must_have_been_rotated_since() -> None:
    found = [of("C1", "seed,rsa", BEGAN), of("C2", seed=AFTER, rsa=BEFORE), of("C3", seed=AFTER, rsa=AFTER)]
    assert rotation.remaining(found, ["rsa", "seed"]) == (["C1", "C2"], ["C3"])
    assert rotation.remaining(found, []) == (["C1", "C2", "C3"], [])
