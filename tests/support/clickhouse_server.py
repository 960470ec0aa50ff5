# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ClickHouse stand-in on the loopback, for a test's own use, and the client in the image of the Jobs."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import build
from clickhouse import install
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException
from layout import cache_root

__all__ = ["ADMIN_PASSWORD", "Running", "client_program", "running"]

ADMIN_PASSWORD = "canary-admin-password"
PATIENCE = 60  # seconds
POLL = 0.05  # seconds


@dataclass
class Running:
    """A server on the loopback."""

    port: int
    folder: Path
    tls: bool = False

    @property
    def accounts(self) -> Path:
        """The file of its users, roles and rights."""
        return self.folder / "state" / "accounts.json"

    def login(self, user: str = "default", password: str = ADMIN_PASSWORD, database: str = "") -> Client:
        return Client("127.0.0.1", self.port, user=user, password=password, database=database, secure=self.tls, verify=False)

    def ask(self, statement: str, user: str = "default", password: str = ADMIN_PASSWORD, database: str = "") -> list[tuple[Any, ...]]:
        client = self.login(user, password, database)
        try:
            rows: list[tuple[Any, ...]] = client.execute(statement)
            return rows
        finally:
            client.disconnect()

    def code(self, statement: str, user: str = "default", password: str = ADMIN_PASSWORD, database: str = "") -> int:
        """Return the error's number, 0 where there is none."""
        try:
            self.ask(statement, user, password, database)
        except ServerException as error:
            return int(error.code)
        return 0


@contextmanager
def running(folder: Path, secrets: Sequence[str], *, certificate: Path | None = None) -> Iterator[Running]:
    """Yield a server that serves, by TLS where it has a certificate; no secret may be in its log when it ended."""
    password_file = folder / "admin-password"
    password_file.write_text(ADMIN_PASSWORD + "\n")
    log = folder / "log"
    argv = install.command(
        install.ensure(cache_root(), print), listen="127.0.0.1", port=0, state=folder / "state", admin_password_file=password_file
    )
    argv += ["--certificate", str(certificate)] if certificate else []
    with log.open("w") as file:
        process = subprocess.Popen(argv, stderr=file)
    try:
        yield Running(_port_of(process, log), folder, tls=certificate is not None)
    finally:
        process.terminate()
        process.wait(PATIENCE)
    assert not [secret for secret in (ADMIN_PASSWORD, *secrets) if secret in log.read_text()]


def _port_of(process: subprocess.Popen[bytes], log: Path) -> int:
    """Return the port that the server says it serves on."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        said = re.search(r"serving on 127\.0\.0\.1:(\d+)", log.read_text())
        if said:
            return int(said[1])
        time.sleep(POLL)
    raise AssertionError(f"the server does not serve: {log.read_text()}")


def client_program() -> Path:
    """Return the path of clickhouse-client as the image of the Jobs has it."""
    return build.ensure(["clickhouse-client"], report=print) / "clickhouse-client"
