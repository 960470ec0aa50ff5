"""The same records read in two ways, in a lab, by a deployer (K8S_AUTH_*): python listing.py parse SOURCE | bare NAMESPACE.

parse: as an inventory, as every playbook reads it before its first task. bare: by curl, page by page, and the JSON read.
Prints {"seconds": without the start of Python and of Ansible, "found": clients}.
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

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader

PAGE = 500


def parse(source: str) -> dict[str, Any]:
    """Read an inventory."""
    init_plugin_loader()
    started = time.perf_counter()
    manager = InventoryManager(loader=DataLoader(), sources=[source])
    return {"seconds": time.perf_counter() - started, "found": len(manager.hosts)}


def bare(namespace: str) -> dict[str, Any]:
    """List the records by curl and read the JSON, nothing else."""
    root, ca = os.environ["K8S_AUTH_HOST"], os.environ["K8S_AUTH_SSL_CA_CERT"]
    header = f"Authorization: Bearer {os.environ['K8S_AUTH_API_KEY']}\n".encode()
    query = {"limit": str(PAGE), "labelSelector": "rarus.lms/record=client"}
    started = time.perf_counter()
    found, more = 0, True
    while more:
        url = f"{root}/api/v1/namespaces/{namespace}/configmaps?{urlencode(query)}"
        curl = ["curl", "--silent", "--show-error", "--fail", "--cacert", ca, "--header", "@-", url]
        page = json.loads(subprocess.run(curl, input=header, stdout=subprocess.PIPE, check=True).stdout)
        found += len(page["items"])
        query["continue"] = page["metadata"].get("continue", "")
        more = bool(query["continue"])
    return {"seconds": time.perf_counter() - started, "found": found}


VERBS: dict[str, Callable[[str], dict[str, Any]]] = {"parse": parse, "bare": bare}

if __name__ == "__main__":
    print(json.dumps(VERBS[sys.argv[1]](sys.argv[2])))
