# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who does what the screen's `next` says, to the letter, is served: what had failed before is no proof against the repair."""

from __future__ import annotations

import base64
import json
import re
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from support.archives import texts_of
from support.ids import fresh
from support.lab import Lab, Prepared

SPACE, REPOSITORY = "lms-dev", "lms/backend"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
# The kubelet's next try is 40 s away after the third restart, and later after each further one.
CRASHES = 3
# And that of an image 80 s away after the fourth time.
PULLS = 4
WAIT = "--timeout=180s"
# A pod of the repaired environment is ready within seconds; back-offs that were waited for would take minutes.
SOON = 30.0


@pytest.fixture(scope="module")
def dev(lab: Lab) -> Prepared:
    """Provide the namespace lms-dev, made ready."""
    return lab.prepare()


def next_of(screen: str) -> str:
    """Return what a screen says to do next, as one line."""
    found = re.search(r"^  next     (.*(?:\n {11}.*)*)", screen, re.MULTILINE)
    assert found, screen
    return " ".join(found.group(1).split())


def assert_soon(screen: str, client: str) -> None:
    """The client became ready by pods that were made anew, and not by a back-off that was waited for."""
    assert "that was so before this run: the pods are made anew" in screen
    assert f"{client} is ready after " in screen
    progressed = [float(seconds) for seconds in re.findall(r" ([0-9.]+) s +\d+ of \d+ ready", screen)]
    assert progressed[-1] < SOON, screen


def push(lab: Lab, tag: str) -> None:
    """Let a tag of the registry stand for the back end's image."""
    facts = lab.facts["registry"]
    login = base64.b64encode(f"{facts['user']}:{lab.secret(facts['password_file'])}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Accept": MANIFEST, "Content-Type": MANIFEST}
    url = f"{facts['push_url']}/v2/{REPOSITORY}/manifests/"
    with urllib.request.urlopen(urllib.request.Request(f"{url}dev", headers=headers), timeout=30) as answer:
        image = answer.read()
    with urllib.request.urlopen(urllib.request.Request(url + tag, data=image, headers=headers, method="PUT"), timeout=30):
        pass


def test_an_image_that_was_missing_is_pushed_and_the_same_command_run_again(dev: Prepared, lab: Lab) -> None:
    client, tag = fresh(), fresh().lower()
    own = replace(dev, extra={"lms_docker_image": f"registry.example/{REPOSITORY}:{tag}"})
    failed = own.provision(client, check=False)
    assert failed.returncode == 2, failed.stdout + failed.stderr
    assert next_of(failed.stdout) == "push the image or correct it in the catalogue, then run the same command again"
    refused = next(one for one in lab.get("events", namespace=SPACE)["items"] if re.match(rf"Failed to pull image .*{tag}", one["message"]))
    lab.kubectl("wait", "event", refused["metadata"]["name"], "-n", SPACE, f"--for=jsonpath={{.count}}={PULLS}", WAIT)
    push(lab, tag)
    assert_soon(own.provision(client).stdout, client)
    assert f"{client} is ready, nothing changed (" in own.provision(client).stdout


def test_a_damaged_record_does_not_keep_anything_from_being_packed(dev: Prepared, lab: Lab, tmp_path: Path) -> None:
    client, archive = fresh(), tmp_path / "x.tar.gz"
    damaged = {"schema": "none", "client": client}
    labels = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": client, "rarus.lms/record": "client"}
    record = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"lms-client-{client.lower()}", "labels": labels},
        "data": damaged,
    }
    lab.kubectl("apply", "-n", SPACE, "-f", "-", text=json.dumps(record))
    try:
        done = dev.playbook("diagnose_client", "-e", f"client={client}", "-e", f"file={archive}")
    finally:
        lab.kubectl("delete", "configmap", f"lms-client-{client.lower()}", "-n", SPACE)
    assert "is damaged" in done.stdout + done.stderr
    files = texts_of(archive)
    assert json.loads(files[f"{client}/verdict.json"])["environments"][0]["phase"] == "unknown"
    assert json.loads(files[f"{client}/record.json"])["data"] == damaged


def test_what_fails_anew_fails_again_and_soon(dev: Prepared) -> None:
    own = replace(dev, extra={"lms_docker_image": f"registry.example/{REPOSITORY}:never-pushed"})
    client = fresh()
    for screen in (own.provision(client, check=False).stdout, own.provision(client, check=False).stdout):
        seconds = re.search(rf"{client} in {SPACE} FAILED after ([0-9.]+) s: image registry.example", screen)
        assert seconds, screen
        assert float(seconds.group(1)) < 2 * SOON


def test_a_password_that_differs_is_repaired_by_the_command_on_the_screen(dev: Prepared, lab: Lab) -> None:
    client = fresh()
    dev.provision(client)
    server = lab.facts["postgres"]["15"]
    words = ["psql", "-XAtq", "-h", server["host"], "-p", str(server["port"]), "-U", server["superuser"]["user"], "-d", "postgres"]
    password = lab.secret(server["superuser"]["password_file"])
    lab.run(*words, "-c", f"ALTER ROLE {client.lower()} PASSWORD 'another'", env={"PGPASSWORD": password})
    app = ["-n", SPACE, "-l", f"app={client}-lms"]
    lab.kubectl("delete", "pod", *app)
    crashed = "jsonpath={.status.containerStatuses[0].restartCount}=" + str(CRASHES)
    lab.kubectl("wait", "pod", *app, f"--for={crashed}", WAIT)
    lab.kubectl("wait", "pod", *app, "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff", WAIT)
    told = dev.playbook("status_client", "-e", f"client={client}", check=False)
    assert told.returncode == 2
    command = next_of(told.stdout).split()
    assert command[:2] == ["ansible-playbook", "provision_client.yml"]
    assert_soon(dev.playbook("provision_client", *command[2:]).stdout, client)
