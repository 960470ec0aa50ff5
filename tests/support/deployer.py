# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare namespace on a lab with a deployer's token, for tests of single entry points: no catalogue, no Secrets of an administrator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.rarus.lms.plugins.module_utils._domain.access import NAMESPACE_RULES, role_rules

from .lab import ROOT, Lab, Prepared

__all__ = ["Audit", "Deployer", "audit_of"]

COLLECTIONS = ROOT / "playbooks" / "collections"
MODULES = "ansible_collections.rarus.lms.plugins.modules"
ACCOUNT = "deployer"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


@dataclass
class Deployer:
    """Whoever holds the token of a namespace's ServiceAccount, which has the least Role. folder is for files of the test's."""

    lab: Lab
    namespace: str
    folder: Path
    token: str = field(default="", repr=False)

    def prepare(self) -> None:
        """Make the namespace, the account, its Role and its token."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT}
        rbac, here = "rbac.authorization.k8s.io/v1", {"name": ACCOUNT, "namespace": self.namespace}
        objects = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": labels}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": here},
            {"apiVersion": rbac, "kind": "Role", "metadata": here, "rules": role_rules(NAMESPACE_RULES)},
            {"apiVersion": rbac, "kind": "RoleBinding", "metadata": here, "roleRef": role, "subjects": [subject]},
        ]
        self.lab.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        self.token = self.lab.kubectl("create", "token", ACCOUNT, "--namespace", self.namespace, "--duration=2h").strip()

    def remove(self) -> None:
        """Delete the namespace and wait until it is gone."""
        self.lab.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--wait")

    @property
    def options(self) -> dict[str, Any]:
        """The connection options of the entry points."""
        api = self.lab.facts["api"]
        return {"host": api["root_url"], "api_key": self.token, "ca_cert": api["ca_file"]}

    def command(self, module: str, *, check_mode: bool = False, **options: Any) -> list[str]:
        """Return the command line of a module's process in the lab; its options lie in a file."""
        path = self.folder / f"{module}-{len(list(self.folder.iterdir()))}.json"
        arguments = {**self.options, **options, "_ansible_check_mode": check_mode, "_ansible_remote_tmp": str(self.folder)}
        path.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        return self.lab.command("env", f"PYTHONPATH={COLLECTIONS}", sys.executable, "-m", f"{MODULES}.{module}", str(path))

    def module(self, module: str, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        """Run a module as a process of its own; return its result, which has `failed` where it failed."""
        command = self.command(module, check_mode=check_mode, **options)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.stdout.strip().startswith("{"), done.stdout + done.stderr
        return dict(json.loads(done.stdout))

    def play(self, *tasks: dict[str, Any], words: tuple[str, ...] = (), json_only: bool = True) -> subprocess.CompletedProcess[str]:
        """Run tasks by ansible-playbook on a local connection, in-process; the token comes by the environment."""
        path = self.folder / "play.yml"
        play = {"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}
        path.write_text(json.dumps([play]))
        api = self.lab.facts["api"]
        environment = {
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "K8S_AUTH_HOST": api["root_url"] + "/",
            "K8S_AUTH_SSL_CA_CERT": api["ca_file"],
            "K8S_AUTH_API_KEY": self.token,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            **({"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"} if json_only else {}),
        }
        return self.lab.run("ansible-playbook", str(path), *words, env=environment, check=False)

    def task(self, module: str, **options: Any) -> dict[str, Any]:
        """Run one entry point in-process; return its result."""
        done = self.play({f"rarus.lms.{module}": options})
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        return dict(json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"])

    def audit(self) -> Audit:
        """Return what this deployer writes from now on."""
        path = Path(self.lab.facts["api"]["audit_log"])
        return Audit(path, path.stat().st_size, f"system:serviceaccount:{self.namespace}:{ACCOUNT}")


@dataclass(frozen=True)
class Audit:
    """The API server's audit log from one moment on, of one user."""

    path: Path
    start: int
    user: str

    def requests(self) -> list[str]:
        """Return "verb resource/name" of every request."""
        return [_said(event) for event in self._events()]

    def writes(self) -> list[str]:
        """Return those that write; access reviews and dry runs do not, though they are POSTs and PATCHes."""
        return [_said(event) for event in self._events() if event["verb"] in WRITES and not _is_empty(event)]

    def _events(self) -> list[dict[str, Any]]:
        with self.path.open() as log:
            log.seek(self.start)
            events = [json.loads(line) for line in log if line.endswith("\n") and self.user in line]
        answered = [event for event in events if event["stage"] == "ResponseComplete" and "objectRef" in event]
        return [event for event in answered if event["user"].get("username") == self.user]


def _said(event: dict[str, Any]) -> str:
    return f"{event['verb']} {event['objectRef']['resource']}/{event['objectRef'].get('name', '')}"


def _is_empty(event: dict[str, Any]) -> bool:
    """Return whether a request of a writing verb writes nothing."""
    return event["objectRef"].get("apiGroup") == "authorization.k8s.io" or "dryRun=All" in event["requestURI"]


def audit_of(prepared: Prepared) -> Audit:
    """Return what a namespace's deployer writes from now on."""
    path = Path(prepared.lab.facts["api"]["audit_log"])
    return Audit(path, path.stat().st_size, f"system:serviceaccount:{prepared.namespace}:lms-deployer")
