# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection options of all entry points, and the connection that they make."""

from __future__ import annotations

import ipaddress
import os
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

from ansible.module_utils.basic import env_fallback
from ansible.module_utils.parsing.convert_bool import boolean

from .._core.deps import KUBERNETES, URLLIB3, YAML
from .._core.errors import InputError
from .api import Api
from .direct import Direct
from .faults import Target
from .token import unfit
from .transport import Transport

__all__ = ["KUBERNETES_OPTIONS", "PLACE_OPTIONS", "connect"]


def _option(name: str, *older: str, **more: t.Any) -> dict[str, t.Any]:
    """Return an option that falls back to the variables of the environment that kubernetes.core reads."""
    variables = [f"K8S_AUTH_{spelling.upper()}" for spelling in (name, *older)]
    return {"type": "str", "fallback": (env_fallback, variables), "aliases": list(older), **more}


# The names, aliases and variables of kubernetes.core, so that one dictionary serves as module_defaults for both.
KUBERNETES_OPTIONS: dict[str, t.Any] = {
    "host": _option("host"),
    "api_key": _option("api_key", no_log=True),
    "ca_cert": _option("ca_cert", "ssl_ca_cert", type="path"),
    "validate_certs": _option("validate_certs", "verify_ssl", type="bool"),
    "kubeconfig": _option("kubeconfig", type="path"),
    "context": _option("context"),
    "client_cert": _option("client_cert", "cert_file", type="path"),
    "client_key": _option("client_key", "key_file", type="path", no_log=True),
    "proxy": _option("proxy"),
}
# The namespaces of environments and of their records (doc fragment rarus.lms.place).
PLACE_OPTIONS: dict[str, t.Any] = {
    "namespace": {"type": "str", "required": True},
    "registry_namespace": {"type": "str", "default": ""},
}

# As many lists are read at once; a connection that is not kept costs a TLS handshake at every look.
CONNECTIONS_KEPT = 4
DEFAULT_PORTS = {"https": 443, "http": 80}
LONGEST_SECONDS = 3600


def connect(params: t.Mapping[str, t.Any]) -> Api:
    """Return the API that the connection options name; nothing is sent yet. Raises LmsError (options, files, libraries)."""
    options = {name: params.get(name) for name in KUBERNETES_OPTIONS if params.get(name) not in (None, "")}
    configuration = _configuration(options)
    url = _checked_url(configuration)
    _check_files(configuration)
    if not configuration.verify_ssl:
        URLLIB3.require().disable_warnings(URLLIB3.part("exceptions").InsecureRequestWarning)
    proxy = urlsplit(configuration.proxy or "")
    target = Target(
        root=configuration.host.rstrip("/"),
        host=url.hostname or "",
        port=url.port or DEFAULT_PORTS[url.scheme],
        proxy=f"{proxy.hostname}:{proxy.port}" if proxy.hostname else "",
        ca_cert=configuration.ssl_ca_cert or "",
        token=lambda: _token(configuration),
    )
    direct = isinstance(configuration, Direct)
    configuration.connection_pool_maxsize = CONNECTIONS_KEPT
    pool = configuration.pool() if direct else KUBERNETES.part("client.rest").RESTClientObject(configuration).pool_manager
    times = {"read_seconds": _seconds("RARUS_LMS_READ_SECONDS", least=0.1), "repeat_seconds": _seconds("RARUS_LMS_REPEAT_SECONDS", least=0)}
    return Api(Transport(target, pool, lambda: _headers(configuration), **times))


def _configuration(options: t.Mapping[str, t.Any]) -> t.Any:
    """Return the configuration: of the options alone where they suffice, else the library's of a kubeconfig with the options over it."""
    enough = "host" in options and ("api_key" in options or ("client_cert" in options and "client_key" in options))
    if enough:
        return Direct(
            host=options["host"],
            api_key={"authorization": f"Bearer {_fit(options['api_key'])}"} if "api_key" in options else {},
            ssl_ca_cert=options.get("ca_cert", ""),
            cert_file=options.get("client_cert", ""),
            key_file=options.get("client_key", ""),
            proxy=options.get("proxy", ""),
            verify_ssl=boolean(options.get("validate_certs", True)),
        )
    configuration = KUBERNETES.part("client.configuration").Configuration()
    _load(configuration, options)
    if "host" in options:
        configuration.host = options["host"]
    if "api_key" in options:
        configuration.api_key = {"authorization": f"Bearer {_fit(options['api_key'])}"}
        configuration.refresh_api_key_hook = None
    for option, attribute in (("ca_cert", "ssl_ca_cert"), ("client_cert", "cert_file"), ("client_key", "key_file"), ("proxy", "proxy")):
        if option in options:
            setattr(configuration, attribute, options[option])
    if "validate_certs" in options:
        configuration.verify_ssl = boolean(options["validate_certs"])
    return configuration


