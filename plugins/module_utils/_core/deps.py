# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place for libraries that Ansible does not bring: what is missing or unfit is said in one sentence, when it is needed."""

from __future__ import annotations

import importlib
import re
import sys
import typing as t
from dataclasses import dataclass

from .errors import LmsError

__all__ = ["CRYPTOGRAPHY", "JINJA2", "KUBERNETES", "URLLIB3", "YAML", "Library"]


@dataclass(frozen=True)
class Library:
    """A library as it was found; `name` is the module and the package alike.

    minimum: the oldest version that works, as (major, minor, patch).
    broken: versions that must not be used, with the reason each.
    purpose: what the collection needs it for.
    """

    name: str
    minimum: tuple[int, ...]
    purpose: str
    broken: t.Mapping[tuple[int, ...], str]
    modules: t.Mapping[str, t.Any]
    problem: str

    @classmethod
    def load(
        cls,
        name: str,
        *,
        minimum: tuple[int, ...],
        purpose: str,
        submodules: t.Sequence[str] = (),
        broken: t.Mapping[tuple[int, ...], str] | None = None,
    ) -> Library:
        """Import the library once; a failure is kept and raised by `require`."""
        modules: dict[str, t.Any] = {}
        problem = ""
        try:
            for module in (name, *(f"{name}.{part}" for part in submodules)):
                modules[module] = importlib.import_module(module)
        except ImportError as error:
            problem = f"cannot be imported ({error})"
        return cls(name=name, minimum=minimum, purpose=purpose, broken=broken or {}, modules=modules, problem=problem)

    @property
    def version(self) -> str:
        """Return the version found, empty where the library cannot be imported."""
        return str(getattr(self.modules.get(self.name), "__version__", ""))

    def require(self) -> t.Any:
        """Return the library's module; raise LmsError with what is wrong and how to install a fit one."""
        problem = self.problem or self._unfit()
        if problem:
            raise LmsError(
                f"The Python library {self.name} {problem}; {self.purpose} needs it on {sys.executable}.",
                hint=f"Install it there: {sys.executable} -m pip install '{self.requirement}'.",
            )
        return self.modules[self.name]

    def part(self, submodule: str) -> t.Any:
        """Return one of the submodules that were loaded."""
        self.require()
        return self.modules[f"{self.name}.{submodule}"]

    @property
    def requirement(self) -> str:
        """Return the requirement as pip reads it, for example `kubernetes>=30.0.0,!=36.0.0,!=36.0.1`."""
        without = "".join(f",!={_dotted(version)}" for version in self.broken)
        return f"{self.name}>={_dotted(self.minimum)}{without}"

    def _unfit(self) -> str:
        """Return what is wrong with the version found, or an empty text."""
        found = tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])
        if found and found in self.broken:
            return f"{self.version} {self.broken[found]}"
        if found and found < self.minimum:
            return f"{self.version} is older than {_dotted(self.minimum)}"
        return ""


def _dotted(version: tuple[int, ...]) -> str:
    """Return (36, 0, 1) as 36.0.1."""
    return ".".join(str(part) for part in version)


_MUTE = "does not send the token that it is given (kubernetes-client/python#2582)"

KUBERNETES = Library.load(
    "kubernetes",
    minimum=(30, 0, 0),
    purpose="talking to the cluster",
    submodules=("config", "client.configuration", "client.rest"),
    broken={(36, 0, 0): _MUTE, (36, 0, 1): _MUTE},
)
URLLIB3 = Library.load("urllib3", minimum=(1, 26, 0), purpose="talking to the cluster", submodules=("exceptions", "util"))
YAML = Library.load("yaml", minimum=(5, 1, 0), purpose="reading a kubeconfig or a request template")
JINJA2 = Library.load("jinja2", minimum=(3, 1, 0), purpose="rendering request templates", submodules=("nodes", "sandbox"))
CRYPTOGRAPHY = Library.load(
    "cryptography",
    minimum=(3, 4, 0),
    purpose="making and checking the keys of a client",
    submodules=("exceptions", "hazmat.primitives.asymmetric.rsa", "hazmat.primitives.serialization", "x509"),
)
