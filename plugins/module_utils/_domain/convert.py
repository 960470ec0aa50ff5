# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns requests as the system's first description has them (`{{client-id}}` in names, secrets as values) into templates that hold."""

from __future__ import annotations

import copy
import json
import re
import typing as t
from dataclasses import dataclass, field

from .._core.deps import YAML
from .._core.errors import InputError
from .client_id import ClientId
from .requests import compiled, render_requests
from .settings import read_settings
from .template_rules import is_name, pod_template_of, shown_place, texts_of
from .templates import Place, Source, Tree, parse_json

__all__ = ["Conversion", "convert"]

_MACRO = re.compile(r"\{\{\s*(.+?)\s*\}\}")
_ALONE = re.compile(r"\{\{ [^{}]+ \}\}")
_OPEN, _CLOSE = "\ue000", "\ue001"
_TOKEN = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
CREDENTIALS = "lms-credentials-{{ client-name }}"

# Macros that stand for secrets: the variable that carries one where it is part of a text, and the Secret's name and key.
SECRETS = {
    "postgres-user-password": ("POSTGRES_PASSWORD", CREDENTIALS, "postgres-password"),
    "clickhouse-user-password": ("CLICKHOUSE_PASSWORD", CREDENTIALS, "clickhouse-password"),
    "keys-secret-seed": ("KEYS_SECRET_SEED", CREDENTIALS, "keys-secret-seed"),
    "sms4b-token": ("SMS4B_TOKEN", "{{ sms4b-secret.name }}", "{{ sms4b-secret.key }}"),
}
# Variables that carry a secret, and its macro: one that somebody has written out in a request is left behind.
SECRET_VARIABLES = {
    "LMS_STORAGE_POSTGRES_DSN": "postgres-user-password",
    "LMS_STORAGE_CLICKHOUSE_DSN": "clickhouse-user-password",
    "LMS_KEYS_SECRET_SEED": "keys-secret-seed",
    "LMS_NOTIFICATIONS_SMS4B_TOKEN": "sms4b-token",
}
_PASSWORD_OF_URL = re.compile(r"(?<=://)([^:/@]*:)[^{}]*(?=@)")
# By kind and the beginning of the name: which template of the collection the object takes the place of.
STEMS = {
    ("ConfigMap", "lms-config-"): "config",
    ("Service", "lms-service-"): "service",
    ("Ingress", "client-lms-ingress-"): "ingress",
    ("Deployment", "lms-deployment-"): "deployment",
}
# What the collection does by itself, by kind and the beginning of the name.
OWN_WORK = {
    (
        "Job",
        "clickhouse-setup-",
    ): "the collection's own clickhouse-setup does this: one script that stops at its first error, passwords from mounted Secrets",
    (
        "Job",
        "postgres-setup-",
    ): "the collection's own postgres-setup does this: one script that stops at its first error, passwords from mounted Secrets",
    ("Secret", ""): "Secrets are made by code, or are there already; their values never pass through a template",
}
NGINX = "nginx.ingress.kubernetes.io/"
CORS = {
    "enable-cors": "true",
    "cors-allow-methods": "GET, PUT, POST, OPTIONS, DELETE",
    "cors-allow-headers": (
        "DNT, X-CustomHeader, Keep-Alive, User-Agent, X-Requested-With, If-Modified-Since, Cache-Control, Content-Type, Authorization"
    ),
    "cors-expose-headers": "Content-Length, Content-Range",
}


class _Bare(str):
    """A macro that stood without quotes, and does so in the template: what it stands for may be a number, a list or a dictionary."""

    __slots__ = ()


