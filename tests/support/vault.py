# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Vault beside a lab, with a faulty proxy before it: pretended, or one of the parts `openbao` and `vault` as a process of the test's.

Vault takes minutes to build, so it is for `make soak`; OpenBao comes built.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import build
from ansible_collections.rarus.lms.plugins.module_utils._core.deps import HVAC
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from faults import FaultProxy

from .certificates import Authority
from .fake_vault import ROLE_ID, SECRET_ID, TOKEN, FakeVault, served

__all__ = ["Vault", "pretended", "running"]

POLICY = """
path "secret/data/lms/*" { capabilities = ["create", "read", "update"] }
path "old/*" { capabilities = ["create", "read", "update"] }
"""
BLIND = 'path "secret/data/elsewhere/*" { capabilities = ["read"] }'
ROLE, AUDIENCE = "lms", "vault"
READY_SECONDS, POLL_SECONDS = 30.0, 0.05


@dataclass
class Vault:
    """A Vault that is unsealed. url: of the proxy before it; tokens: by what they may do; secret_id, role_id: of its AppRole."""

    proxy: FaultProxy
    ca_file: Path
    client: Any = field(repr=False)
    unseal_key: str = field(default="", repr=False)
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    role_id: str = ""
    secret_id: str = field(default="", repr=False)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048), repr=False)

    @property
    def store(self) -> dict[str, Any]:
        """The setting secret_store for this Vault, by a token."""
        return {"kind": "vault", "url": self.proxy.url, "ca_file": str(self.ca_file)}

    @property
    def engine(self) -> Any:
        """The KV engine as root has it."""
        return self.client.secrets.kv.v2

    def data(self, client: str) -> dict[str, str]:
        """Return what is kept of a client."""
        found = self.engine.read_secret_version(f"lms/{client}", raise_on_deleted_version=True)
        return dict(found["data"]["data"])

    def versions(self, client: str) -> int:
        """Return how many versions there are of what is kept of a client."""
        return int(self.engine.read_secret_metadata(f"lms/{client}")["data"]["current_version"])

    def values(self, client: str) -> dict[str, str]:
        """Return the values that are kept of a client, base64 as they would lie in a Secret, by key."""
        texts = {key: text for key, text in self.data(client).items() if "/" not in key}
        plain = {key: bytes.fromhex(text) if key == "fingerprint-key" else text.encode() for key, text in texts.items()}
        return {key: base64.b64encode(value).decode() for key, value in plain.items()}

    def jwt(self) -> str:
        """Return a JWT that the role of the JWT login takes."""
        now = int(time.time())
        claims = {"sub": ROLE, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 600}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
        return f"{signed}.{_base64url(self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def prepare(self) -> None:
        """Mount an engine of each version, and have whoever has policy lms in by token, AppRole and JWT."""
        public = self.key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        self.client.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
        self.client.sys.enable_secrets_engine("kv", path="old", options={"version": "1"})
        self.client.sys.create_or_update_policy("lms", POLICY)
        self.client.sys.create_or_update_policy("blind", BLIND)
        for policy in ("lms", "blind"):
            self.tokens[policy] = self.client.auth.token.create(policies=[policy], ttl="2h")["auth"]["client_token"]
        self.client.sys.enable_auth_method("approle")
        self.client.auth.approle.create_or_update_approle(ROLE, token_policies=["lms"], token_ttl="10m")
        self.role_id = self.client.auth.approle.read_role_id(ROLE)["data"]["role_id"]
        self.secret_id = self.client.auth.approle.generate_secret_id(ROLE)["data"]["secret_id"]
        self.client.sys.enable_auth_method("jwt")
        self.client.auth.jwt.configure(jwt_validation_pubkeys=[public])
        self.client.auth.jwt.create_role(
            ROLE, user_claim="sub", allowed_redirect_uris=[], role_type="jwt", bound_audiences=[AUDIENCE], token_policies=["lms"]
        )


