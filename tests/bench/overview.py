"""The state of all clients of a namespace read in two ways, in a lab, by a deployer (K8S_AUTH_*): python overview.py ours|bare NAMESPACE.

ours: as status_clients.yml judges them. bare: the same lists by curl, page by page, and the JSON read.
Prints {"seconds": without the start of Python, "calls": requests, "found": clients}.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._operations.environment_info import ARGUMENT_SPEC, run

PAGE = 500
LISTS = (
    ("/apis/apps/v1", "deployments", "app.kubernetes.io/managed-by=rarus.lms"),
    ("/apis/apps/v1", "replicasets", "app"),
    ("/api/v1", "pods", "app"),
    ("/apis/discovery.k8s.io/v1", "endpointslices", "kubernetes.io/service-name"),
    ("/apis/networking.k8s.io/v1", "ingresses", "app.kubernetes.io/managed-by=rarus.lms"),
    ("/api/v1", "configmaps", "rarus.lms/record=client"),
)


def ours(namespace: str) -> dict[str, Any]:
    """Judge all clients of the catalogue; the table goes nowhere."""
    root, ca, token = (os.environ[f"K8S_AUTH_{name}"] for name in ("HOST", "SSL_CA_CERT", "API_KEY"))
    given = {"host": root, "ca_cert": ca, "api_key": token, "namespace": namespace, "catalogue": namespace, "overview": True}
    params = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
    started = time.perf_counter()
    result = run({**params, **given, "publish": "ingress", "public_dns": "backend.lms-dev.example"}, Context())
    ready = [one for one in result["environments"] if one["phase"] == "ready"]
    return {"seconds": time.perf_counter() - started, "calls": result["calls"], "found": len(ready)}


def bare(namespace: str) -> dict[str, Any]:
    """List the same objects by curl and read the JSON, nothing else."""
    root, ca = os.environ["K8S_AUTH_HOST"], os.environ["K8S_AUTH_SSL_CA_CERT"]
    header = f"Authorization: Bearer {os.environ['K8S_AUTH_API_KEY']}\n".encode()
    started = time.perf_counter()
    found, calls = 0, 0
    for group, plural, labels in LISTS:
        query = {"limit": str(PAGE), "labelSelector": labels}
        more = True
        while more:
            url = f"{root}{group}/namespaces/{namespace}/{plural}?{urlencode(query)}"
            curl = ["curl", "--silent", "--show-error", "--fail", "--cacert", ca, "--header", "@-", url]
            page = json.loads(subprocess.run(curl, input=header, stdout=subprocess.PIPE, check=True).stdout)
            calls += 1
            found += len(page["items"]) if plural == "deployments" else 0
            query["continue"] = page["metadata"].get("continue", "")
            more = bool(query["continue"])
    return {"seconds": time.perf_counter() - started, "calls": calls, "found": found}


VERBS: dict[str, Callable[[str], dict[str, Any]]] = {"ours": ours, "bare": bare}

if __name__ == "__main__":
    print(json.dumps(VERBS[sys.argv[1]](sys.argv[2])))
