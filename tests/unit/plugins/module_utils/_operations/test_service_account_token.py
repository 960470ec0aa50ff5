# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token's file: private, whole, made anew in time, and the only place where the token ever is."""

from __future__ import annotations

import base64
import datetime as dt
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError, LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._k8s.faults import Answer
from ansible_collections.rarus.lms.plugins.module_utils._k8s.resources import Ref
from ansible_collections.rarus.lms.plugins.module_utils._operations import service_account_token

NOW = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)
DAY = 86400
Object = dict[str, t.Any]


def token(days: float | None, of: str = "new", made_for: float | None = None) -> str:
    claims: Object = {"of": of, **({"exp": int(NOW.timestamp() + days * DAY)} if days is not None else {})}
    claims |= {"iat": claims["exp"] - int(made_for * DAY)} if made_for else {}
    return "eyJ." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".signature"


class Cluster:
    """An API with one ServiceAccount, that knows which tokens are good and fills token Secrets at the given read."""

    def __init__(self, *, known: t.Sequence[str] = (), account: bool = True, fills_at: int = 0, user: str = "lms-deployer") -> None:
        self.known = set(known)
        self.account = account
        self.fills_at = fills_at
        self.user = user
        self.secret: Object | None = None
        self.asked: list[str] = []

    def get(self, ref: Ref, *, metadata_only: bool = False) -> Object | None:
        self.asked.append(f"get {ref.kind}{' metadata' * metadata_only}")
        if ref.kind == "ServiceAccount":
            return {"metadata": {"name": ref.name}} if self.account else None
        if self.secret is not None and self.asked.count("get Secret") > self.fills_at:
            self.secret = {**self.secret, "data": {"token": base64.b64encode(token(None).encode()).decode()}}
        return self.secret

    def create(self, obj: Object) -> Object:
        self.asked.append(f"create {obj['kind']} {obj['metadata']['name']}")
        self.secret = obj
        return obj

    def request(self, method: str, path: str, *, body: Object) -> Answer:
        self.asked.append(f"{method} {body['kind']}")
        if body["kind"] == "TokenReview":
            user = {"username": f"system:serviceaccount:lms-dev:{self.user}"}
            return Answer(201, {}, {"status": {"authenticated": True, "user": user} if body["spec"]["token"] in self.known else {}})
        assert path == "/api/v1/namespaces/lms-dev/serviceaccounts/lms-deployer/token"
        return Answer(201, {}, {"status": {"token": token(body["spec"]["expirationSeconds"] / DAY)}})


def options(path: Path, **more: t.Any) -> Object:
    usual = {
        "namespace": "lms-dev",
        "service_account": "lms-deployer",
        "kind": "bound",
        "duration": 90 * DAY,
        "secret": "",
        "path": str(path),
    }
    return {**usual, **more}


def kept(cluster: Cluster, path: Path, *, check_mode: bool = False, **more: t.Any) -> Object:
    return service_account_token.keep(t.cast("t.Any", cluster), options(path, **more), check_mode=check_mode, now=NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lms-dev.token"


@pytest.mark.parametrize("kind", ["bound", "secret"])
def test_a_token_is_made_and_then_kept(path: Path, kind: str) -> None:
    cluster = Cluster(known=[token(90), token(None)])
    first = kept(cluster, path, kind=kind)
    assert first["changed"] is True
    assert path.read_text() == token(90 if kind == "bound" else None)
    assert path.stat().st_mode & 0o777 == 0o600
    assert first["expires"] == ("2027-02-19T09:00:00+00:00" if kind == "bound" else "")
    cluster.asked.clear()
    assert kept(cluster, path, kind=kind) == {**first, "changed": False}
    assert cluster.asked == ["POST TokenReview"]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("kind", "expected"), [("bound", "until 20"), ("secret", "without an end")])
def test_an_operator_reads_where_the_token_is_and_until_when(path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, expected: str) -> None:
    monkeypatch.setattr(service_account_token, "connect", lambda _params: Cluster(known=[token(90), token(None)]))
    lines: list[str] = []
    service_account_token.run(options(path, kind=kind), Context(report=lines.append))
    service_account_token.run(options(path, kind=kind), Context(check_mode=True, report=lines.append))
    assert len(lines) == 1
    assert lines[0].startswith(f"  token    in {path}, {expected}")


