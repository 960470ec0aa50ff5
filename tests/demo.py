"""The whole job on a lab of its own: start it, make lms-dev ready, provision C42 as an operator would type it, ask its public address."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from support.lab import PLAYBOOKS, Lab, Prepared, start

NAME = os.environ.get("RARUS_LMS_DEMO_LAB") or "demo"
CLIENT = "C42"
PROVISION = ["ansible-playbook", "provision_client.yml", "-e", f"client={CLIENT}"]


def step(text: str) -> None:
    """Say what comes next."""
    print(f"\n--- {text}", flush=True)


def provision(lab: Lab, prepared: Prepared) -> None:
    """Run the playbook exactly as the README has it; its output goes to the terminal as it comes."""
    print(f"$ cd playbooks && {' '.join(PROVISION)}", flush=True)
    done = subprocess.run(lab.command(*PROVISION), cwd=PLAYBOOKS, env={**os.environ, **prepared.env}, check=False)
    if done.returncode:
        sys.exit(f"demo: {CLIENT} was not provisioned. The lab is still there; take it away with make lab-down NAME={NAME}")


def ask(lab: Lab, prepared: Prepared) -> None:
    """Ask the public address through the ingress, and show the answer."""
    url = f"https://backend.{prepared.namespace}.example/{CLIENT}/"
    print(f"$ curl {url}", flush=True)
    print(lab.curl(url, "--fail").stdout.rstrip())


def main() -> None:
    started = time.monotonic()
    step(f"a cluster of its own: lab {NAME}")
    lab = start(NAME)
    step("the administrator makes namespace lms-dev ready (playbooks/prepare_namespace.yml)")
    prepared = lab.prepare()
    step(f"the operator provisions {CLIENT}, with a token that has rights in lms-dev only")
    provision(lab, prepared)
    step("the client's public address, through the ingress")
    ask(lab, prepared)
    within = f"python3 tests/lab exec --name {NAME} --"
    print(
        f"\nDone after {time.monotonic() - started:.0f} s. Look around:\n"
        f"  {within} kubectl -n {prepared.namespace} get all,ingress,configmaps,secrets\n"
        f"  python3 tests/lab status --name {NAME}\n"
        f"Run it again: `make demo` builds nothing and changes nothing. Stop: make lab-down NAME={NAME}"
    )


if __name__ == "__main__":
    main()
