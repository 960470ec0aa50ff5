# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place for libraries that Ansible does not bring: what is missing or unfit is said in one sentence, when it is needed."""

from __future__ import annotations

import importlib
import re
import sys
import typing as t
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata

from .errors import LmsError

__all__ = [
    "CRYPTOGRAPHY",
    "EMAIL_VALIDATOR",
    "HVAC",
    "JINJA2",
    "KUBERNETES",
    "PHONENUMBERS",
    "PYRAGE",
    "REQUESTS",
    "URLLIB3",
    "YAML",
    "Library",
]


@dataclass(frozen=True)
class Library:
    """A library that is imported when it is first asked for; `name` is the module, and with - for _ the package.

    minimum: the oldest version that works, as (major, minor, patch).
    purpose: what the collection needs it for.
    submodules: parts that are imported with it.
    broken: versions that must not be used, with the reason each.
    """

    name: str
    minimum: tuple[int, ...]
    purpose: str
    submodules: tuple[str, ...] = ()
    broken: t.Mapping[tuple[int, ...], str] = field(default_factory=dict)

    @classmethod
    def load(cls, name: str, **facts: t.Any) -> Library:
        """Return a library that is imported now: what every run needs is there in the processes that are forked later."""
        library = cls(name, **facts)
        library.modules.get(name)
        return library

    @property
    def modules(self) -> dict[str, t.Any]:
        """Return the modules by name, as far as they can be imported."""
        return self._imported[0]

    @cached_property
    def _imported(self) -> tuple[dict[str, t.Any], str]:
        """Return the modules, and why not all of them could be imported."""
        found: dict[str, t.Any] = {}
        try:
            for module in (self.name, *(f"{self.name}.{part}" for part in self.submodules)):
                found[module] = importlib.import_module(module)
        except ImportError as error:
            return found, f"cannot be imported ({error})"
        return found, ""

    @property
    def version(self) -> str:
        """Return the version found, empty where the library cannot be imported."""
        return str(getattr(self.modules.get(self.name), "__version__", ""))

    def require(self) -> t.Any:
        """Return the library's module; raise LmsError with what is wrong and how to install a fit one."""
        self._refuse(self._imported[1] or self._unfit(self.version))
        return self.modules[self.name]

    def expect(self) -> None:
        """Raise what require would raise, without importing the library: for one that somebody else imports later."""
        try:
            self._refuse(self._unfit(metadata.version(self.name.replace("_", "-"))))
        except metadata.PackageNotFoundError:
            self.require()

    def _refuse(self, problem: str) -> None:
        """Raise LmsError where there is a problem."""
        if problem:
            raise LmsError(
                f"The Python library {self.name} {problem}; {self.purpose} needs it on {sys.executable}.",
                hint=f"Install it there: {sys.executable} -m pip install '{self.requirement}'.",
            )

    def part(self, submodule: str) -> t.Any:
        """Return one of the submodules that were loaded."""
        self.require()
        return self.modules[f"{self.name}.{submodule}"]

    @property
    def requirement(self) -> str:
        """Return the requirement as pip reads it, for example `kubernetes>=30.0.0,!=36.0.0,!=36.0.1`."""
        without = "".join(f",!={_dotted(version)}" for version in self.broken)
        return f"{self.name.replace('_', '-')}>={_dotted(self.minimum)}{without}"

    def _unfit(self, version: str) -> str:
        """Return what is wrong with a version, or an empty text."""
        found = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
        if found and found in self.broken:
            return f"{version} {self.broken[found]}"
        if found and found < self.minimum:
            return f"{version} is older than {_dotted(self.minimum)}"
        return ""


def _dotted(version: tuple[int, ...]) -> str:
    """Return (36, 0, 1) as 36.0.1."""
    return ".".join(str(part) for part in version)


_MUTE = "does not send the token that it is given (kubernetes-client/python#2582)"

KUBERNETES = Library(
    "kubernetes",
    minimum=(30, 0, 0),
    purpose="talking to the cluster",
    submodules=("config", "client.configuration", "client.rest"),
    broken={(36, 0, 0): _MUTE, (36, 0, 1): _MUTE},
)
URLLIB3 = Library.load("urllib3", minimum=(1, 26, 0), purpose="talking to the cluster", submodules=("exceptions", "util"))
YAML = Library.load("yaml", minimum=(5, 1, 0), purpose="reading a kubeconfig or a request template")
JINJA2 = Library.load("jinja2", minimum=(3, 1, 0), purpose="rendering request templates", submodules=("nodes", "sandbox"))
CRYPTOGRAPHY = Library(
    "cryptography",
    minimum=(3, 4, 0),
    purpose="making and checking the keys of a client",
    submodules=("exceptions", "hazmat.primitives.asymmetric.rsa", "hazmat.primitives.serialization", "x509"),
)
PYRAGE = Library("pyrage", minimum=(1, 2), purpose="putting a client's keys in escrow", submodules=("x25519",))
HVAC = Library("hvac", minimum=(2, 1), purpose="keeping credentials in Vault", submodules=("exceptions",))
REQUESTS = Library("requests", minimum=(2, 27, 1), purpose="keeping credentials in Vault", submodules=("adapters",))
PHONENUMBERS = Library("phonenumbers", minimum=(8, 13), purpose="checking the telephone numbers of contacts")
EMAIL_VALIDATOR = Library("email_validator", minimum=(2, 1), purpose="checking the mailboxes of contacts")
