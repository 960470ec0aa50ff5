"""How soon a verdict comes once the API shows it, in a lab, by a deployer (K8S_AUTH_*): python latency.py fault|ready NAMESPACE CLIENT.

Waits as provision_client.yml does, while a second connection watches the API closely; somebody else has just applied the environment.
Prints {"seconds": from what the API shows first to the last line on the screen}.
"""

from __future__ import annotations

import contextlib
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


def shows(pods: list[dict[str, Any]], what: str) -> bool:
    """Return whether the API shows what is waited for."""
    statuses = [status for pod in pods for status in pod["status"].get("containerStatuses", [])]
    if what == "ready":
        return any(status.get("ready") for status in statuses)
    return any((status["state"].get("waiting") or {}).get("reason") in FAULTS for status in statuses)


def main() -> None:
    what, namespace, client = sys.argv[1:]
    root, ca, token = (os.environ[f"K8S_AUTH_{name}"] for name in ("HOST", "SSL_CA_CERT", "API_KEY"))
    connection = {"host": root, "ca_cert": ca, "api_key": token}
    seen, told = threading.Event(), []
    moments: list[float] = []

    def watch() -> None:
        api = connect(connection)
        while not seen.is_set():
            if shows(api.list("v1", "Pod", namespace, label_selector=f"app={client}-lms"), what):
                moments.append(time.monotonic())
                return
            time.sleep(WATCH_SECONDS)

    watcher = threading.Thread(target=watch)
    watcher.start()
    params = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
    given = {**connection, "clients": [client], "namespace": namespace, "wait": True, "wait_timeout": WAIT_SECONDS}
    with contextlib.suppress(LmsError):
        run({**params, **given}, Context(report=lambda _line: told.append(time.monotonic())))
    seen.set()
    watcher.join()
    print(json.dumps({"seconds": max(told[-1] - moments[0], 0.0) if moments else 0.0}))


if __name__ == "__main__":
    main()