@contextmanager
def pretended(folder: Path) -> Iterator[Vault]:
    """Serve a pretended Vault, with a proxy before it; its files lie in a folder."""
    authority, ca_file = Authority.make(folder / "vault-ca.pem"), folder / "vault-ca.pem"
    certificate = authority.issue(folder / "vault.pem")
    with served(FakeVault(), certificate) as url, FaultProxy(_upstream(url, ca_file), certificate=certificate) as proxy:
        client = HVAC.require().Client(url=url, token=TOKEN, verify=str(ca_file))
        yield Vault(proxy, ca_file, client, tokens={"lms": TOKEN}, role_id=ROLE_ID, secret_id=SECRET_ID)


@contextmanager
def running(folder: Path, part: str) -> Iterator[Vault]:
    """Start a real Vault (part vault) or OpenBao (part openbao) in memory and a proxy before it; its files lie in a folder."""
    authority, ca_file = Authority.make(folder / "vault-ca.pem"), folder / "vault-ca.pem"
    certificate = authority.issue(folder / "vault.pem")
    programs = build.ensure([part], report=print)
    started = _lab_vault(programs, certificate, folder) if part == "vault" else _openbao(programs, certificate, ca_file, folder)
    with started as (url, token, unseal_key):
        client = HVAC.require().Client(url=url, token=token, verify=str(ca_file))
        with FaultProxy(_upstream(url, ca_file), certificate=certificate) as proxy:
            vault = Vault(proxy, ca_file, client, unseal_key)
            vault.prepare()
            _await_engine(vault)
            yield vault


@contextmanager
def _lab_vault(programs: Path, certificate: Path, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Start the lab's own build of Vault; provide its address, root's token and the key that unseals it."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command: list[str | Path] = [programs / "lab-vault", "-certificate", certificate]
    with (folder / "vault.log").open("w") as log, subprocess.Popen(command, stderr=log, **pipes) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, (folder / "vault.log").read_text()
            told = json.loads(line)
            yield told["url"], told["token"], told["unseal_key"]
        finally:
            process.kill()


@contextmanager
def _openbao(programs: Path, certificate: Path, ca_file: Path, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Start OpenBao as a server, initialise and unseal it; provide its address, root's token and the key that unseals it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "{}:{}".format(*free.getsockname())
    listener = {"tcp": {"address": address, "tls_cert_file": str(certificate), "tls_key_file": str(certificate)}}
    settings = folder / "openbao.json"
    settings.write_text(json.dumps({"storage": {"inmem": {}}, "listener": [listener], "api_addr": f"https://{address}"}))
    log_file = folder / "openbao.log"
    command: list[str | Path] = [programs / "bao", "server", f"-config={settings}"]
    with log_file.open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            client = HVAC.require().Client(url=f"https://{address}", verify=str(ca_file))
            given_up = time.monotonic() + READY_SECONDS
            while not _answers(client):
                assert process.poll() is None and time.monotonic() < given_up, log_file.read_text()
                time.sleep(POLL_SECONDS)
            made = client.sys.initialize(secret_shares=1, secret_threshold=1)
            client.sys.submit_unseal_key(made["keys"][0])
            yield f"https://{address}", made["root_token"], made["keys"][0]
        finally:
            process.kill()


def _answers(client: Any) -> bool:
    """Return whether a server takes connections."""
    try:
        client.sys.read_health_status()
    except OSError:
        return False
    return True


def _await_engine(vault: Vault) -> None:
    """Wait until the engine of version 2 serves, which it does not at once."""
    given_up = time.monotonic() + READY_SECONDS
    while True:
        try:
            vault.engine.create_or_update_secret("begin", {"is": "there"})
            return
        except HVAC.part("exceptions").InvalidRequest:
            assert time.monotonic() < given_up, "the KV engine did not come up"
            time.sleep(POLL_SECONDS)


def _upstream(url: str, ca_file: Path) -> Any:
    """Return what opens connections to the Vault itself."""
    place, context = urlsplit(url), ssl.create_default_context(cafile=str(ca_file))
    return lambda: http.client.HTTPSConnection(str(place.hostname), place.port, context=context)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
