# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns what can go wrong between here and the API into one sentence each."""

from __future__ import annotations

import datetime as dt
import errno
import http.client
import re
import socket
import ssl
import typing as t
from dataclasses import dataclass, field
from http import HTTPStatus

from .._core.deps import URLLIB3
from .._core.errors import ConflictError, LmsError, UnknownStateError
from .token import describe_refusal

__all__ = ["Answer", "ApiError", "Target", "fault_of", "network_errors", "refused", "unreachable"]

_SHOWN = 300
_EXPIRED, _NOT_YET, _NAME, _ADDRESS = 10, 9, 62, 64
_CUT_SHORT = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
# What one and the same end of a connection comes as: which of them depends on the Python.
_ENDED = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, http.client.IncompleteRead, *_CUT_SHORT)
_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH}


class ApiError(UnknownStateError):
    """The API did not answer, or its answer is neither the thing asked for nor a proof of its absence.

    status: the HTTP status, 0 where there was no answer.
    reason: Kubernetes' reason (Forbidden, Unauthorized, ...), empty where the answer is not Kubernetes'.
    """

    def __init__(self, message: str, *, hint: str = "", status: int = 0, reason: str = "") -> None:
        super().__init__(message, hint=hint, data={"status": status, "reason": reason})
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Answer:
    """What the API answered; body is the parsed JSON where it is a JSON object, else the text.

    text: the body as it came; attempts: how often the request was sent.
    """

    status: int
    headers: t.Mapping[str, str]
    body: t.Any
    text: str = ""
    attempts: int = 1

    @property
    def kubernetes_status(self) -> dict[str, t.Any]:
        """Return the body where it is a Status object of Kubernetes', else an empty dictionary."""
        return self.body if isinstance(self.body, dict) and self.body.get("kind") == "Status" else {}

    @property
    def excerpt(self) -> str:
        """Return the beginning of what an answer that is not Kubernetes' says, without markup, on one line."""
        text = self.body.get("message", "") if isinstance(self.body, dict) else re.sub(r"(?s)<head.*?</head>|<[^>]*>", " ", str(self.body))
        return re.sub(r"\s+", " ", str(text)).strip()[:_SHOWN]


@dataclass(frozen=True)
class Target:
    """The API that is talked to, as messages name it, and what messages must never show.

    root: URL without a last slash; proxy: host and port of the HTTP proxy, or empty; token: returns the token in use, or "".
    """

    root: str
    host: str
    port: int
    proxy: str = ""
    ca_cert: str = ""
    token: t.Callable[[], str] = field(default=lambda: "", repr=False)


def fault_of(error: BaseException) -> str:
    """Return the one word for what broke a connection: tls, name, proxy, refused, no-way, connect-timeout, silence or broken."""
    chain = list(_chain(error))
    names = {type(link).__name__ for link in chain}
    signs = (
        ("proxy", "ProxyError" in names),
        ("tls", any(isinstance(link, ssl.SSLError) and not isinstance(link, _CUT_SHORT) for link in chain)),
        ("name", "LocationParseError" in names or any(isinstance(link, socket.gaierror) for link in chain)),
        ("refused", any(isinstance(link, ConnectionRefusedError) for link in chain)),
        ("no-way", any(isinstance(link, OSError) and link.errno in _NO_WAY for link in chain)),
        ("silence", "ReadTimeoutError" in names),
        ("connect-timeout", "ConnectTimeoutError" in names),
    )
    return next((word for word, seen in signs if seen), "broken")


# What is told of each fault but TLS: a sentence and what to do.
SENTENCES = {
    "name": ("The host name {host} of the API's root URL cannot be resolved.", "Check host (api_root_url) and this machine's DNS."),
    "proxy": ("The proxy {proxy} did not connect to {place} ({why}).", "Check proxy (K8S_AUTH_PROXY, HTTPS_PROXY)."),
    "refused": ("{place} refused the connection: nothing listens there.", "Check host and port of the API's root URL (api_root_url)."),
    "no-way": ("There is no route to {place} from {origin}.", "Check this machine's network and host (api_root_url)."),
    "connect-timeout": (
        "{place} did not answer the attempt to connect, which came from {origin}.",
        "The cluster's owners let in known addresses only: was this controller's address announced to them?",
    ),
    "silence": (
        "{root} accepted the connection and then stayed silent ({action}).",
        "Run the same again; if it stays so, ask the cluster's owners.",
    ),
    "broken": ("The connection to {root} broke ({action}): {why}.", "Run the same again; whatever was written is found by it."),
}