# What a pod needs to pass Pod Security `restricted` and to be updated without a gap; put in where the source is silent.
POD_DEFAULTS: dict[str, t.Any] = {
    "enableServiceLinks": False,
    "automountServiceAccountToken": False,
    "terminationGracePeriodSeconds": _Bare("{{ termination-grace-seconds }}"),
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": _Bare("{{ run-as-user }}"),
        "runAsGroup": _Bare("{{ run-as-group }}"),
        "fsGroup": _Bare("{{ fs-group }}"),
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
CONTAINER_DEFAULTS: dict[str, t.Any] = {
    "resources": _Bare("{{ resources }}"),
    "readinessProbe": _Bare("{{ readiness-probe or none }}"),
    "lifecycle": {"preStop": {"sleep": {"seconds": _Bare("{{ pre-stop-seconds }}")}}},
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}
ROLLOUT_DEFAULTS: dict[str, t.Any] = {"minReadySeconds": _Bare("{{ min-ready-seconds }}")}
_EXAMPLE = {
    "lms_namespace_id": "lms-dev", "lms_docker_image": "lms:dev", "lms_sms4b_sender": "LMS", "lms_public_dns": "lms.example",
    "lms_postgres_host": "postgres.example", "lms_postgres_client_image": "psql:15", "lms_clickhouse_host": "clickhouse.example",
    "lms_clickhouse_client_image": "clickhouse:1", "lms_nfs_server": "files.example",
}  # fmt: skip


@dataclass
class Converted:
    """One template: its file's name, its text, the file it was made from, and what was changed, a sentence each."""

    file: str
    source: str
    changes: list[str]
    text: str = field(default="", repr=False)


@dataclass
class Conversion:
    """Everything that became of a folder of requests. left_out: (file, reason)."""

    converted: list[Converted] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class _Request:
    """One object of the source while it is changed."""

    source: Source
    obj: Tree
    changes: list[str] = field(default_factory=list)

    def is_a(self, kind: str, prefix: str) -> bool:
        """Return whether the object is of this kind and its name begins so."""
        return self.obj["kind"] == kind and str(self.obj["metadata"]["name"]).startswith(prefix)


def convert(sources: t.Iterable[Source]) -> Conversion:
    """Return the templates that the requests become. Raises InputError with every fault that cannot be mended, with file and line."""
    result = Conversion()
    requests: list[_Request] = []
    faults: list[str] = []
    for source in sources:
        try:
            request = _Request(source, _parsed(source))
        except InputError as error:
            faults.append(error.message)
            continue
        reason = _left_out(request)
        if reason:
            result.left_out.append((source.label, reason))
        else:
            requests.append(request)
    if faults:
        raise InputError("\n  ".join(faults), data={"problems": faults})
    moved = [variable for request in requests if request.obj["kind"] == "ConfigMap" for variable in _convert_config(request)]
    for request in requests:
        _convert_pods(request, moved)
        _convert_ingress(request)
        _convert_names(request)
        result.converted.append(Converted(f"{_stem(request)}.yml.j2", request.source.label, request.changes, _written(request)))
    _prove(result)
    return result


def _parsed(source: Source) -> Tree:
    """Return the source's document with its macros left as texts: `{{ client-id }}`, a _Bare one where it stood without quotes."""
    if "{%" in source.text:
        raise InputError(f"{source.label}: holds Jinja statements, so it is a template already. Convert it by hand.")
    yaml = YAML.require()
    macros = [match[1] for match in _MACRO.finditer(source.text)]
    numbers = iter(range(len(macros)))
    text = _MACRO.sub(lambda _match: f"{_OPEN}{next(numbers)}{_CLOSE}", source.text)
    bare = {int(match[1]) for match in re.finditer(rf"(?<![\"']){_TOKEN.pattern}", text)}
    try:
        tree = parse_json(text) if source.is_json else yaml.safe_load(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{source.label} line {error.lineno}: is not JSON: {error.msg}. Correct it, then convert again.") from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        raise InputError(f"{source.label} line {line}: is not YAML: {getattr(error, 'problem', error)}.") from None
    return _with_macros(tree, macros, bare)


def _with_macros(tree: Tree, macros: list[str], bare: set[int]) -> Tree:
    if isinstance(tree, dict):
        return {_with_macros(key, macros, set()): _with_macros(part, macros, bare) for key, part in tree.items()}
    if isinstance(tree, list):
        return [_with_macros(part, macros, bare) for part in tree]
    if not isinstance(tree, str):
        return tree
    alone = _TOKEN.fullmatch(tree)
    text = _TOKEN.sub(lambda match: f"{{{{ {macros[int(match[1])]} }}}}", tree)
    return _Bare(text) if alone and int(alone[1]) in bare else text


def _left_out(request: _Request) -> str:
    """Return why a file does not become a template; empty when it does."""
    obj = request.obj
    if not isinstance(obj, dict) or not isinstance(obj.get("kind"), str) or not (obj.get("metadata") or {}).get("name"):
        return "it is no Kubernetes object with a name; the collection asks for the state of pods by itself"
    for (kind, prefix), reason in OWN_WORK.items():
        if request.is_a(kind, prefix):
            return reason
    return ""


def _stem(request: _Request) -> str:
    """Return the name of the template without suffixes: that of the collection's whose place it takes, or the source's own."""
    return next((stem for (kind, prefix), stem in STEMS.items() if request.is_a(kind, prefix)), request.source.stem)


def _convert_config(request: _Request) -> list[dict[str, t.Any]]:
    """Take what is secret out of a ConfigMap, mend what typesetting broke; return entries for the container's env."""
    moved: list[dict[str, t.Any]] = []
    data = request.obj.get("data") or {}
    for name, found in list(data.items()):
        given = _without_literal(name, found, request.changes)
        if _secrets_in(str(given)):
            del data[name]
            moved += _env_of(name, str(given), {entry["name"] for entry in moved})
            request.changes.append(f"{name} holds a secret: it left the ConfigMap for the container's env, by reference")
            continue
        value = str(given).lower() if isinstance(given, bool) else str(given)
        mended = re.sub(r"^(: |[a-z]+: //)", lambda match: match[0].replace(" ", ""), value)
        if mended != value:
            request.changes.append(f"{name}: the blank in {value!r} is gone")
        if isinstance(given, _Bare) or not isinstance(given, str):
            request.changes.append(f"{name} is a text, as a ConfigMap's values are")
        data[name] = mended
    return moved


def _without_literal(name: str, given: t.Any, changes: list[str]) -> t.Any:
    """Return a variable's value with the macro of its secret in the place of one that is written out."""
    macro = SECRET_VARIABLES.get(name)
    if macro is None or not isinstance(given, str) or not given or _secrets_in(given):
        return given
    wanted = f"{{{{ {macro} }}}}"
    value = _PASSWORD_OF_URL.sub(rf"\1{wanted}", given) if name.endswith("_DSN") else given if _MACRO.search(given) else wanted
    if value != given:
        changes.append(
            f"{name} had its secret written out: the value is left behind (adopt_client.yml keeps it for the client that has it)"
        )
    return value


def _secrets_in(text: str) -> list[str]:
    """Return the macros of a text that stand for secrets."""
    return [macro for macro in _MACRO.findall(text) if macro in SECRETS]


def _env_of(name: str, value: str, above: set[str]) -> list[dict[str, t.Any]]:
    """Return env entries by which a variable gets its value: one reference, or a text that names variables of references above it."""
    alone = _MACRO.fullmatch(value)
    if alone:
        return [_reference(name, alone[1])]
    entries = [_reference(SECRETS[macro][0], macro) for macro in dict.fromkeys(_secrets_in(value)) if SECRETS[macro][0] not in above]
    composed = _MACRO.sub(lambda match: f"$({SECRETS[match[1]][0]})" if match[1] in SECRETS else match[0], value)
    return [*entries, {"name": name, "value": re.sub(r"\{\{ client[-_]id \}\}", "{{ database-name }}", composed)}]


def _reference(name: str, macro: str) -> dict[str, t.Any]:
    _variable, secret, key = SECRETS[macro]
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _convert_pods(request: _Request, moved: list[dict[str, t.Any]]) -> None:
    """Give a workload's pods what Pod Security and a gapless update need, and its containers the variables that left the ConfigMap."""
    template = pod_template_of(request.obj)
    if template is None:
        return
    _fill(template["spec"], POD_DEFAULTS, request.changes, "the pod")
    for container in template["spec"].get("containers") or []:
        _convert_env(container, request.changes)
        _fill(container, CONTAINER_DEFAULTS, request.changes, f"container {container.get('name')}")
        if request.obj["kind"] == "Deployment" and moved:
            container["env"] = [*copy.deepcopy(moved), *(container.get("env") or [])]
            request.changes.append(f"env has {', '.join(entry['name'] for entry in moved)} by reference")
    for volume in template["spec"].get("volumes") or []:
        _convert_volume(volume, request.changes)
    if request.obj["kind"] == "Deployment":
        _fill(request.obj["spec"], ROLLOUT_DEFAULTS, request.changes, "the rollout")
    rolling = (request.obj["spec"].get("strategy") or {}).get("rollingUpdate")
    if rolling and rolling.get("maxUnavailable") not in (None, 0) and not isinstance(rolling["maxUnavailable"], _Bare):
        rolling["maxUnavailable"] = _Bare("{{ max-unavailable }}")
        request.changes.append("maxUnavailable is the setting's: with one replica the only pod would go before its successor serves")


def _convert_env(container: Tree, changes: list[str]) -> None:
    """Replace env entries with a secret as their value by references."""
    converted: list[dict[str, t.Any]] = []
    for entry in container.get("env") or []:
        value = str(_without_literal(entry.get("name", ""), entry.get("value"), changes) or "")
        if _secrets_in(value):
            converted += _env_of(entry["name"], value, {one["name"] for one in converted})
            changes.append(f"env {entry['name']} is a secret: it is given by reference")
        else:
            converted.append(entry)
    if converted:
        container["env"] = converted


def _convert_volume(volume: Tree, changes: list[str]) -> None:
    if "nfs" in volume:
        del volume["nfs"]
        volume["persistentVolumeClaim"] = {"claimName": "{{ static-volume.claim }}"}
        changes.append(f"volume {volume.get('name')}: a claim in the place of NFS inside the pod, which Pod Security restricted refuses")
    secret = volume.get("secret")
    if isinstance(secret, dict) and secret.get("defaultMode", 0) not in (0o400, 0o440):
        secret["defaultMode"] = _Bare("{{ rsa-key-mode | int(base=8) }}")
        changes.append(f"volume {volume.get('name')}: its files have the setting's mode, no longer readable by everyone")


def _fill(target: Tree, defaults: t.Mapping[str, t.Any], changes: list[str], where: str) -> None:
    """Put in what is missing, and name it."""
    missing = [name for name in defaults if name not in target]
    target.update({name: copy.deepcopy(defaults[name]) for name in missing})
    if missing:
        changes.append(f"{where} has {', '.join(missing)}")


def _convert_ingress(request: _Request) -> None:
    """Replace snippets by the annotations made for it, and give a path with a regular expression the type that takes one."""
    if request.obj["kind"] != "Ingress":
        return
    annotations = request.obj["metadata"].setdefault("annotations", {})
    snippets = [name for name in annotations if name.endswith("-snippet")]
    for name in snippets:
        del annotations[name]
    if snippets:
        annotations.update({f"{NGINX}{name}": value for name, value in CORS.items()})
        request.changes.append("the annotations for CORS are in the place of a snippet, which ingress-nginx refuses since 1.9")
    for rule in request.obj.get("spec", {}).get("rules") or []:
        for path in (rule.get("http") or {}).get("paths") or []:
            if "(" in str(path.get("path")) and path.get("pathType") != "ImplementationSpecific":
                path["pathType"] = "ImplementationSpecific"
                annotations[f"{NGINX}use-regex"] = "true"
                request.changes.append("pathType is ImplementationSpecific: a path with a regular expression is refused otherwise")


def _convert_names(request: _Request) -> None:
    """Write client-name where the source has client-id within a name."""
    for place, value in list(texts_of(request.obj)):
        renamed = re.sub(r"\{\{ client[-_]id \}\}", "{{ client-name }}", value)
        if renamed != value and is_name(place):
            _put(request.obj, place, renamed)
            request.changes.append(f"{shown_place(place)} has client-name: a name has no capital letters")


def _put(tree: Tree, place: Place, value: str) -> None:
    for step in place[:-1]:
        tree = tree[step]
    tree[place[-1]] = value


def _represented(dumper: t.Any, text: str) -> t.Any:
    """Write macros as people do, in double quotes; a _Bare one is marked, and loses its quotes afterwards."""
    if isinstance(text, _Bare):
        return dumper.represent_scalar("tag:yaml.org,2002:str", f"bare{text}", style='"')
    style = "|" if "\n" in text else '"' if "{{" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _written(request: _Request) -> str:
    """Return the template's text."""
    yaml = YAML.require()
    dumper: t.Any = type("_Dumper", (yaml.SafeDumper,), {})
    for kind in (str, _Bare):
        dumper.add_representer(kind, _represented)
    text = yaml.dump(request.obj, Dumper=dumper, sort_keys=False, width=1000, allow_unicode=True)
    return f"# Converted from {request.source.label.rsplit('/', 1)[-1]}\n" + re.sub(r'"bare(\{\{.*?\}\})"', r"\1", text)


def _prove(result: Conversion) -> None:
    """Render every template for an example client; what is still refused raises InputError with the faults."""
    sources = [Source(one.file.removesuffix(".yml.j2"), one.file, one.text) for one in result.converted]
    for publish in ("ingress", "none"):
        settings = read_settings({**_EXAMPLE, "lms_publish": publish}, catalogue="lms-dev")
        render_requests(compiled(sources), [ClientId(42)], settings)
