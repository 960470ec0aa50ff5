# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An id is never given twice, and a secret never changes by itself: over random sequences of operations, kills and faults.

The API is the small one of the unit tests; what a run has in the real world between two of its requests, a kill or a fault, strikes here at
a random request of each operation. The same is done by whole playbooks on the lab, in tests/integration/test_kills.py and test_faults.py.
"""

from __future__ import annotations

import base64
import itertools
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.deps import PYRAGE
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context, Operation
from ansible_collections.rarus.lms.plugins.module_utils._domain import credentials as domain
from ansible_collections.rarus.lms.plugins.module_utils._domain.rotation import STEPS
from ansible_collections.rarus.lms.plugins.module_utils._k8s import transport as transport_module
from ansible_collections.rarus.lms.plugins.module_utils._k8s.transport import Transport
from ansible_collections.rarus.lms.plugins.module_utils._operations import client, client_adoption, credentials, credentials_escrow
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.fake_api import FakeApi, status_object

SPACE = "lms-dev"
IDS = ["C1", "C2", "C3"]
NEXT = "next"
SECRETS = ("lms-credentials-{}", "rsa-secret-{}")
# What a rotation may write into the Secret without changing what is in use.
BESIDE = ("-next-", "-previous-")
STATUSES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "",
    409: "Conflict",
    500: "InternalError",
    503: "ServiceUnavailable",
}
# Neither the request nor its answer arrives: the connection breaks.
BROKEN = -1
EXAMPLES, STEPS_OF_ONE = 60, 25
# How long a request is repeated: not at all, or until it is carried out, when what was written before is known by its token.
REPEAT_SECONDS = {False: "0", True: "0.5"}
# What an environment that was made by hand holds.
KEY = domain.generate_rsa_key(2048)
BY_HAND = {
    "LMS_KEYS_SECRET_SEED": "5f1c" * 32,
    "LMS_STORAGE_POSTGRES_DSN": "postgres://{name}:ByHandPostgres1@db.example:5432/{name}?sslmode=disable",
    "LMS_STORAGE_CLICKHOUSE_DSN": "clickhouse://{name}:ByHandClickhouse1@ch.example:9000/{name}",
}
IDENTITY = PYRAGE.require().x25519.Identity.generate()

Object = dict[str, t.Any]


class KilledError(BaseException):
    """The run ends here, as by SIGKILL: nothing of it is carried out any more, not even an except or a finally of ours."""


class Strike(t.NamedTuple):
    """What happens at the n-th request of an operation; status 0 is a kill. after: the request was carried out, its answer was lost.

    repeats: the run has the patience to send a request again.
    """

    number: int
    status: int
    after: bool
    repeats: bool


OUTCOMES = st.sampled_from([0, 0, BROKEN, *STATUSES])
STRUCK = st.builds(Strike, st.integers(1, 8), OUTCOMES, st.booleans(), st.booleans())
STRIKES = st.none() | st.none() | STRUCK
PARTS = st.lists(st.sampled_from(["postgres", "clickhouse", "seed", "rsa"]), min_size=1, unique=True).map(sorted)


class Registry(RuleBasedStateMachine):
    """given: ids that a run was told to be new; retired: those that left; kept: by Secret, the values in use when they were last seen.

    made: clients whose credentials a run told to be there; lost: Secrets that were deleted behind everybody's back; copies: by client, what
    each of its copies in escrow may hold; by_hand: clients whose environment somebody else has made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.api = FakeApi()
        self.given: list[str] = []
        self.retired: set[str] = set()
        self.kept: dict[str, dict[str, str]] = {}
        self.made: set[str] = set()
        self.lost: set[str] = set()
        self.copies: dict[str, list[dict[str, dict[str, str]]]] = {}
        self.by_hand: set[str] = set()
        self.organisations: list[str] = []
        self.names = itertools.count(1)
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)

    def teardown(self) -> None:
        self.api.close()
        self._folder.cleanup()

    @initialize(before=st.sets(st.sampled_from(IDS)))
    def start(self, before: set[str]) -> None:
        """Begin with some clients that have their credentials."""
        for one in sorted(before):
            self.claim(one, None)
            self.make(one, None)
            assert len(self.secrets(one.lower())) == len(SECRETS)

    def perform(self, operation: Operation, strike: Strike | None, **given: t.Any) -> Object | None:
        """Run an operation, struck at one of its requests; return its result, None where it failed or was killed."""
        defaults = {name: option.get("default") for name, option in operation.argument_spec.items() if name not in self.api.params}
        params = {**self.api.params, **defaults, "namespace": SPACE, "actor": "model", **given}
        count, original = 0, Transport.exchange

        def exchange(transport: Transport, method: str, path: str, **more: t.Any) -> t.Any:
            nonlocal count
            count += 1
            if strike is None or count != strike.number:
                return original(transport, method, path, **more)
            if strike.status == BROKEN:
                self.api.answer(method, path, lose="answer" if strike.after else "request")
                return original(transport, method, path, **more)
            if strike.after:
                original(transport, method, path, **more)
            if not strike.status:
                raise KilledError
            reason = STATUSES[strike.status]
            body = status_object(strike.status, reason, "made up") if reason else "404 page not found"
            self.api.answer(method, path, status=strike.status, body=body)
            return original(transport, method, path, **more)

        with pytest.MonkeyPatch.context() as patched:
            # Keys that differ and cost nothing.
            patched.setattr(domain, "generate_rsa_key", lambda bits: f"key {next(self.names)}".encode())
            patched.setattr(Transport, "exchange", exchange)
            patched.setattr(transport_module, "FIRST_PAUSE_SECONDS", 0.001)
            patched.setenv("RARUS_LMS_REPEAT_SECONDS", REPEAT_SECONDS[strike is not None and strike.repeats])
            try:
                return operation.run(params, Context())
            except (LmsError, KilledError):
                return None
            finally:
                self.api.forget()
                self.wait_for_leases()

    def secrets(self, name: str) -> dict[str, dict[str, str]]:
        """Return the values in use of a client's Secrets, by the Secrets' names."""
        found = {secret: self.api.stored("Secret", secret, SPACE) for secret in (form.format(name) for form in SECRETS)}
        return {
            secret: {key: value for key, value in obj["data"].items() if not any(part in key for part in BESIDE)}
            for secret, obj in found.items()
            if obj is not None
        }

    def wait_for_leases(self) -> None:
        """Let so much time pass that the Lease of a run that was killed is free again."""
        for path in [path for path in self.api.objects if "/leases/" in path]:
            del self.api.objects[path]

    def holders(self, organisation: str) -> list[str]:
        """Return the clients on the list that have an organisation and have not left."""
        records = [
            obj["data"] for obj in self.api.objects.values() if obj["metadata"].get("labels", {}).get("rarus.lms/record") == "client"
        ]
        return [data["client"] for data in records if data.get("organisation") == organisation and data["phase"] != "retired"]

    @rule(strike=STRIKES)
    def form(self, strike: Strike | None) -> None:
        """Register an organisation without an id."""
        self.organisations.append(f"Organisation {next(self.names)}")
        self.form_again(strike, self.organisations[-1])

    @rule(strike=STRUCK)
    def form_and_form_again(self, strike: Strike) -> None:
        """Type the same form again as soon as the first run was struck."""
        self.form(strike)
        self.form_again(None, self.organisations[-1])

    @precondition(lambda self: self.organisations)
    @rule(strike=STRIKES, data=st.data())
    def form_once_more(self, strike: Strike | None, data: st.DataObject) -> None:
        """Type the same form again, whatever became of it the last time."""
        self.form_again(strike, data.draw(st.sampled_from(self.organisations)))

    def form_again(self, strike: Strike | None, organisation: str) -> None:
        """Have an id formed for an organisation: AssertionError where it had a client already, or one is left that nobody was told of."""
        known = self.holders(organisation)
        told = self.perform(client.OPERATION, strike, organisation=organisation, catalogue="model")
        if told is not None:
            assert told["new"], told
            assert not known, f"{organisation} is that of {known} already"
            self.given.append(told["record"]["client"])
        elif strike is None:
            assert known, f"{organisation} was refused, and nobody has it"

    @rule(one=st.sampled_from([*IDS, NEXT]), strike=STRIKES)
    def claim(self, one: str, strike: Strike | None) -> None:
        """Register an id, or find it; the one that would be formed next as well."""
        if one == NEXT:
            one = f"C{max([0, *(int(given[1:]) for given in self.given)]) + 1}"
        told = self.perform(client.OPERATION, strike, client=one, catalogue="model")
        if told is not None:
            assert one not in self.retired
            self.given += [one] if told["new"] else []

    @rule(one=st.sampled_from(IDS), strike=STRIKES)
    def retire(self, one: str, strike: Strike | None) -> None:
        """Let a client leave."""
        if self.perform(client.OPERATION, strike, client=one, catalogue="model", state="retired", confirm=one) is not None:
            self.retired.add(one)

    @rule(one=st.sampled_from(IDS), strike=STRIKES)
    def make(self, one: str, strike: Strike | None) -> None:
        """Make the credentials that are proven absent."""
        if self.perform(credentials.OPERATION, strike, client=one) is not None:
            self.made.add(one)

    @rule(one=st.sampled_from(IDS), parts=PARTS, strike=STRIKES, steps=st.sampled_from([1, 2, 3, 4, 4, 4]))
    def rotate(self, one: str, parts: list[str], strike: Strike | None, steps: int) -> None:
        """Take some steps of a rotation: the values of its parts, and no others, may become others."""
        before = self.secrets(one.lower())
        for number, step in enumerate(STEPS[:steps]):
            last = strike if number == steps - 1 else None
            if self.perform(credentials.OPERATION, last, client=one, state="rotated", parts=parts, step=step, confirm=one) is None:
                break
        starts = {"seed": "keys-secret-seed", "rsa": "rsa_key", "postgres": "postgres-", "clickhouse": "clickhouse-"}
        mine = tuple(starts[part] for part in parts)
        for secret, values in self.secrets(one.lower()).items():
            changed = [key for key in values if values[key] != before.get(secret, {}).get(key)]
            assert all(key.startswith(mine) for key in changed), changed
            self.kept[secret] = values

    @rule(one=st.sampled_from(IDS), forms=st.sets(st.sampled_from(SECRETS), min_size=1))
    def lose(self, one: str, forms: set[str]) -> None:
        """Delete Secrets behind everybody's back, once a run has told that they are there: they must never be made anew."""
        for name in [form.format(one.lower()) for form in sorted(forms)] if one in self.made else []:
            if self.api.stored("Secret", name, SPACE) is not None:
                self.api.remove("Secret", name, SPACE)
                self.lost.add(name)
                self.kept.pop(name, None)

    @rule(one=st.sampled_from(IDS), typed=st.booleans(), strike=STRIKES)
    def recreate(self, one: str, typed: bool, strike: Strike | None) -> None:
        """Make new ones in the place of lost Secrets, which needs the id typed: nothing but what is lost becomes another."""
        self.perform(credentials.OPERATION, strike, client=one, recreate=True, confirm=one if typed else "")
        for name, values in self.secrets(one.lower()).items():
            if name in self.lost and typed:
                self.lost.discard(name)
                self.kept[name] = values

    @rule(one=st.sampled_from(IDS), strike=STRIKES)
    def copy(self, one: str, strike: Strike | None) -> None:
        """Put a copy of a client's Secrets into escrow; that of a run which fails may be there too."""
        before = self.secrets(one.lower())
        given = {"recipients": [str(IDENTITY.to_public())], "folder": str(self.folder / one)}
        self.perform(credentials_escrow.OPERATION, strike, clients=[one], catalogue="model", **given)
        assert self.secrets(one.lower()) == before
        self.copies.setdefault(one, []).append(before)

    @rule(one=st.sampled_from(IDS), typed=st.booleans(), strike=STRIKES)
    def restore(self, one: str, typed: bool, strike: Strike | None) -> None:
        """Bring back what was lost; over other values only where the id was typed."""
        before = self.secrets(one.lower())
        given = {"state": "restored", "folder": str(self.folder / one), "identity": str(IDENTITY), "confirm": one if typed else ""}
        told = self.perform(credentials_escrow.OPERATION, strike, clients=[one], catalogue="model", **given)
        after = self.secrets(one.lower())
        for name, values in after.items():
            if values != before.get(name):
                assert typed or name not in before, f"{name} was replaced, and nobody has typed {one}"
                assert values in [copied.get(name) for copied in self.copies[one]], f"{name} is not what was copied"
                self.lost.discard(name)
                self.kept[name] = values
        if told is not None:
            assert len(after) == len(SECRETS)
            self.made.add(one)

    @rule(one=st.sampled_from(IDS))
    def make_by_hand(self, one: str) -> None:
        """Have somebody make an environment by hand, of a client that has none."""
        name = one.lower()
        if one in self.made or self.secrets(name) or any(form.format(name) in self.lost for form in SECRETS):
            return
        record = self.api.stored("ConfigMap", f"lms-client-{name}", SPACE)
        if record is not None and record["data"]["credentials"] != "none":
            return
        variables = {key: text.format(name=name) for key, text in BY_HAND.items()}
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"lms-config-{name}", "namespace": SPACE}}
        key = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"rsa-secret-{name}", "namespace": SPACE}}
        self.api.add({**config, "data": variables}, {**key, "data": {"rsa_key": base64.b64encode(KEY).decode()}})
        self.by_hand.add(one)

    @rule(one=st.sampled_from(IDS), strike=STRIKES)
    def adopt(self, one: str, strike: Strike | None) -> None:
        """Take over an environment that was made by hand: its values are kept, and nothing else is taken for one."""
        before = self.secrets(one.lower())
        told = self.perform(client_adoption.OPERATION, strike, client=one, catalogue="model")
        after = self.secrets(one.lower())
        assert before.items() <= after.items()
        if one not in self.by_hand:
            assert (told, after) == (None, before)
        if told is not None:
            self.made.add(one)
        for name in set(after) - set(before):
            seed, password = (base64.b64decode(after[name][key]).decode() for key in ("keys-secret-seed", "postgres-password"))
            assert (seed, password) == (BY_HAND["LMS_KEYS_SECRET_SEED"], "ByHandPostgres1")
            self.lost.discard(name)
            self.kept[name] = after[name]

    @invariant()
    def an_organisation_has_one_client(self) -> None:
        for organisation in self.organisations:
            assert len(self.holders(organisation)) <= 1, organisation

    @invariant()
    def no_id_is_given_twice(self) -> None:
        assert len(self.given) == len(set(self.given)), self.given

    @invariant()
    def no_secret_changes_by_itself(self) -> None:
        for one in IDS:
            found = self.secrets(one.lower())
            for secret, values in found.items():
                assert secret not in self.lost, f"{secret} was made anew"
                assert self.kept.setdefault(secret, values) == values, f"{secret} changed"
            assert all(name in found for name in self.kept if name in {form.format(one.lower()) for form in SECRETS}), "a Secret is gone"


TestRegistry = Registry.TestCase
TestRegistry.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS_OF_ONE, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