# Answers that say for certain that nothing was written and why, with what to do; what they are about is known, so they are no ApiError.
FINAL: dict[int, str] = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Make it smaller: Kubernetes keeps about 1 MiB an object, and a proxy before it may allow less.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Correct the setting or the template that this value comes from.",
}
BUSY_HINT = "Run the same again later: Kubernetes, or a proxy before it, is overloaded or starting."
HINTS: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "Is there a proxy before the API that changes requests? Otherwise report it, with this sentence.",
    HTTPStatus.GONE: "Run the same again.",
    HTTPStatus.TOO_MANY_REQUESTS: BUSY_HINT,
    **dict.fromkeys(range(500, 600), BUSY_HINT),
}
HINT_OTHERWISE = "Ask the cluster's owners, with this sentence."


def unreachable(error: BaseException, target: Target, action: str) -> ApiError:
    """Return what is told of a request that got no answer."""
    fault = fault_of(error)
    if fault == "tls":
        return _tls(error, target)
    message, hint = SENTENCES[fault]
    origin = _origin(target) if "{origin}" in message else ""
    message = message.format(
        host=target.host,
        place=f"{target.host}:{target.port}",
        root=target.root,
        proxy=target.proxy,
        action=action,
        origin=origin,
        why=_last_words(error),
    )
    return ApiError(_without(message, [target.token()]), hint=hint)


def refused(answer: Answer, target: Target, action: str, hidden: t.Sequence[str] = ()) -> LmsError:
    """Return what is told of an answer that is an error; hidden are texts that it must not repeat."""
    status = answer.kubernetes_status
    reason = str(status.get("reason") or "")
    said = str(status.get("message") or "").strip() or answer.excerpt or "nothing more"
    said = _without(said, [target.token(), *hidden]).rstrip(".")
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return _unauthorized(target, reason)
    if answer.status == HTTPStatus.FORBIDDEN:
        return _forbidden(said, target, action, reason)
    if answer.status in FINAL:
        message = f"{target.root} refused {action} ({answer.status} {reason}".rstrip() + f"): {said}."
        return LmsError(message, hint=FINAL[answer.status], data={"status": answer.status, "reason": reason})
    if not status:
        return _foreign(answer, said, target, action)
    if answer.status == HTTPStatus.CONFLICT:
        message = f"{action[:1].upper()}{action[1:]} conflicts with what somebody else wrote: {said}."
        return ConflictError(message, hint="Run the same again.", data={"status": answer.status, "reason": reason})
    hint = HINTS.get(answer.status, HINT_OTHERWISE)
    if (status.get("details") or {}).get("kind") == "namespaces":
        hint = "playbooks/prepare_namespace.yml, run by an administrator, makes the namespace."
    return ApiError(f"{target.root} answered {answer.status} {reason} to {action}: {said}.", hint=hint, status=answer.status, reason=reason)


def _unauthorized(target: Target, reason: str) -> ApiError:
    """Return what is told of a 401: what the token itself says about why."""
    why = describe_refusal(target.token(), dt.datetime.now(tz=dt.UTC))
    return ApiError(
        f"{target.root} answered 401 Unauthorized: {why}.",
        hint="Make a new token and put it where api_key (K8S_AUTH_API_KEY) comes from.",
        status=HTTPStatus.UNAUTHORIZED,
        reason=reason,
    )


