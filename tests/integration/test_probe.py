# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the verdict asks beyond the API: the public path by a Job in the cluster, and the image's registry."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from support.deployer import Audit, Deployer, audit_of
from support.ids import fresh
from support.lab import Lab, Prepared
from support.tls import certificate

REPOSITORY, TAG = "lms/backend", "moving"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
# A name that pods resolve, and that leads to a server whose certificate is for others: the proxy before the API.
ELSEWHERE = "elsewhere.lms-dev.svc.cluster.local"


@dataclass(frozen=True)
class Registry:
    """The lab's registry, as somebody who may push."""

    lab: Lab

    def tag(self, source: str, tag: str) -> None:
        """Let a tag stand for the image that another one stands for."""
        self._ask("PUT", tag, self._ask("GET", source))

    def _ask(self, method: str, tag: str, body: bytes | None = None) -> bytes:
        facts = self.lab.facts["registry"]
        login = base64.b64encode(f"{facts['user']}:{self.lab.secret(facts['password_file'])}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Accept": MANIFEST, "Content-Type": MANIFEST}
        url = f"{facts['push_url']}/v2/{REPOSITORY}/manifests/{tag}"
        with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers, method=method), timeout=30) as answer:
            return bytes(answer.read())


@pytest.fixture(scope="module")
def registry(lab: Lab) -> Registry:
    """Provide the registry, with a tag of these tests' own."""
    found = Registry(lab)
    found.tag("dev", TAG)
    return found


@pytest.fixture(scope="module")
def dev(lab: Lab, registry: Registry) -> Prepared:
    """The namespace lms-dev, made ready; a Job asks the public path, and the registry is asked."""
    authority = lab.facts["ingress"]["ca_file"]
    settings = {"lms_probe": "job", "lms_probe_image": lab.facts["images"]["curl"], "lms_probe_ca_file": authority}
    image = {"lms_docker_image": f"registry.example/{REPOSITORY}:{TAG}", "lms_image_check": "controller", "lms_image_ca_file": authority}
    return lab.prepare(extra={**settings, **image})


@pytest.fixture(scope="module")
def client(dev: Prepared) -> str:
    """A client that is ready, by the word of a Job that asked its public path."""
    found = fresh()
    done = dev.provision(found)
    assert f"{found} is ready after" in done.stdout, done.stdout + done.stderr
    return found


def status(dev: Prepared, client: str, folder: Path, **settings: Any) -> tuple[int, str, dict[str, Any]]:
    """Return exit code, screen and report of status_client.yml under other settings."""
    report = folder / "report.json"
    changed = replace(dev, extra={**dev.extra, **settings})
    done = changed.playbook("status_client", "-e", f"client={client}", "-e", f"report={report}", check=False)
    assert report.exists(), done.stdout + done.stderr
    return done.returncode, done.stdout, json.loads(report.read_text())["environments"][0]


def probe_jobs(lab: Lab) -> list[str]:
    """Return the probe's Jobs that are there."""
    names = [one["metadata"]["name"] for one in lab.get("job", "", "lms-dev")["items"]]
    return [name for name in names if name.startswith("lms-probe-")]


def written(audit: Audit) -> list[str]:
    """Return what was written, as "verb resource"."""
    return [write.partition("/")[0] for write in audit.writes()]


def test_a_run_with_nothing_to_change_makes_and_removes_nothing_but_its_job(dev: Prepared, client: str, lab: Lab) -> None:
    audit = audit_of(dev)
    done = dev.provision(client)
    assert f"{client} is ready, nothing changed (" in done.stdout
    assert written(audit) == ["create jobs", "delete jobs"], audit.writes()
    assert probe_jobs(lab) == []


def test_a_dry_run_asks_by_no_job(dev: Prepared, client: str) -> None:
    audit = audit_of(dev)
    dev.provision(client, "--check")
    assert written(audit) == []


