# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges what others provide in a namespace: Secrets, the claim, certificates, the token, the level of Pod Security, taken paths."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import fnmatch
import json
import typing as t
from dataclasses import dataclass, field

from .._core.deps import CRYPTOGRAPHY
from .image import image_registry
from .names import CLIENT_LABEL, MANAGED_BY, MANAGER
from .needs import PULL_KEY, Path, SecretNeed, served_paths

__all__ = [
    "Findings",
    "Problem",
    "judge_claim",
    "judge_config_map",
    "judge_gateway_class",
    "judge_namespace",
    "judge_secret",
    "judge_token",
    "taken_paths",
]

Object = t.Mapping[str, t.Any]

WARN_BEFORE = dt.timedelta(days=7)
PULL_TYPE = "kubernetes.io/dockerconfigjson"
CERTIFICATE_KEY = "tls.crt"
# From the most to the least strict; an unlabelled namespace is privileged unless the cluster's default says otherwise.
POD_SECURITY = ("restricted", "baseline", "privileged")
POD_SECURITY_LABEL = "pod-security.kubernetes.io/enforce"
# How a GatewayClass says in status.supportedFeatures that it knows the CORS filter.
CORS_FEATURE = "HTTPRouteCORS"
PREPARE = "playbooks/prepare_namespace.yml makes it"


@dataclass(frozen=True)
class Problem:
    """What keeps a run from succeeding. kind is one word (rights, secret, claim, ...), message and fix are for people."""

    kind: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        """Return the problem as one sentence."""
        return f"{self.message}" + (f" ({self.fix})" if self.fix else "")


@dataclass
class Findings:
    """Everything that was found, in the order in which it was looked for."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    not_seen: list[str] = field(default_factory=list)

    def problem(self, kind: str, message: str, fix: str = "") -> None:
        """Add what keeps a run from succeeding."""
        self.problems.append(Problem(kind, message, fix))

    def warn(self, kind: str, message: str, fix: str = "") -> None:
        """Add what will or may keep a later run from succeeding."""
        self.warnings.append(Problem(kind, message, fix))


def judge_secret(found: Findings, need: SecretNeed, secret: Object | None, now: dt.datetime) -> None:
    """Judge one Secret of the operator's. Only tls.crt and the hosts of a pull secret are read, and no value is kept."""
    if secret is None:
        found.problem("secret", f"{need.name} is missing", f"{need.purpose}; {PREPARE}")
        return
    data = secret.get("data") or {}
    for key in need.keys:
        if not data.get(key):
            found.problem("secret", f"{need.name}: its key {key} is {'empty' if key in data else 'missing'}", need.purpose)
        elif key == CERTIFICATE_KEY:
            _judge_certificate(found, need, str(data[key]), now)
        elif key == PULL_KEY:
            _judge_pull_secret(found, need, str(secret.get("type", "")), str(data[key]))


def judge_config_map(found: Findings, name: str, keys: t.Sequence[str], config_map: Object | None) -> None:
    """Judge one ConfigMap that others provide."""
    if config_map is None:
        found.problem("config", f"ConfigMap {name} is missing", "make it, or correct the setting that names it")
        return
    data = {**(config_map.get("data") or {}), **(config_map.get("binaryData") or {})}
    for key in keys:
        if key not in data:
            found.problem("config", f"ConfigMap {name}: its key {key} is missing", "or the setting that names it is wrong")


def judge_claim(found: Findings, name: str, claim: Object | None) -> None:
    """Judge the claim of the static files: it must be there and bound, or be of a class that binds with the first pod."""
    if claim is None:
        found.problem("claim", f"{name} is missing", f"static files; {PREPARE}")
        return
    spec, phase = claim.get("spec") or {}, (claim.get("status") or {}).get("phase", "unknown")
    if phase == "Bound":
        if "ReadWriteMany" not in (spec.get("accessModes") or []):
            found.warn("claim", f"{name} is not ReadWriteMany", "pods of clients on two nodes cannot mount it at once")
    elif phase == "Pending" and spec.get("storageClassName") and not spec.get("volumeName"):
        found.warn("claim", f"{name} is Pending", "it binds with its first pod if its StorageClass waits for one")
    else:
        found.problem(
            "claim",
            f"{name} is {phase}, not Bound",
            f"its volume {spec.get('volumeName') or 'of no class'} is missing or bound to another claim",
        )


def judge_namespace(found: Findings, name: str, namespace: Object | None, needed: str) -> str:
    """Judge the namespace itself against the strictest level that the pods pass; return its Pod Security level, empty where none is set."""
    if namespace is None:
        found.problem("namespace", f"{name} does not exist", PREPARE)
        return ""
    metadata = namespace["metadata"]
    if metadata.get("deletionTimestamp"):
        found.problem("namespace", f"{name} is being deleted", "wait for its end, then prepare it anew")
    level = str((metadata.get("labels") or {}).get(POD_SECURITY_LABEL, ""))
    if level in POD_SECURITY and needed in POD_SECURITY and POD_SECURITY.index(level) < POD_SECURITY.index(needed):
        found.problem("namespace", f"its Pod Security level {level} refuses these pods, which need {needed}", f"label {POD_SECURITY_LABEL}")
    return level


def judge_gateway_class(found: Findings, gateway: str, gateway_class: Object) -> None:
    """Judge whether a Gateway's class knows the standard CORS filter; one that lists no features at all is not doubted."""
    listed = (gateway_class.get("status") or {}).get("supportedFeatures") or []
    features = [one["name"] if isinstance(one, dict) else str(one) for one in listed]
    if features and CORS_FEATURE not in features:
        found.problem(
            "publish",
            f"{gateway} may answer every request with 500: its class {gateway_class['metadata']['name']} does not list {CORS_FEATURE}",
            "set lms_cors to false, or choose another Gateway",
        )