def _forbidden(said: str, target: Target, action: str, reason: str) -> ApiError:
    """Return what is told of a 403: the action, and Kubernetes' words, which name the verb, the resource and the user."""
    if "system:anonymous" in said:
        hint = "The request arrived without a token that the cluster knows: set api_key (K8S_AUTH_API_KEY)."
    elif "exceeded quota" in said:
        hint = "The namespace's ResourceQuota is used up: ask its administrator."
    elif "being terminated" in said:
        hint = "The namespace is being deleted: find out who deletes it, wait until it is gone, and prepare it anew."
    else:
        hint = "playbooks/prepare_namespace.yml, run by an administrator, grants what the collection needs."
    return ApiError(f"{target.root} forbids {action}: {said}.", hint=hint, status=HTTPStatus.FORBIDDEN, reason=reason)


def _foreign(answer: Answer, said: str, target: Target, action: str) -> ApiError:
    """Return what is told of an answer that is not Kubernetes': a proxy's page, a wrong path, a kind that is not served."""
    message = f"{target.root} answered {answer.status} to {action}, but not with Kubernetes' words: {said}."
    path = "Is the path of api_root_url (host) right, such as /k8s/clusters/c-abcde"
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        hint = "A proxy before the API is in trouble: run the same again later, then ask the cluster's owners."
    elif answer.status == HTTPStatus.NOT_FOUND:
        hint = f"{path}, and does this cluster serve that kind?"
    else:
        hint = f"{path}?"
    return ApiError(message, hint=hint, status=answer.status)


def _tls(error: BaseException, target: Target) -> ApiError:
    """Return what is told of a TLS connection that was not made."""
    failed = next((link for link in _chain(error) if isinstance(link, ssl.SSLCertVerificationError)), None)
    place = f"{target.host}:{target.port}"
    ca = f"the CA file {target.ca_cert}" if target.ca_cert else "this machine's list of CAs (ca_cert is not set)"
    if failed is None:
        plain = "WRONG_VERSION_NUMBER" in str(error) or "wrong version number" in str(error)
        what = "it does not speak TLS there" if plain else _last_words(error)
        return ApiError(f"No TLS connection to {place}: {what}.", hint="Check scheme and port of host (api_root_url).")
    code = failed.verify_code
    if code in (_EXPIRED, _NOT_YET):
        state = "has expired" if code == _EXPIRED else "is not valid yet"
        return ApiError(f"The certificate of {place} {state}.", hint="Its owners must renew it; check this machine's clock too.")
    if code in (_NAME, _ADDRESS):
        return ApiError(
            f"The certificate of {place} is for another name.", hint="Write host (api_root_url) with a name that the certificate bears."
        )
    return ApiError(
        f"The certificate of {place} is not signed by {ca}: {failed.verify_message}.",
        hint="Set ca_cert (K8S_AUTH_SSL_CA_CERT) to the PEM file of the CA that signed it.",
    )


def _chain(error: BaseException) -> t.Iterator[BaseException]:
    """Yield an exception and all that it came from, each once."""
    waiting: list[t.Any] = [error]
    seen: set[int] = set()
    while waiting:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]


def _last_words(error: BaseException) -> str:
    """Return the innermost reason of an exception, without the objects that libraries print into it."""
    chain = list(_chain(error))
    if any(isinstance(link, _ENDED) for link in chain):
        return "the other side ended it before its answer was whole"
    innermost = chain[-1]
    text = innermost.strerror if isinstance(innermost, OSError) and innermost.strerror else str(innermost)
    return re.sub(r"<[^>]*>:?\s*", "", str(text)).strip()[:_SHOWN].rstrip(".") or type(innermost).__name__


def _origin(target: Target) -> str:
    """Return the address that packets to the API leave this machine with (no packet is sent), behind NAT not the one seen there."""
    try:
        family, kind, proto, _name, address = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.connect(address)
            return f"{probe.getsockname()[0]} (this machine's address; NAT may show another one)"
    except OSError:
        return "this machine"


def _without(text: str, hidden: t.Iterable[str]) -> str:
    """Return a text with all that must not be shown taken out."""
    for secret in hidden:
        if secret:
            text = text.replace(secret, "********")
    return text


def network_errors() -> tuple[type[BaseException], ...]:
    """Return the exceptions that a request ends with when there is no answer."""
    return (URLLIB3.part("exceptions").HTTPError, OSError)
