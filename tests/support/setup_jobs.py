# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts of the database Jobs, run on this machine as the Job runs them: same text, same environment, same files in their places."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.login_probe import probe_job
from ansible_collections.rarus.lms.plugins.module_utils._domain.requests import compiled, render_requests
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import read_settings
from ansible_collections.rarus.lms.plugins.module_utils._domain.templates import find_sources

from .tree import ROOT

__all__ = ["NEEDED", "REFUSED", "TEMPLATES", "Ran", "SetupJob", "run"]

REFUSED = 78
TEMPLATES = ROOT / "roles" / "requests" / "templates"
PLACE = "/run/lms"
SECONDS = 120
NEEDED = {
    "lms_namespace_id": "lms-dev", "lms_docker_image": "lms:1", "lms_sms4b_sender": "X", "lms_publish": "none",
    "lms_postgres_host": "127.0.0.1", "lms_postgres_client_image": "psql:15",
    "lms_clickhouse_host": "127.0.0.1", "lms_clickhouse_client_image": "clickhouse:1",
}  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """How a script ended, what it printed, and what it left to be told."""

    returncode: int
    stdout: str
    stderr: str
    told: str


def run(argv: Sequence[str], **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command; return its code and both its outputs."""
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=SECONDS, **more)


class SetupJob:
    """The Job of one database and client, rendered from the collection's own template with these settings (lms_*) of a catalogue."""

    def __init__(self, database: str, client: ClientId, changes: Mapping[str, Any]) -> None:
        self.settings = read_settings({**NEEDED, **changes}, catalogue="lms-dev")
        requests = render_requests(compiled(find_sources(TEMPLATES)), [client], self.settings, stage="databases")
        (job,) = (one["object"] for one in requests if one["object"]["metadata"]["name"].startswith(f"{database}-setup-"))
        (self.container,) = job["spec"]["template"]["spec"]["containers"]
        (self.probe,) = probe_job(job, database, client, "1", deadline=5)["spec"]["template"]["spec"]["containers"]

    def run(
        self, files: Mapping[str, str], *, wanted: str = "", secrets: Sequence[str] = (), path: Path | None = None, probing: bool = False
    ) -> Ran:
        """Run the script in a folder that stands for /run/lms. files: what is mounted, by path below it; path: a folder of programs.

        wanted: the annotation with what the Job was made for. No secret may stand in the script or its environment.
        probing: run what asks whether the login in use opens the database instead.
        """
        container = self.probe if probing else self.container
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file, content in files.items():
                (folder / file).parent.mkdir(exist_ok=True)
                (folder / file).write_text(content)
            (folder / "work").mkdir()
            script = container["args"][0].replace(PLACE, name)
            given = {entry["name"]: entry.get("value", wanted).replace(PLACE, name) for entry in container["env"]}
            env = {"PATH": ":".join([*([str(path)] if path else []), os.environ["PATH"]]), **given}
            assert not [secret for secret in secrets if secret in script + repr(env)]
            done = run([*container["command"], script], env=env)
            told = folder / "told"
            return Ran(done.returncode, done.stdout, done.stderr, told.read_text() if told.exists() else "")
