# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients on the list, as hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: clients
short_description: The clients on the list, as hosts
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Every client is a host, named by its id, in the order of the ids. Its variables are what its record says of it, each with C(lms_client_)
    before its name - C(id), C(name), C(organisation), C(catalogue), C(namespace), C(registry_namespace), C(phase), C(phase_since),
    C(settings) (its own), C(credentials) (none, creating or made), C(created), C(created_by), C(applied), C(applied_by), C(result) and
    C(version). There are no contacts and no secrets among them.
  - Groups are C(lms_clients) of all, C(lms_catalogue_NAME), C(lms_phase_NAME) and C(lms_organisation_NAME), where every character of a
    name that is no letter and no digit is an underscore. An organisation's name is the label C(rarus.lms/organisation) of its record.
  - Values come from people and are never templated by Ansible, whatever they contain.
  - No client has a machine of its own, so their plays run on the controller - C(ansible_connection) is V(local) for C(lms_clients).
  - The file's name ends with C(lms_clients.yml) or C(lms_clients.yaml). Keep it beside the folder of the catalogue, not in it,
    so that the list is read only by runs that ask for it.
  - The token needs the right to C(list) configmaps in O(registry_namespace), and nothing else. The list is read in pages of 500,
    and nothing is asked for a single client.
notes:
  - To Ansible a source that fails is a warning by default, and a play without hosts a success. With O(strict) this one ends the run, as
    C(any_unparsed_is_failed=true) in the section C(inventory) of C(ansible.cfg) does for all sources; a V(false) there is heeded.
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [rarus.lms.clients]
  connection_file:
    description:
      - File of a catalogue's variables, such as V(lms-dev/group_vars/lms_catalogues.yml), looked for from this file's folder.
        It says what this file leaves out - the API by C(lms_api_*), and the namespace by C(lms_registry_namespace) or C(lms_namespace_id).
      - Its templates see its own variables, C(inventory_dir), and extra variables; not those of other files.
    type: str
  registry_namespace:
    description:
      - Namespace of the clients' records. Needed unless O(connection_file) says it.
    type: str
  phase:
    description:
      - Phases of the clients to take. An id that has left is no host unless it is asked for.
    type: list
    elements: str
    choices: [registered, suspended, retired]
    default: [registered, suspended]
  catalogue:
    description:
      - Names of the catalogues whose clients to take; all by default.
    type: list
    elements: str
    default: []
  hostname:
    description:
      - What a host is named by - V(id) for C(C42), V(name) for C(c42), as objects and databases are named.
    type: str
    choices: [id, name]
    default: id
  strict:
    description:
      - Whether a list that cannot be read whole (an API that does not answer, a token that may not, a damaged record), and an expression of
        O(compose), O(groups) or O(keyed_groups) that fails, is an error.
      - Otherwise it is a warning. Without an answer there are no hosts then, and a client whose record is damaged is left out.
    type: bool
    default: true
"""

EXAMPLES = r"""
# inventories/lms-dev.lms_clients.yml, beside the folder of the catalogue lms-dev:
#   ansible-inventory -i inventories/lms-dev.lms_clients.yml --graph
plugin: rarus.lms.clients
connection_file: lms-dev/group_vars/lms_catalogues.yml
---
# All by itself; the token comes from K8S_AUTH_API_KEY.
plugin: rarus.lms.clients
host: https://rancher.example/k8s/clusters/c-abcde
ca_cert: "{{ inventory_dir }}/rancher.pem"
registry_namespace: lms-registry
catalogue: [lms-dev]
phase: [registered]
---
# Kept for ten minutes, and with variables and groups of one's own.
plugin: rarus.lms.clients
connection_file: lms-dev/group_vars/lms_catalogues.yml
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/lms-clients
cache_timeout: 600
compose:
  lms_year: lms_client_created[:4]
groups:
  lms_never_applied: lms_client_applied == ""
keyed_groups:
  - key: lms_client_version
    prefix: lms_version
    default_value: none
