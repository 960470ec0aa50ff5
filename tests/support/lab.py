"""A lab as tests, demo and benchmarks use it: its facts, commands under its names, namespaces made ready on it, playbooks run on them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from .reading import Reader
from .tree import ROOT

__all__ = ["LABS", "PLAYBOOKS", "ROOT", "Lab", "Prepared", "start", "stop"]

PLAYBOOKS = ROOT / "playbooks"
PROGRAM = ROOT / "tests" / "lab"
LABS = Path(os.environ.get("RARUS_LMS_STATE") or "/var/lib/rarus-lms") / "labs"
COMMAND_SECONDS = 300
# By lab and namespace: how this session has made it ready.
READY: dict[tuple[str, str], list[str]] = {}


@dataclass(frozen=True)
class Lab:
    """A lab that serves."""

    name: str

    @property
    def state(self) -> Path:
        """The lab's folder."""
        return LABS / self.name

    @cached_property
    def facts(self) -> dict[str, Any]:
        """lab.json, as docs/lab-contract.md describes it."""
        return dict(json.loads((self.state / "lab.json").read_text()))

    def run(
        self,
        *command: str,
        check: bool = True,
        text: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        seconds: float = COMMAND_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command where the lab's names resolve; env is added to the environment, text is its standard input.

        AssertionError with the command's output when check is given and it fails.
        """
        done = subprocess.run(
            self.command(*command),
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            timeout=seconds,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def command(self, *command: str) -> list[str]:
        """Return the whole command line that runs a command in the lab."""
        return ["sh", str(PROGRAM / "inside.sh"), str(self.state), self.facts["bin"], *command]

    def kubectl(self, *words: str, text: str | None = None, check: bool = True) -> str:
        """Run kubectl as the administrator; return its standard output."""
        return self.run("kubectl", *words, text=text, check=check).stdout

    def get(self, kind: str, name: str = "", namespace: str = "", *, selector: str = "") -> dict[str, Any]:
        """Return an object, or a List of them, as the administrator sees it; empty where there is none."""
        return self._reader.get(kind, name, namespace, selector=selector)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(Path(self.facts["api"]["kubeconfig"]))

    def secret(self, path: str) -> str:
        """Return a password that lab.json names a file for."""
        return Path(path).read_text().strip()

    def hold(self, client: str, namespace: str, holder: str) -> None:
        """Have somebody hold a client's Lease, as a run does that goes on."""
        now = dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": f"lms-client-{client.lower()}", "namespace": namespace},
            "spec": {"holderIdentity": f"{holder} 5f1c", "leaseDurationSeconds": COMMAND_SECONDS, "acquireTime": now, "renewTime": now},
        }
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=json.dumps(lease))

    def release(self, client: str, namespace: str) -> None:
        """Give a client's Lease back, whoever holds it."""
        patch = json.dumps({"spec": {"holderIdentity": ""}})
        self.kubectl("patch", "lease", f"lms-client-{client.lower()}", "--namespace", namespace, "--type=merge", "--patch", patch)

    def curl(self, url: str, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Ask a public URL through the ingress, trusting the lab's authority."""
        return self.run("curl", "--silent", "--show-error", "--cacert", self.facts["ingress"]["ca_file"], *options, url, check=check)

    def static_files(self, namespace: str) -> str:
        """Return the folder of a namespace's static files; it goes with the lab."""
        return str(self.state / "static" / namespace)

    @property
    def sms_token(self) -> str:
        """A token good for nothing, no other lab's: what is searched on the whole machine must not be found for a test of another lab."""
        return hashlib.sha256(self.secret(self.facts["registry"]["password_file"]).encode()).hexdigest()

    def secrets_of_the_administrator(self, postgres: str = "15", admin: str = "superuser") -> dict[str, str]:
        """The environment that prepare_namespace.yml takes the values of Secrets from; admin is superuser or createrole."""
        facts = self.facts
        login = facts["postgres"][postgres][admin]
        return {
            "LMS_REGISTRY_USER": facts["registry"]["user"],
            "LMS_REGISTRY_PASSWORD": self.secret(facts["registry"]["password_file"]),
            "LMS_TLS_CERTIFICATE_FILE": facts["ingress"]["cert_file"],
            "LMS_TLS_KEY_FILE": facts["ingress"]["key_file"],
            "LMS_POSTGRES_ADMIN_USER": login["user"],
            "LMS_POSTGRES_ADMIN_PASSWORD": self.secret(login["password_file"]),
            "LMS_CLICKHOUSE_ADMIN_USER": facts["clickhouse"]["admin"]["user"],
            "LMS_CLICKHOUSE_ADMIN_PASSWORD": self.secret(facts["clickhouse"]["admin"]["password_file"]),
            "LMS_SMS4B_TOKEN": self.sms_token,
        }

    def prepare(
        self,
        inventory: Path = ROOT / "inventories" / "lms-dev",
        *,
        namespace: str = "lms-dev",
        postgres: str = "15",
        admin: str = "superuser",
        extra: Mapping[str, Any] | None = None,
    ) -> Prepared:
        """Make a namespace ready as its administrator, static files on the node's own disk; return what a deployer needs.

        A catalogue's own namespace, which no test takes away, is taken as it is where this session has made it ready in the same way last.
        """
        prepared = Prepared(self, inventory, namespace, dict(extra or {}))
        api = self.facts["api"]
        variables = {
            "namespace_connection": {"kubeconfig": api["kubeconfig"]},
            "namespace_token_file": str(prepared.token_file),
            "namespace_volume": "host_path",
            "namespace_volume_path": self.static_files(namespace),
            **prepared.extra,
        }
        command = ["ansible-playbook", "prepare_namespace.yml", "-i", str(inventory), "-e", json.dumps(variables)]
        way = [*command, postgres, admin]
        if namespace != inventory.name or READY.get((self.name, namespace)) != way:
            READY.pop((self.name, namespace), None)
            self.run(*command, env=self.secrets_of_the_administrator(postgres, admin), cwd=PLAYBOOKS)
            READY[self.name, namespace] = way
        return prepared


@dataclass(frozen=True)
class Prepared:
    """A namespace that was made ready: whoever holds its token runs playbooks on it. extra are variables of every run, by name."""

    lab: Lab
    inventory: Path
    namespace: str
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def token_file(self) -> Path:
        """The file that prepare_namespace.yml leaves the deployer's token in."""
        return self.lab.state / f"{self.namespace}.token"

    @property
    def env(self) -> dict[str, str]:
        """The environment of a deployer: the API behind its proxy, and the token that has rights in this namespace only."""
        api = self.lab.facts["api"]
        token = self.token_file.read_text().strip() if self.token_file.exists() else ""
        found = {"K8S_AUTH_HOST": api["root_url"], "K8S_AUTH_SSL_CA_CERT": api["ca_file"], "K8S_AUTH_API_KEY": token}
        return {name: value for name, value in found.items() if value}

    def playbook(self, name: str, *words: str, check: bool = True, seconds: float = COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run a playbook of the collection as the deployer; words are further words of the command line."""
        command = ["ansible-playbook", f"{name}.yml", "-i", str(self.inventory), *words]
        if self.extra:
            command += ["-e", json.dumps(self.extra)]
        return self.lab.run(*command, env=self.env, cwd=PLAYBOOKS, check=check, seconds=seconds)

    def provision(self, client: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run provision_client.yml for one client."""
        return self.playbook("provision_client", "-e", f"client={client}", *words, check=check)


def start(name: str, *options: str) -> Lab:
    """Start a lab, or check one that runs; its lines go to standard output. CalledProcessError when it does not serve in the end."""
    subprocess.run([sys.executable, str(PROGRAM), "up", "--name", name, *options], check=True)
    return Lab(name)


def stop(name: str) -> None:
    """Take a lab away, running or not."""
    subprocess.run([sys.executable, str(PROGRAM), "down", "--name", name], check=True)
