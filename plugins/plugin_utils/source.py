# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an inventory's file says that the records are: the API, and the namespace on it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain.kinds import KINDS, RefusedError, plain
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import connection_of
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import KUBERNETES_OPTIONS
from ansible_collections.rarus.lms.plugins.plugin_utils.variables import settings_given

__all__ = ["CONNECTION_OPTIONS", "Source", "is_one_word", "names_the_plugin", "source_of"]

CONNECTION_OPTIONS = {name for option, spec in KUBERNETES_OPTIONS.items() for name in (option, *spec["aliases"])}
# The catalogue's variables that are read, by what they begin with.
OF_THE_CATALOGUE = ("lms_api_", "lms_registry_namespace", "lms_namespace_id")
PASSED_OVER = "group_vars"
# What a source's file says near its beginning, in YAML or in JSON.
NAMES_THE_PLUGIN = re.compile(rb"""(^|[{,\s"'])plugin["']?\s*:\s*["']?rarus\.lms\.clients\b""")
BEGINNING_BYTES = 4096


@dataclass(frozen=True)
class Source:
    """connection: options for `connect`, with the environment's where neither file sets them; namespace: of the records."""

    connection: t.Mapping[str, t.Any]
    namespace: str


def source_of(config: t.Mapping[str, t.Any], path: str, templar: t.Any, loader: t.Any, variables: t.Mapping[str, t.Any]) -> Source:
    """Return where the records are, as the inventory's file says and, for what it leaves out, the catalogue's file that it names.

    config: the content of the inventory's file at path; variables: extra variables, for its templates. Raises InputError.
    """
    folder = Path(path).parent
    templar.available_variables = {"inventory_dir": str(folder), "inventory_file": path, **variables}
    own = {
        name: _resolved(templar, name, config[name])
        for name in (*CONNECTION_OPTIONS, "registry_namespace", "connection_file")
        if name in config
    }
    named = own.pop("connection_file", None)
    catalogue = _of_catalogue(folder / named, templar, loader, variables) if named else {}
    namespace = own.pop("registry_namespace", None) or catalogue.get("lms_registry_namespace") or catalogue.get("lms_namespace_id")
    checked = ArgumentSpecValidator(KUBERNETES_OPTIONS).validate({**connection_of(catalogue), **own})
    if checked.error_messages:
        raise InputError(" ".join(checked.error_messages))
    return Source(checked.validated_parameters, _namespace(namespace))


def names_the_plugin(path: str) -> bool:
    """Return whether a file says that it is a source of clients, whatever its name is."""
    return bool(NAMES_THE_PLUGIN.search(_beginning(path)))


def is_one_word(path: str) -> bool:
    """Return whether a file is a single word, such as JSON without blanks: to Ansible's plugin ini that is the name of a host."""
    return len(_beginning(path).split()) == 1


def _beginning(path: str) -> bytes:
    """Return the first bytes of a file, none where it cannot be read: whoever reads it as a whole says why."""
    try:
        with Path(path).open("rb") as file:
            return file.read(BEGINNING_BYTES)
    except OSError:
        return b""


def _of_catalogue(path: Path, templar: t.Any, loader: t.Any, variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return those variables of a catalogue's file that say where the API and the records are, templates resolved."""
    try:
        found = loader.load_from_file(str(path), cache="none", trusted_as_template=True)
    except AnsibleError as error:
        raise InputError(f"connection_file: {path} cannot be read: {' '.join(str(error).split()).rstrip('.')}.") from None
    if not isinstance(found, dict):
        raise InputError(f"connection_file: {path} holds no variables. Expected a catalogue's file, such as group_vars/lms_catalogues.yml.")
    folder = path.parent.parent if path.parent.name == PASSED_OVER else path.parent
    templar.available_variables = {**found, "inventory_dir": str(folder), **variables}
    given = {name: value for prefix in OF_THE_CATALOGUE for name, value in settings_given(templar, {**found, **variables}, prefix).items()}
    return t.cast("dict[str, t.Any]", plain(given))


def _resolved(templar: t.Any, name: str, value: t.Any) -> t.Any:
    """Return an option's value with its templates resolved."""
    try:
        return plain(templar.template(value))
    except AnsibleError as error:
        raise InputError(f"{name}: its template fails: {' '.join(str(error).split()).rstrip('.')}.") from None


def _namespace(value: t.Any) -> str:
    """Return the namespace of the records."""
    if value in (None, ""):
        raise InputError(
            "registry_namespace: is missing. Expected the namespace of the clients' records.",
            hint="Set it, or connection_file to the catalogue's group_vars/lms_catalogues.yml.",
        )
    try:
        return str(KINDS["namespace"].read("registry_namespace", value))
    except RefusedError as refused:
        raise InputError(" ".join(refused.sentences)) from None