"""

import hashlib
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.template import trust_as_template
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.version import VERSION
from ansible_collections.rarus.lms.plugins.module_utils._domain.hosts import (
    ALL,
    HOSTNAMES,
    PREFIX,
    Variables,
    groups_of,
    number_of,
    variables_of,
)
from ansible_collections.rarus.lms.plugins.module_utils._domain.names import RECORD_LABEL, RECORD_OF_CLIENT
from ansible_collections.rarus.lms.plugins.module_utils._k8s.api import Api
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import connect
from ansible_collections.rarus.lms.plugins.plugin_utils.source import CONNECTION_OPTIONS, is_one_word, names_the_plugin, source_of

SUFFIXES = ("lms_clients.yml", "lms_clients.yaml")
# No client has a machine of its own: its plays run where Ansible runs.
OF_ALL = {"ansible_connection": "local", "ansible_python_interpreter": trust_as_template("{{ ansible_playbook_python }}")}


def end_the_run() -> None:
    """Have Ansible end with a source that fails, unless its configuration says otherwise.

    By default that is a warning, and a play without hosts, or with some of them, a success.
    """
    _value, origin = C.config.get_config_value_and_origin("INVENTORY_ANY_UNPARSED_IS_FAILED")
    if origin == "default":
        C.INVENTORY_ANY_UNPARSED_IS_FAILED = True


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """The inventory rarus.lms.clients."""

    NAME = "rarus.lms.clients"

    def verify_file(self, path: str) -> bool:
        """Return whether a file is one of ours, by its name. One that is ours by its content alone is told of."""
        if not super().verify_file(path):
            return False
        if not path.endswith(SUFFIXES) and names_the_plugin(path):
            self.display.warning(f"rarus.lms.clients: {path} is not read, as its name does not end with {SUFFIXES[0]}. Rename it.")
        return path.endswith(SUFFIXES)

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Fill the inventory; AnsibleParserError with one sentence where it cannot be told who the clients are."""
        super().parse(inventory, loader, path, cache)
        strict = True
        try:
            config = self._read_config_data(path)
            strict = self.get_option("strict")
            self._refuse_unknown(config)
            source = source_of(config, path, self.templar, loader, self._vars)
            self._populate(self._clients(connect(source.connection), source.namespace, path, cache))
        except (LmsError, AnsibleError) as error:
            if strict:
                end_the_run()
                if is_one_word(path) and C.INVENTORY_ANY_UNPARSED_IS_FAILED:
                    self.display.error(str(error.as_result()["msg"] if isinstance(error, LmsError) else error))
                    raise SystemExit(1) from None
            raise (AnsibleParserError(error.as_result()["msg"]) if isinstance(error, LmsError) else error) from None

    def _refuse_unknown(self, config: t.Mapping[str, t.Any]) -> None:
        """Raise InputError for an option that there is none of: a filter that is mistyped would take all clients."""
        for name in config:
            if name not in self._options and name not in CONNECTION_OPTIONS:
                raise InputError(f"{name}: there is no such option.", hint="ansible-doc -t inventory rarus.lms.clients lists them.")

    def _clients(self, api: Api, namespace: str, path: str, cache: bool) -> list[Variables]:
        """Return all clients of the list, from the cache where it is used and holds them; only a whole list is kept there."""
        kept = self.get_option("cache")
        place = hashlib.sha256(f"{VERSION} {api.root} {namespace}".encode()).hexdigest()[:16]
        key = f"{self.get_cache_key(path)}_{place}"
        if kept and cache and key in self._cache:
            return t.cast("list[Variables]", self._cache[key])
        clients, whole = self._read(api, namespace)
        if kept and whole:
            self._cache[key] = clients
        return clients

    def _read(self, api: Api, namespace: str) -> tuple[list[Variables], bool]:
        """Return the clients by their numbers, and whether they are all: what is missing, where that is no error, was warned of."""
        try:
            selector = f"{RECORD_LABEL}={RECORD_OF_CLIENT}"
            read = api.read_each(self._read_one, "v1", "ConfigMap", namespace, label_selector=selector)
        except UnknownStateError as error:
            self._warn_or_raise(error)
            return [], False
        if not read:
            self.display.warning(f"rarus.lms.clients: no client is on the list in namespace {namespace}.")
        found = [client for client in read if client is not None]
        return sorted(found, key=number_of), len(found) == len(read)

    def _read_one(self, obj: t.Mapping[str, t.Any]) -> Variables | None:
        """Return one client, None where its record is damaged and that is no error."""
        try:
            return variables_of(obj)
        except LmsError as error:
            self._warn_or_raise(error)
            return None

    def _warn_or_raise(self, error: LmsError) -> None:
        """Raise what keeps the list from being whole, or warn of it."""
        if self.get_option("strict"):
            raise error
        self.display.warning(f"rarus.lms.clients: {error.as_result()['msg']}")

    def _populate(self, clients: t.Iterable[Variables]) -> None:
        """Add the clients that the filters take, with their groups."""
        self.inventory.add_group(ALL)
        for name, value in OF_ALL.items():
            self.inventory.set_variable(ALL, name, value)
        known = set(self.inventory.groups)
        phases, catalogues, hostname = (self.get_option(name) for name in ("phase", "catalogue", "hostname"))
        for client in clients:
            if client[f"{PREFIX}phase"] in phases and (not catalogues or client[f"{PREFIX}catalogue"] in catalogues):
                self._add(client[HOSTNAMES[hostname]], client)
        self._put_under_all(known)

    def _add(self, name: str, client: Variables) -> None:
        """Add one client. Its values are data: Ansible templates nothing that it was not told to trust.

        They join the host's at once, because set_variable copies each of them, which takes twice as long as reading the list.
        """
        self.inventory.add_host(name, ALL)
        host, groups = self.inventory.get_host(name), self.inventory.groups
        host.vars.update(client)
        for group in groups_of(client):
            groups[group if group in groups else self.inventory.add_group(group)].add_host(host)
        constructed = {option: self.get_option(option) for option in ("compose", "groups", "keyed_groups")}
        if any(constructed.values()):
            self._construct(name, **constructed)

    def _put_under_all(self, known: t.Container[str]) -> None:
        """Put the new groups under `all`, as Ansible itself does after this, looking through all of them for each."""
        top = self.inventory.groups["all"]
        for name, group in self.inventory.groups.items():
            if name not in known and not group.parent_groups and not group.child_groups:
                top.child_groups.append(group)
                group.parent_groups.append(top)
                group.depth = 1

    def _construct(self, host: str, compose: t.Any, groups: t.Any, keyed_groups: t.Any) -> None:
        """Add the variables and groups that the file's own expressions make."""
        strict = self.get_option("strict")
        self._set_composite_vars(compose, self.inventory.get_host(host).get_vars(), host, strict=strict)
        variables = self.inventory.get_host(host).get_vars()
        self._add_host_to_composed_groups(groups, variables, host, strict=strict, fetch_hostvars=False)
        self._add_host_to_keyed_groups(keyed_groups, variables, host, strict=strict, fetch_hostvars=False)
