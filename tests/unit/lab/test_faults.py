"""The proxy that fails as it is told, before the unit tests' API."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faults import Cut, FaultProxy, Passed, Rule
from support.certificates import Authority
from support.fake_api import PREFIX, FakeApi

MAPS = f"{PREFIX}/api/v1/namespaces/lms-dev/configmaps"
BODY = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "lms-dev"}})


class Client:
    """Asks the proxy, by a connection of its own each time."""

    def __init__(self, port: int, ca_file: Path) -> None:
        self.port, self.context = port, ssl.create_default_context(cafile=str(ca_file))

    def ask(self, method: str = "GET", path: str = MAPS, body: str | None = None, seconds: float = 5) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=seconds)
        connection.request(method, path, body)
        return connection.getresponse()


@pytest.fixture
def fake_api() -> Iterator[FakeApi]:
    server = FakeApi()
    yield server
    server.close()


@pytest.fixture
def proxy(fake_api: FakeApi, tmp_path: Path) -> Iterator[FaultProxy]:
    authority = Authority.make(tmp_path / "ca.crt")
    good, expired = authority.issue(tmp_path / "good.pem"), authority.issue(tmp_path / "expired.pem", expired=True)
    port = int(fake_api.root.rpartition(":")[2].partition("/")[0])
    with FaultProxy(lambda: http.client.HTTPConnection("127.0.0.1", port), certificate=good, expired=expired) as running:
        yield running


@pytest.fixture
def client(proxy: FaultProxy, tmp_path: Path) -> Client:
    return Client(proxy.server_address[1], tmp_path / "ca.crt")


def test_without_a_rule_everything_passes(proxy: FaultProxy, client: Client, fake_api: FakeApi) -> None:
    assert client.ask("POST", body=BODY).status == 201
    assert json.load(client.ask(path=f"{MAPS}?limit=5"))["items"][0]["metadata"]["name"] == "a"
    assert [request.query for request in fake_api.requests] == [{}, {"limit": "5"}]
    assert proxy.passed == [Passed("POST", MAPS, "201"), Passed("GET", MAPS, "200")]


def test_a_rule_has_its_turn_and_answers_by_itself(proxy: FaultProxy, client: Client, fake_api: FakeApi) -> None:
    proxy.rules = [Rule("GET", "configmaps$", first=2, times=2, status=429, body={"kind": "Status"}, headers={"Retry-After": "1"})]
    answers = [client.ask() for _number in range(4)]
    assert [answer.status for answer in answers] == [200, 429, 429, 200]
    assert (answers[1].headers["Retry-After"], json.load(answers[1])) == ("1", {"kind": "Status"})
    assert len(fake_api.requests) == 2


def test_a_rule_without_an_end_holds_until_rules_are_set_anew(proxy: FaultProxy, client: Client) -> None:
    proxy.rules = [Rule(status=502, body="<html>Bad Gateway</html>", times=0)]
    assert [client.ask().status for _number in range(3)] == [502, 502, 502]
    proxy.rules = []
    assert client.ask().status == 200


@pytest.mark.parametrize(
    ("cut", "became", "arrived", "seen"),
    [
        (Cut.REQUEST, Cut.REQUEST, 0, ConnectionResetError),
        (Cut.ANSWER, "201, lost", 1, ConnectionResetError),
        (Cut.SILENCE, Cut.SILENCE, 0, TimeoutError),
    ],
)
def test_an_exchange_ends_early(
    proxy: FaultProxy, client: Client, fake_api: FakeApi, cut: Cut, became: str, arrived: int, seen: type[Exception]
) -> None:
    proxy.rules = [Rule("POST", cut=cut)]
    with pytest.raises(seen):
        client.ask("POST", body=BODY, seconds=0.3)
    assert len(fake_api.requests) == arrived
    assert proxy.passed == [Passed("POST", MAPS, became)]


def test_an_answer_is_cut_in_its_middle(proxy: FaultProxy, client: Client, fake_api: FakeApi) -> None:
    proxy.rules = [Rule(cut=Cut.MIDDLE)]
    answer: Any = client.ask("POST", body=BODY)
    with pytest.raises((http.client.IncompleteRead, ssl.SSLEOFError)):
        answer.read()
    assert (answer.status, len(fake_api.requests)) == (201, 1)


def test_a_certificate_expires_from_one_request_on(proxy: FaultProxy, client: Client) -> None:
    proxy.rules = [Rule(first=2, cut=Cut.REQUEST, expired=True)]
    assert client.ask().status == 200
    with pytest.raises(ConnectionResetError):
        client.ask()
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        client.ask()
    proxy.rules = []
    assert client.ask().status == 200


def test_the_port_is_free_again_at_the_end(proxy: FaultProxy) -> None:
    proxy.__exit__(None, None, None)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.server_address[1]), timeout=1)