WRONG = [
    ({"lms_public_dns": "backend.lms-prod.example"}, "public_path_not_found", "failed"),
    ({"lms_probe_status": 418}, "public_path_unexpected", "failed"),
    ({"lms_probe_ca_file": "own.pem"}, "certificate_untrusted", "failed"),
    ({"lms_public_dns": ELSEWHERE}, "certificate_name", "failed"),
    ({"lms_probe_image": "registry.example/tools/curl:missing"}, "public_path_not_asked", "degraded"),
    pytest.param({"lms_probe_image": f"registry.example/{REPOSITORY}:dev"}, "public_path_not_asked", "degraded", marks=pytest.mark.soak),
]


@pytest.mark.parametrize(("settings", "cause", "phase"), WRONG)
@pytest.mark.usefixtures("elsewhere")
def test_a_wrong_answer_to_the_job_is_named(
    dev: Prepared, client: str, lab: Lab, tmp_path: Path, settings: dict[str, Any], cause: str, phase: str
) -> None:
    if settings.get("lms_probe_ca_file"):
        own = tmp_path / "own.pem"
        own.write_text(certificate("backend.lms-dev.example", 30)[0])
        settings = {"lms_probe_ca_file": str(own)}
    code, screen, told = status(dev, client, tmp_path, **settings)
    assert (code, told["phase"], told["findings"][0]["cause"]) == (2, phase, cause), screen
    assert "  next     " in screen
    assert probe_jobs(lab) == []


@pytest.fixture(scope="module")
def elsewhere(lab: Lab, dev: Prepared) -> Iterator[None]:
    """Let a name in the cluster lead to a server whose certificate is for others."""
    head = {"namespace": dev.namespace, "name": ELSEWHERE.partition(".")[0]}
    address = lab.facts["names"]["rancher.example"]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": head, "spec": {"ports": [{"name": "https", "port": 443}]}}
    slices = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**head, "labels": {"kubernetes.io/service-name": head["name"]}},
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": 443}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }
    lab.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": [service, slices]}))
    yield
    lab.kubectl("delete", "service,endpointslice", head["name"], f"--namespace={dev.namespace}")


def test_a_certificate_for_another_name_is_named_by_the_controller_too(dev: Prepared, client: str, lab: Lab, tmp_path: Path) -> None:
    asks = {"publish": "ingress", "probe": "controller", "probe_ca_file": lab.facts["ingress"]["ca_file"]}
    elsewhere = lab.facts["names"]["rancher.example"]
    deployer = Deployer(lab, "lms-dev", tmp_path, dev.env["K8S_AUTH_API_KEY"])
    told = deployer.task("environment_info", clients=[client], namespace="lms-dev", public_dns=elsewhere, **asks)
    finding = told["environments"][0]["findings"][0]
    assert (finding["cause"], told["environments"][0]["phase"]) == ("certificate_name", "failed")
    assert elsewhere in finding["message"]


def test_a_newer_digest_is_a_note(dev: Prepared, client: str, registry: Registry, tmp_path: Path) -> None:
    code, screen, told = status(dev, client, tmp_path)
    assert (code, told["phase"], told["findings"], of_the_registry(told)) == (0, "ready", [], []), screen
    registry.tag("2.0", TAG)
    code, screen, told = status(dev, client, tmp_path)
    assert (code, told["phase"], [one["cause"] for one in told["findings"]]) == (0, "ready", ["image_newer"])
    assert f"  note     registry.example/{REPOSITORY}:{TAG} is another image by now" in screen
    code, screen, told = status(dev, client, tmp_path, lms_image_ca_file="")
    assert (code, told["findings"]) == (0, [])
    assert "CERTIFICATE_VERIFY_FAILED" in of_the_registry(told)[0]
    registry.tag("dev", TAG)


def of_the_registry(told: dict[str, Any]) -> list[str]:
    """Return what could not be found out of the image's registry."""
    return [sentence for sentence in told["not_seen"] if sentence.startswith("image registry")]
