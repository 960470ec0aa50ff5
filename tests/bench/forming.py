"""How long forming an id takes in each of several registries, by turns.

Standard input: options of the module `client` without an organisation, by the registry's name. It prints the seconds by the same names.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._operations.client import ARGUMENT_SPEC, run

ROUNDS = 15


def form(options: dict[str, Any]) -> float:
    """Form one id; return the seconds."""
    checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate({**options, "organisation": str(uuid.uuid4())})
    started = time.perf_counter()
    run(checked.validated_parameters, Context())
    return time.perf_counter() - started


def main() -> None:
    registries: dict[str, dict[str, Any]] = json.load(sys.stdin)
    seconds: dict[str, list[float]] = {name: [] for name in registries}
    for _round in range(ROUNDS):
        for name, options in registries.items():
            seconds[name].append(form(options))
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
