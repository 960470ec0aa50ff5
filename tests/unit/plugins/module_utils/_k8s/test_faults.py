# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime as dt
import http.client
import ipaddress
import socket
import ssl
import threading
import typing as t
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path

import pytest
import urllib3
from ansible_collections.rarus.lms.plugins.module_utils._k8s import faults, transport
from ansible_collections.rarus.lms.plugins.module_utils._k8s.api import Api, ApiError
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import connect
from ansible_collections.rarus.lms.plugins.module_utils._k8s.faults import Target, fault_of, unreachable
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.fake_api import BEARER, FakeApi

NOW = dt.datetime.now(tz=dt.UTC)
DAY = dt.timedelta(days=1)
TARGET = Target(root="https://rancher.example/k8s/clusters/c-abcde", host="rancher.example", port=443, token=lambda: BEARER)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(transport, "REPEAT_SECONDS", 0.1)
    monkeypatch.setattr(transport, "REFUSED_SECONDS", 0.1)
    monkeypatch.setattr(transport, "READ_SECONDS", 0.3)


def certificate(
    folder: Path, *, name: str = "localhost", ip: str = "127.0.0.1", begin: dt.datetime = NOW - DAY, end: dt.datetime = NOW + DAY
) -> Path:
    """Write a self-signed certificate with its key; it is its own CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if ip:
        names.append(x509.IPAddress(ipaddress.ip_address(ip)))
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), begin, end)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{name}-{end.timestamp()}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
    return path


@pytest.fixture
def tls_server(fake_api: FakeApi) -> Iterator[t.Callable[[Path], str]]:
    """Serve the fake API's answers over TLS with a given certificate."""
    servers: list[HTTPServer] = []

    def start(pem: Path) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server = HTTPServer(("127.0.0.1", 0), fake_api.handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"https://127.0.0.1:{server.server_address[1]}/k8s/clusters/c-unit"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def told(api: Api) -> str:
    with pytest.raises(ApiError) as caught:
        api.version()
    assert caught.value.status == 0
    return str(caught.value.as_result()["msg"])


def test_a_ca_file_that_signed_the_certificate_is_taken(tmp_path: Path, tls_server: t.Callable[[Path], str]) -> None:
    pem = certificate(tmp_path)
    assert connect({"host": tls_server(pem), "api_key": BEARER, "ca_cert": str(pem)}).version()["major"] == "1"


def test_validation_can_be_switched_off(tmp_path: Path, tls_server: t.Callable[[Path], str]) -> None:
    root = tls_server(certificate(tmp_path))
    assert connect({"host": root, "api_key": BEARER, "validate_certs": False}).version()["major"] == "1"
    assert connect({"host": root, "api_key": BEARER, "validate_certs": "no"}).version()["major"] == "1"


def test_another_ca_is_told_by_its_file(tmp_path: Path, tls_server: t.Callable[[Path], str]) -> None:
    root = tls_server(certificate(tmp_path))
    other = certificate(tmp_path, name="other.example")
    message = told(connect({"host": root, "api_key": BEARER, "ca_cert": str(other)}))
    assert f"is not signed by the CA file {other}" in message
    assert "Set ca_cert (K8S_AUTH_SSL_CA_CERT)" in message
    assert "ca_cert is not set" in told(connect({"host": root, "api_key": BEARER}))


def test_an_expired_certificate_is_told(tmp_path: Path, tls_server: t.Callable[[Path], str]) -> None:
    pem = certificate(tmp_path, begin=NOW - 2 * DAY, end=NOW - DAY)
    message = told(connect({"host": tls_server(pem), "api_key": BEARER, "ca_cert": str(pem)}))
    assert "has expired. Its owners must renew it" in message


def test_a_certificate_for_another_name_is_told(tmp_path: Path, tls_server: t.Callable[[Path], str]) -> None:
    pem = certificate(tmp_path, name="other.example", ip="")
    assert "is for another name" in told(connect({"host": tls_server(pem), "api_key": BEARER, "ca_cert": str(pem)}))


def test_plain_http_behind_https_is_told(fake_api: FakeApi) -> None:
    assert "it does not speak TLS there" in told(connect({"host": fake_api.root.replace("http:", "https:"), "api_key": BEARER}))


def test_a_refused_connection_is_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert told(connect({"host": f"https://127.0.0.1:{port}", "api_key": BEARER})).startswith(f"127.0.0.1:{port} refused the connection")


def test_a_name_that_is_none_is_told() -> None:
    message = told(connect({"host": "https://no-such-host.invalid/k8s", "api_key": BEARER}))
    assert message.startswith("The host name no-such-host.invalid of the API's root URL cannot be resolved.")


def test_silence_is_told(fake_api: FakeApi) -> None:
    fake_api.answer("GET", "/version", delay=1.0)
    assert "accepted the connection and then stayed silent (asking for the version)" in told(connect(fake_api.params))


def test_a_connection_that_breaks_is_told(fake_api: FakeApi) -> None:
    fake_api.answer("GET", "/version", lose="request", times=100)
    message = told(connect(fake_api.params))
    assert message.startswith(f"The connection to {fake_api.root} broke (asking for the version): the other side ended it before its")


@pytest.mark.parametrize(
    "end",
    [
        ConnectionResetError(104, "Connection reset by peer"),
        BrokenPipeError(32, "Broken pipe"),
        http.client.RemoteDisconnected("Remote end closed connection without response"),
        http.client.IncompleteRead(b"{", 300),
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
    ],
    ids=lambda end: type(end).__name__,
)
def test_every_python_tells_the_end_of_a_connection_alike(end: Exception) -> None:
    message = unreachable(urllib3.exceptions.ProtocolError("Connection aborted.", end), TARGET, "x").message
    assert message.endswith(" broke (x): the other side ended it before its answer was whole.")


def test_a_proxy_s_refusal_is_no_end_of_a_connection() -> None:
    refusal = urllib3.exceptions.ProxyError("Unable to connect to proxy", ConnectionRefusedError(111, "Connection refused"))
    assert "did not connect to rancher.example:443 (Connection refused)." in unreachable(refusal, TARGET, "x").message


def test_a_connect_that_times_out_names_the_address_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_origin", lambda target: "192.0.2.7 (this machine's address; NAT may show another one)")
    error = urllib3.exceptions.ConnectTimeoutError(None, "timed out")
    assert unreachable(error, TARGET, "x").as_result()["msg"] == (
        "rancher.example:443 did not answer the attempt to connect, which came from 192.0.2.7 (this machine's address; NAT may show another"
        " one). The cluster's owners let in known addresses only: was this controller's address announced to them?"
    )


def test_the_address_is_this_machines() -> None:
    assert faults._origin(Target(root="", host="127.0.0.1", port=443)).startswith("127.0.0.1 ")
    assert faults._origin(Target(root="", host="no-such-host.invalid", port=443)) == "this machine"


def test_no_route_is_told() -> None:
    error = urllib3.exceptions.NewConnectionError(None, "no")  # type: ignore[arg-type]
    error.__cause__ = OSError(113, "No route to host")
    assert fault_of(error) == "no-way"
    assert "There is no route to rancher.example:443 from " in unreachable(error, TARGET, "x").message


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ssl.SSLEOFError(8, "EOF occurred"), "broken"),
        (urllib3.exceptions.ProtocolError("aborted", ConnectionResetError(104, "reset")), "broken"),
        (urllib3.exceptions.LocationParseError("x" * 70), "name"),
        (ConnectionResetError(104, "reset"), "broken"),
    ],
)
def test_what_may_heal_is_told_from_what_will_not(error: Exception, fault: str) -> None:
    assert fault_of(error) == fault


def test_a_token_that_a_library_prints_is_taken_out() -> None:
    error = urllib3.exceptions.ProtocolError(f"bad header Bearer {BEARER}")
    assert "Bearer ********" in unreachable(error, TARGET, "x").message
    assert BEARER not in repr(TARGET)
