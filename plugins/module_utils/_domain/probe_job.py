# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Job that asks clients' public paths from inside the cluster: one of them for all that are asked together, and how its log is read."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .client_id import ClientId
from .diagnosis.model import Obj, PublicAnswer
from .names import MANAGED_BY, MANAGER, PROBE_NAME
from .public_path import answered, days_left, distrusted

__all__ = ["PROBE_SECONDS", "Question", "answers_of", "probe_job", "unasked"]

# Seconds that the Job may take, pulling its image included, and those after which it is gone though nobody took it away.
PROBE_SECONDS, KEPT_SECONDS = 60, 300
ANSWER_SECONDS = 5
AT_ONCE = 10
# By this label a NetworkPolicy can let the Job's pod out.
NAME_LABEL = "app.kubernetes.io/name"
FOLDER, AUTHORITY = "/run/lms", "rarus.lms/authority"
CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
POD_SECURITY = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
RESOURCES = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}}
# What of the client's own pods holds for the probe's too: where it may run, as whom, and by which login its image is pulled.
LIKE_THE_CLIENT = ("imagePullSecrets", "nodeSelector", "affinity", "tolerations")
# A line for each answer, after the certificates where these are asked for (the one that was shown first).
LINE = "rarus.lms {client} %{{exitcode}} %{{http_code}} %{{ssl_verify_result}} %{{errormsg}}\\n"
_LINE = re.compile(
    r"rarus\.lms (?P<client>C\d+) (?P<code>\d+) (?P<status>\d+) (?P<verified>\d+) ?(?P<message>.*)$|Expire date:\s*(?P<until>.+)$"
)
# What broke, by curl's exit code; codes of certificates, and the words for another name, which curl looks at itself.
_FAULTS = {5: "UnknownHost", 6: "UnknownHost", 7: "Refused", 28: "Timeout", 35: "TLS"}
_CERTIFICATE, _OTHER_NAME, _NAME_NUMBER = (51, 60), "subject name", 62


@dataclass(frozen=True)
class Question:
    """One public path to ask: its address, the status expected, and who signs its certificate (PEM; empty for the image's own list)."""

    address: str
    expected: int
    authority: str = ""

    @property
    def host(self) -> str:
        """Return the host, with a port where there is one."""
        return self.address.split("/")[2]


Questions = t.Mapping[ClientId, Question]


def probe_job(name: str, namespace: str, image: str, questions: Questions, pod: Obj) -> Obj:
    """Return the Job: curl, once for each question and several at a time, in a pod that Pod Security `restricted` admits.

    pod: the specification of a client's own pods. The authorities' certificates are annotations, mounted by the downward API: so there is
    one object to make and to take away.
    """
    labels = {MANAGED_BY: MANAGER, NAME_LABEL: PROBE_NAME}
    authorities = dict.fromkeys(question.authority for question in questions.values() if question.authority)
    files = {text: f"{number}.pem" for number, text in enumerate(authorities)}
    items = [{"path": file, "fieldRef": {"fieldPath": f"metadata.annotations['{AUTHORITY}-{file}']"}} for file in files.values()]
    container = {
        "name": "probe",
        "image": image,
        "command": _command(questions, files),
        "resources": RESOURCES,
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "authority", "mountPath": FOLDER, "readOnly": True}],
    }
    spec = {
        **{key: pod[key] for key in LIKE_THE_CLIENT if pod.get(key)},
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "securityContext": {**POD_SECURITY, **(pod.get("securityContext") or {})},
        "containers": [container],
        "volumes": [{"name": "authority", "downwardAPI": {"items": items}}],
    }
    annotations = {f"{AUTHORITY}-{file}": text for text, file in files.items()}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": PROBE_SECONDS,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec},
        },
    }


def _command(questions: Questions, files: t.Mapping[str, str]) -> list[str]:
    """Return curl's command line: no shell, no redirection, no proxy; each host's certificates are written once."""
    command = ["curl", "--no-progress-meter", "--parallel", "--parallel-max", str(AT_ONCE)]
    shown: set[str] = set()
    for client, question in questions.items():
        line = LINE.format(client=client)
        command += [] if client == next(iter(questions)) else ["--next"]
        command += ["--silent", "--output", "/dev/null", "--max-time", str(ANSWER_SECONDS), "--noproxy", "*", "--user-agent", MANAGER]
        command += ["--cacert", f"{FOLDER}/{files[question.authority]}"] if question.authority else []
        command += ["--write-out", "\\n" + line if question.host in shown else "%{certs}\\n" + line, question.address]
        shown.add(question.host)
    return command


def answers_of(log: str, questions: Questions, now: float) -> dict[ClientId, PublicAnswer]:
    """Return what the Job's log tells; clients that it does not tell of are left out. now: seconds since 1970."""
    found: dict[ClientId, PublicAnswer] = {}
    days: int | None = None
    for line in log.splitlines():
        told = _LINE.search(line)
        if told is None:
            continue
        if told["until"]:
            days = _days(told["until"], now) if days is None else days
            continue
        client = ClientId.parse(told["client"])
        if client in questions:
            found[client] = _answer(questions[client], told, days)
        days = None
    return found


def _answer(question: Question, told: re.Match[str], days: int | None) -> PublicAnswer:
    """Return one answer, by the same rules as if it had been asked from here."""
    code, message = int(told["code"]), told["message"].strip()
    if code == 0:
        return answered(question.address, int(told["status"]), question.expected, days)
    if code in _CERTIFICATE:
        return distrusted(question.address, _NAME_NUMBER if _OTHER_NAME in message else int(told["verified"]), message)
    return PublicAnswer(question.address, _FAULTS.get(code, "Broken"), message)


def _days(until: str, now: float) -> int | None:
    try:
        return days_left(until.strip(), now)
    except ValueError:
        return None


def unasked(questions: Questions, why: str) -> dict[ClientId, PublicAnswer]:
    """Return that nothing could be asked, and why."""
    return {client: PublicAnswer(question.address, PublicAnswer.NOT_ASKED, why) for client, question in questions.items()}