def _load(configuration: t.Any, options: t.Mapping[str, t.Any]) -> None:
    """Fill the configuration from the kubeconfig given, from the pod that this runs in, or from the default kubeconfig."""
    config = KUBERNETES.part("config")
    named = "kubeconfig" in options or "context" in options
    path = options.get("kubeconfig") or config.KUBE_CONFIG_DEFAULT_LOCATION
    try:
        if not named and os.environ.get("KUBERNETES_SERVICE_HOST"):
            config.load_incluster_config(client_configuration=configuration)
        else:
            config.load_kube_config(
                config_file=path, context=options.get("context"), client_configuration=configuration, persist_config=False
            )
    except (config.ConfigException, OSError) as error:
        raise InputError(
            f"No connection to a cluster is configured: {_one_line(error)} (kubeconfig {path}).",
            hint="Set host and api_key (api_root_url and its token), or kubeconfig and context.",
        ) from None
    except YAML.require().YAMLError:
        raise InputError(f"kubeconfig: {path} is not YAML.", hint="Correct it, or set host and api_key.") from None


def _fit(token: str) -> str:
    """Return the token where it can be sent; what is wrong with it is said here, because HTTP libraries would print it."""
    fault = unfit(token)
    if fault:
        raise InputError(
            f"api_key: the token {fault}. Expected the token alone, on one line.", hint="It comes from api_key or K8S_AUTH_API_KEY."
        )
    return token


def _headers(configuration: t.Any) -> dict[str, str]:
    """Return the headers that authenticate a request; a token of a kubeconfig's helper is renewed here when it has expired."""
    headers = {entry["key"]: entry["value"] for entry in configuration.auth_settings().values() if entry["value"]}
    for value in headers.values():
        if value.startswith("Bearer "):
            _fit(value.removeprefix("Bearer "))
    return headers


def _token(configuration: t.Any) -> str:
    """Return the token in use, empty where there is none, so that messages can leave it out."""
    return str(configuration.api_key.get("authorization") or configuration.api_key.get("BearerToken") or "").removeprefix("Bearer ")


def _checked_url(configuration: t.Any) -> t.Any:
    """Return the parts of the API's root URL; raise InputError where it cannot be one."""
    root = str(configuration.host)
    url = urlsplit(root)
    try:
        valid_port = url.port is None or url.port > 0
    except ValueError:
        valid_port = False
    if "@" in url.netloc:
        raise InputError(
            "host: the API's root URL contains a user name or password. Expected a URL without them; the token goes to api_key."
        )
    if (
        url.scheme not in DEFAULT_PORTS
        or not url.hostname
        or not valid_port
        or url.query
        or url.fragment
        or any(char.isspace() for char in root)
    ):
        raise InputError(
            f'host: "{root}" is not the root URL of an API. Expected a form such as https://rancher.example/k8s/clusters/c-abcde.'
        )
    if url.scheme == "http" and (not _is_loopback(url.hostname) or configuration.ssl_ca_cert):
        raise InputError(f'host: "{root}" would send the token without TLS. Expected https://.')
    return url


def _is_loopback(host: str) -> bool:
    """Return whether a host is this machine, where plain HTTP (kubectl proxy) shows the token to nobody else."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_files(configuration: t.Any) -> None:
    """Raise InputError for a certificate or key file that is not there or is none; the library would name neither."""
    files = {"ca_cert": configuration.ssl_ca_cert, "client_cert": configuration.cert_file, "client_key": configuration.key_file}
    for option, path in files.items():
        if not path:
            continue
        try:
            found = b"-----BEGIN " in Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"{option}: {path} cannot be read ({error.strerror}).") from None
        if not found:
            raise InputError(f"{option}: {path} is not a PEM file. Expected one that contains -----BEGIN.")


def _seconds(variable: str, *, least: float) -> float | None:
    """Return the seconds that a variable of the environment sets, None where it is not set; raises InputError where they are none."""
    given = os.environ.get(variable, "")
    if not given:
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not least <= seconds <= LONGEST_SECONDS:
        raise InputError(f'{variable}: "{given}" is not a number of seconds from {least} to {LONGEST_SECONDS}.')
    return seconds


def _one_line(error: BaseException) -> str:
    """Return an exception's text on one line, without a last full stop."""
    return " ".join(str(error).split()).rstrip(".")