def test_no_result_holds_the_token(path: Path) -> None:
    assert "signature" not in repr(kept(Cluster(), path))


WORN: list[tuple[str, str, Object]] = [
    ("nearly ended", token(29, "old"), {}),
    ("ended", token(-1, "old"), {}),
    ("of another cluster", token(89, "foreign"), {}),
    ("of another account", token(89, "old"), {"user": "other"}),
    ("without an end", token(None), {}),
    ("no token", "hello", {}),
    ("empty", "", {}),
]


@pytest.mark.parametrize(("case", "old", "more"), WORN, ids=[case[0] for case in WORN])
def test_a_token_that_is_no_good_is_replaced(path: Path, case: str, old: str, more: Object) -> None:
    path.write_text(old)
    path.chmod(0o600)
    cluster = Cluster(known=[token(29, "old"), token(-1, "old"), token(89, "old"), token(None)], **more)
    assert kept(cluster, path)["changed"] is True, case
    assert path.read_text() == token(90)


@pytest.mark.parametrize(("left", "changed"), [(0.9, False), (0.4, False), (0.3, True)])
def test_a_token_that_the_cluster_made_for_less_than_was_asked_is_kept_while_a_third_is_left(
    path: Path, left: float, changed: bool
) -> None:
    capped = token(left, "capped", made_for=1)
    path.write_text(capped)
    path.chmod(0o600)
    assert kept(Cluster(known=[capped]), path, duration=90 * DAY)["changed"] is changed


def test_a_file_that_others_can_read_is_made_private(path: Path) -> None:
    path.write_text(token(89))
    path.chmod(0o644)
    assert kept(Cluster(known=[token(89)]), path)["changed"] is True
    assert (path.stat().st_mode & 0o777, path.read_text()) == (0o600, token(89))


def test_check_mode_writes_nothing(path: Path) -> None:
    cluster = Cluster()
    assert kept(cluster, path, check_mode=True)["changed"] is True
    assert cluster.asked == []
    assert not path.exists()


def test_the_secret_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_account_token, "POLL_SECONDS", 0.001)
    cluster = Cluster(fills_at=3)
    assert kept(cluster, path, kind="secret")["changed"] is True
    assert "create Secret lms-deployer-token" in cluster.asked
    assert cluster.asked.count("get Secret") == 4


def test_a_secret_that_is_never_filled_ends_the_wait(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_account_token, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(service_account_token, "FILL_SECONDS", 0.01)
    with pytest.raises(UnknownStateError, match="Secret lms-dev/lms-deployer-token was not filled with a token"):
        kept(Cluster(fills_at=10**9), path, kind="secret")
    assert not path.exists()


@pytest.mark.parametrize(
    "secret",
    [{"type": "Opaque"}, {"type": service_account_token.SECRET_TYPE, "annotations": {"kubernetes.io/service-account.name": "other"}}],
)
def test_a_secret_of_somebody_else_is_refused(path: Path, secret: Object) -> None:
    cluster = Cluster(fills_at=10**9)
    cluster.secret = {"type": secret["type"], "metadata": {"name": "lms-deployer-token", "annotations": secret.get("annotations")}}
    with pytest.raises(ConflictError, match="exists and is not a token of ServiceAccount lms-deployer"):
        kept(cluster, path, kind="secret")


def test_without_the_account_there_is_no_token(path: Path) -> None:
    with pytest.raises(LmsError, match="ServiceAccount lms-dev/lms-deployer does not exist"):
        kept(Cluster(account=False), path)


BAD: list[tuple[str, Object, str]] = [
    ("too short", {"duration": 599}, "duration: 599 seconds is too short"),
    ("no folder", {"path": "/nowhere/at/all/token"}, "path: the folder of /nowhere/at/all/token does not exist"),
]


@pytest.mark.parametrize(("case", "more", "expected"), BAD, ids=[case[0] for case in BAD])
def test_bad_options(path: Path, case: str, more: Object, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        service_account_token.run({**options(path), **more}, Context())
