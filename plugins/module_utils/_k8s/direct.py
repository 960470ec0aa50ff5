# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection of which its options say everything: the library that reads kubeconfigs, a fifth of a second to import, is not needed."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from .._core.deps import URLLIB3

__all__ = ["Direct"]


@dataclass
class Direct:
    """The fields of kubernetes.client.Configuration that this collection uses, under their names there.

    proxy: "" takes the environment's (HTTPS_PROXY); NO_PROXY holds for both.
    """

    host: str
    api_key: dict[str, str] = field(default_factory=dict, repr=False)
    ssl_ca_cert: str = ""
    cert_file: str = ""
    key_file: str = ""
    proxy: str = ""
    verify_ssl: bool = True
    connection_pool_maxsize: int = 1

    def __post_init__(self) -> None:
        """Find the proxy on the way to the host, if any."""
        url = urlsplit(self.host)
        found = self.proxy or getproxies().get(url.scheme, "")
        self.proxy = "" if proxy_bypass(url.netloc) else found

    def auth_settings(self) -> dict[str, dict[str, str]]:
        """Return the headers that authenticate a request, each as {key, value}."""
        return {name: {"key": name, "value": value} for name, value in self.api_key.items()}

    def pool(self) -> t.Any:
        """Return the pool of connections."""
        urllib3 = URLLIB3.require()
        options: dict[str, t.Any] = {
            "maxsize": self.connection_pool_maxsize,
            "cert_reqs": "CERT_REQUIRED" if self.verify_ssl else "CERT_NONE",
            "ca_certs": self.ssl_ca_cert or None,
            "cert_file": self.cert_file or None,
            "key_file": self.key_file or None,
        }
        if not self.proxy:
            return urllib3.PoolManager(**options)
        login = urlsplit(self.proxy)
        if login.username:
            basic = f"{unquote(login.username)}:{unquote(login.password or '')}"
            options["proxy_headers"] = URLLIB3.part("util").make_headers(proxy_basic_auth=basic)
        return urllib3.ProxyManager(self.proxy, **options)