def judge_token(found: Findings, expires: dt.datetime | None, now: dt.datetime) -> str:
    """Warn of a token that ends soon; return when it ends (ISO 8601, UTC), empty when it does not say."""
    if expires is None:
        found.not_seen.append("when the token ends: it does not say")
        return ""
    if expires <= now:
        found.problem("token", f"has expired ({expires:%Y-%m-%d %H:%M} UTC)", "get a new one; with prepare_namespace.yml: run it again")
    elif expires - now < WARN_BEFORE:
        found.warn(
            "token", f"expires in {_days(expires - now)} ({expires:%Y-%m-%d %H:%M} UTC)", "prepare_namespace.yml or Rancher gives a new one"
        )
    return expires.isoformat()


def taken_paths(found: Findings, routes: t.Iterable[Object], wanted: t.Mapping[Path, str]) -> None:
    """Find public paths that belong to another's Ingress or HTTPRoute (paths count without case). wanted: client ids by path."""
    by_segment: dict[str, list[Path]] = {}
    for path in wanted:
        by_segment.setdefault(path.segment.lower(), []).append(path)
    for route in routes:
        labels = route["metadata"].get("labels") or {}
        owner = labels.get(CLIENT_LABEL) if labels.get(MANAGED_BY) == MANAGER else None
        served = served_paths(route)
        taken = {path: None for one in served for path in by_segment.get(one.segment.lower(), ()) if _share_a_host(path, one)}
        for path in taken:
            if wanted[path] != owner:
                whose = f" of client {labels[CLIENT_LABEL]}" if labels.get(CLIENT_LABEL) else ""
                name = f"{route['kind']} {route['metadata'].get('namespace', '')}/{route['metadata']['name']}"
                by_hand = "" if whose else f"; if it is {wanted[path]}'s own, made by hand: adopt_client.yml -e client={wanted[path]}"
                found.problem("publish", f"{path} is taken by {name}{whose}", f"remove that path or publish under another host{by_hand}")


def _share_a_host(one: Path, other: Path) -> bool:
    return one.host == other.host or not one.host or not other.host


def _judge_certificate(found: Findings, need: SecretNeed, encoded: str, now: dt.datetime) -> None:
    name = need.name
    x509 = CRYPTOGRAPHY.part("x509")
    try:
        certificate = x509.load_pem_x509_certificate(base64.b64decode(encoded))
    except (ValueError, binascii.Error):
        found.problem("secret", f"{name} holds no PEM certificate under {CERTIFICATE_KEY}", "the certificate first, then its chain")
        return
    begins, ends = _validity(certificate)
    if ends <= now:
        found.problem("secret", f"{name}: its certificate expired on {ends:%Y-%m-%d}", "renew it")
    elif begins > now:
        found.problem("secret", f"{name}: its certificate is valid from {begins:%Y-%m-%d %H:%M} UTC only", "check the clocks")
    elif ends - now < WARN_BEFORE:
        found.warn("secret", f"{name}: its certificate expires in {_days(ends - now)} ({ends:%Y-%m-%d})", "renew it")
    names = _certificate_names(x509, certificate)
    for host in need.hosts:
        if not any(_matches(host, pattern) for pattern in names):
            of = ", ".join(names) or "no DNS name"
            found.problem("secret", f"{name}: its certificate is for {of}, not for {host}", "public_dns or the certificate is wrong")


def _validity(certificate: t.Any) -> tuple[dt.datetime, dt.datetime]:
    """Return from when to when a certificate holds (UTC); cryptography before 42 has it without a time zone only."""
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return certificate.not_valid_before.replace(tzinfo=dt.UTC), certificate.not_valid_after.replace(tzinfo=dt.UTC)


def _certificate_names(x509: t.Any, certificate: t.Any) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return list(names.value.get_values_for_type(x509.DNSName))


def _matches(host: str, pattern: str) -> bool:
    """Return whether a certificate's name covers the host; a star stands for one whole first label."""
    host, pattern = host.lower(), pattern.lower()
    return host == pattern or (pattern.startswith("*.") and host.partition(".")[2] == pattern[2:])


def _judge_pull_secret(found: Findings, need: SecretNeed, kind: str, encoded: str) -> None:
    name = need.name
    if kind != PULL_TYPE:
        found.problem("secret", f"{name} is of type {kind or 'Opaque'}, not {PULL_TYPE}", f"pull secret; {PREPARE}")
        return
    try:
        hosts = [_registry(key) for key in json.loads(base64.b64decode(encoded))["auths"]]
    except (ValueError, KeyError, TypeError):
        found.problem("secret", f"{name} holds no JSON with auths under {PULL_KEY}", f"pull secret; {PREPARE}")
        return
    for wanted in dict.fromkeys(image_registry(image) for image in need.images):
        if not any(fnmatch.fnmatchcase(wanted, host) for host in hosts):
            found.problem(
                "secret", f"{name} has no login for {wanted}, only for {', '.join(hosts) or 'none'}", "pull secret of the image's registry"
            )


def _registry(key: str) -> str:
    """Return the host of one entry of auths: https://index.docker.io/v1/ is docker.io."""
    host = key.split("://", 1)[-1].split("/", 1)[0]
    return "docker.io" if host == "index.docker.io" else host


def _days(time: dt.timedelta) -> str:
    hours = int(time.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
