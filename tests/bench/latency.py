"""How soon a verdict comes once the API shows it, in a lab, by a deployer (K8S_AUTH_*): python latency.py fault|ready NAMESPACE CLIENT.

Waits as provision_client.yml does, while a second connection watches the API closely; somebody else has just applied the environment.
Prints {"seconds": from what the API shows first to the last line on the screen}; ends with a failure where the API never showed it, nothing
was printed, or the verdict is another one.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import connect
from ansible_collections.rarus.lms.plugins.module_utils._operations.environment_info import ARGUMENT_SPEC, run

WATCH_SECONDS = 0.02
WAIT_SECONDS = 60
FAULTS = ("ErrImagePull", "ImagePullBackOff")
# What the verdict has to be: the phase, and the cause; the registry asks for a login, and the pods have none.
EXPECTED = {"ready": ("ready", ""), "fault": ("failed", "pull_secret_unset")}


def shows(pods: list[dict[str, Any]], what: str) -> bool:
    """Return whether the API shows what is waited for."""
    statuses = [status for pod in pods for status in pod["status"].get("containerStatuses", [])]
    if what == "ready":
        return any(status.get("ready") for status in statuses)
    return any((status["state"].get("waiting") or {}).get("reason") in FAULTS for status in statuses)


def verdict_of(given: dict[str, Any], told: list[float]) -> tuple[str, str]:
    """Wait for the verdict, and return its phase and first cause; told gets the moments at which lines are printed."""
    params = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
    try:
        result = run({**params, **given}, Context(report=lambda _line: told.append(time.monotonic())))
    except LmsError as error:
        result = error.data
    (environment,) = result["environments"]
    return environment["phase"], next((finding["cause"] for finding in environment["findings"]), "")


def main() -> None:
    what, namespace, client = sys.argv[1:]
    root, ca, token = (os.environ[f"K8S_AUTH_{name}"] for name in ("HOST", "SSL_CA_CERT", "API_KEY"))
    connection = {"host": root, "ca_cert": ca, "api_key": token}
    moments: list[float] = []
    told: list[float] = []

    def watch() -> None:
        api, deadline = connect(connection), time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            if shows(api.list("v1", "Pod", namespace, label_selector=f"app={client}-lms"), what):
                moments.append(time.monotonic())
                return
            time.sleep(WATCH_SECONDS)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    given = {**connection, "clients": [client], "namespace": namespace, "wait": True, "wait_timeout": WAIT_SECONDS}
    verdict = verdict_of(given, told)
    watcher.join()
    if verdict != EXPECTED[what]:
        sys.exit(f"{client}: the verdict is {verdict}, not {EXPECTED[what]}")
    if not moments or not told:
        sys.exit(f"{client}: the API {'showed' if moments else 'never showed'} it, and {len(told)} lines were printed")
    # Both look at the API, each for itself: where the wait sees it before the watcher does, nothing is late.
    print(json.dumps({"seconds": max(told[-1] - moments[0], 0.0)}))


if __name__ == "__main__":
    main()
