"""The lab's built parts: one place for versions, each part made once, whole or not at all."""
from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path

import build
import packages
import pytest
import toolchain
from layout import LabError

FAKE_GO = """#!/bin/sh
[ "$1" = version ] && { echo "go version go$FAKE_GO_VERSION linux/amd64"; exit; }
echo "$@" >> "$FAKE_GO_CALLS"
[ "$1" = mod ] && { mkdir -p vendor/example.org/cloud && echo real > vendor/example.org/cloud/real.go; exit; }
[ -n "$FAKE_GO_ERROR" ] && { echo "$FAKE_GO_ERROR" >&2; exit 1; }
while [ "$1" != -o ]; do shift; done
cat main.go ../vendor/*/*/*.go > "$2" 2>/dev/null
true
"""
GO_PARTS = {name: part for name, part in build.PARTS.items() if part.is_go}

PACKAGES = [(name, package) for name, part in GO_PARTS.items() for package in part.table.get("programs", {}).values()]


def go_mod(name: str) -> str:
    return (GO_PARTS[name].module / "go.mod").read_text()


# --- one place for versions ---------------------------------------------------------------------------------------------------------------

def test_every_folder_of_parts_has_its_table() -> None:
    assert {path.name for path in (build.LAB / "parts").iterdir() if path.is_dir()} <= set(build.PARTS)


@pytest.mark.parametrize("name", GO_PARTS)
def test_a_part_has_its_checksums(name: str) -> None:
    assert (GO_PARTS[name].module / "go.sum").exists()


def test_most_parts_are_compiled_together() -> None:
    """A module of its own costs minutes of compiling what others have compiled: it has a reason in versions.toml."""
    own = {name for name, part in GO_PARTS.items() if part.module != build.LAB / "parts"}
    assert own == {"containerd", "lms-backend", "clickhouse-client", "vault"}


@pytest.mark.parametrize("name", [name for name, part in GO_PARTS.items() if "module" in part.table])
def test_go_mod_requires_the_version_of_versions_toml(name: str) -> None:
    part = GO_PARTS[name]
    required = re.findall(rf"^(?:require )?\s*{re.escape(part.table['module'])} (v\S+)", go_mod(name), re.MULTILINE)
    assert required == [f"v{part.version}"]


@pytest.mark.parametrize("name", GO_PARTS)
def test_the_oldest_go_suffices(name: str) -> None:
    wanted = re.findall(r"^go (\S+)$", go_mod(name), re.MULTILINE)
    assert [numbers(version) for version in wanted] <= [numbers(build.VERSIONS["go"]["oldest"])] <= [numbers(build.VERSIONS["go"]["pypi"])]


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@pytest.mark.parametrize(("name", "package"), PACKAGES)
def test_a_package_is_our_own_main_or_a_tool_of_go_mod(name: str, package: str) -> None:
    tools = re.findall(r"^(?:tool )?\s*(\S+)$", go_mod(name), re.MULTILINE)
    assert (GO_PARTS[name].source / "main.go").exists() if package == "." else package in tools


def test_kubernetes_libraries_are_of_its_own_release() -> None:
    _major, minor, patch = build.PARTS["kubernetes"].version.split(".")
    replaced = re.findall(r"^\s(k8s\.io/\S+) => (\S+) (\S+)$", go_mod("kubernetes"), re.MULTILINE)
    assert replaced
    assert {(new == old, version) for old, new, version in replaced} == {(True, f"v0.{minor}.{patch}")}


def test_what_no_lab_needs_is_built_on_request_only() -> None:
    assert not {"kwok", "postgres-13", "postgres-18"} & set(build.EVERY_LAB)
    assert {"kubernetes", "traefik", "etcd", "containerd", "coredns", "netpol", "gateway-api", "lms-backend"} <= set(build.EVERY_LAB)


# --- building -----------------------------------------------------------------------------------------------------------------------------

class Workshop:
    """A cache and a source folder of a test's own, with a `go` that only pretends."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cache, self.source, self.calls = folder / "cache", folder / "lab/parts/tool", folder / "calls"
        self.monkeypatch = monkeypatch
        self.lines: list[str] = []
        self.source.mkdir(parents=True)
        (self.source / "main.go").write_text("package main\n")
        for name in ("go.mod", "go.sum"):
            (self.source.parent / name).write_text(f"{name}\n")
        (folder / "go").write_text(FAKE_GO)
        (folder / "go").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.setenv("RARUS_LMS_CACHE", str(self.cache))
        monkeypatch.setenv("FAKE_GO_CALLS", str(self.calls))
        monkeypatch.setenv("FAKE_GO_VERSION", "1.99.1")
        monkeypatch.setattr(build, "LAB", folder / "lab")
        monkeypatch.setattr(build, "DISK_NEEDED", 0)
        self.define({"version": "1.2.3", "programs": {"tool": ".", "alias": "."}, "stamp": ["main.version"], "tags": ["small"]})

    def define(self, table: dict[str, object]) -> None:
        self.monkeypatch.setattr(build, "PARTS", {"tool": build.Built("tool", table)})

    def ensure(self) -> Path:
        return build.ensure(["tool"], report=self.lines.append)

    def go_calls(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    return Workshop(tmp_path, monkeypatch)


def test_a_part_is_built_once_for_all_its_names(workshop: Workshop) -> None:
    folder = workshop.ensure()
    assert (folder / "tool").samefile(folder / "alias")
    assert workshop.ensure() == folder
    (call,) = workshop.go_calls()
    assert "-mod=readonly" in call
    assert "-tags=small" in call
    assert "-X main.version=v1.2.3" in call
    assert workshop.lines[0].startswith("building tool 1.2.3")
    assert re.fullmatch(r"tool 1\.2\.3: built in \d+ s", workshop.lines[1])
    assert len(workshop.lines) == 2


def test_changed_sources_are_built_anew_beside_the_old(workshop: Workshop) -> None:
    before = (workshop.ensure() / "tool").resolve()
    for changed in (workshop.source / "main.go", workshop.source.parent / "go.sum"):
        changed.write_text("package main // changed\n")
        workshop.define(build.PARTS["tool"].table)
        after = (workshop.ensure() / "tool").resolve()
        assert before != after
        assert before.exists()
        before = after


def test_stand_ins_take_the_place_of_the_real_packages(workshop: Workshop) -> None:
    stand_in = workshop.source / build.STAND_INS / "example.org/cloud"
    stand_in.mkdir(parents=True)
    (stand_in / "none.go").write_text("stand-in\n")
    assert (workshop.ensure() / "tool").read_text() == "package main\nstand-in\n"
    assert "-mod=vendor" in workshop.go_calls()[1]
    assert not (workshop.source.parent / "vendor").exists()
    assert [path.name for path in (workshop.cache / "parts").iterdir()] == [build.PARTS["tool"].home.name]


def test_a_failed_build_leaves_nothing_and_shows_its_last_lines(workshop: Workshop) -> None:
    workshop.monkeypatch.setenv("FAKE_GO_ERROR", "main.go:1: undefined: x")
    with pytest.raises(LabError, match=r"tool 1\.2\.3 could not be built; the last lines of go:\nmain\.go:1: undefined: x"):
        workshop.ensure()
    workshop.monkeypatch.delenv("FAKE_GO_ERROR")
    assert (workshop.ensure() / "tool").read_text() == "package main\n"
    assert [path.name for path in (workshop.cache / "parts").iterdir()] == [build.PARTS["tool"].home.name]


def test_what_a_killed_builder_left_is_taken_away(workshop: Workshop) -> None:
    left = workshop.cache / "parts" / ".partial-tool"
    left.mkdir(parents=True)
    workshop.ensure()
    assert not left.exists()


def test_two_builders_build_once(workshop: Workshop) -> None:
    builders = [threading.Thread(target=workshop.ensure) for _builder in range(3)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert len(workshop.go_calls()) == 1


def test_an_unknown_part_is_named(workshop: Workshop) -> None:
    with pytest.raises(LabError, match=r"'vault' is no part of the lab; versions\.toml has tool"):
        build.ensure(["vault"], report=workshop.lines.append)


def test_too_little_disk_is_said_before_anything_is_built(workshop: Workshop) -> None:
    workshop.monkeypatch.setattr(build, "DISK_NEEDED", 1 << 60)
    with pytest.raises(LabError, match=r"needs \d+ GiB of free disk at .*: free some, or set RARUS_LMS_CACHE"):
        workshop.ensure()
    assert not workshop.go_calls()


def test_all_is_there_within_the_blink_of_an_eye() -> None:
    """Deciding that nothing is missing reads every source: it must not cost a second `up` anything."""
    begun = time.process_time()
    assert all(build.Built(name, part.table).hash for name, part in build.PARTS.items())
    assert time.process_time() - begun < 0.5


# --- tools --------------------------------------------------------------------------------------------------------------------------------

def test_the_machines_go_is_taken_if_new_enough(workshop: Workshop, tmp_path: Path) -> None:
    assert toolchain.find_go("1.26.6", "1.26.6", report=print) == tmp_path / "go"


def test_an_old_go_is_passed_over_for_the_one_in_the_cache(workshop: Workshop) -> None:
    workshop.monkeypatch.setenv("FAKE_GO_VERSION", "1.26.5")
    (workshop.cache / "go-1.26.6").mkdir(parents=True)
    assert toolchain.find_go("1.26.6", "1.26.6", report=print) == workshop.cache / "go-1.26.6/bin/go"


def test_missing_packages_are_those_without_their_proof(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packages, "PROOFS", {"here": str(tmp_path), "away": str(tmp_path / "away")})
    assert packages.missing() == ["away"]


def test_nothing_is_installed_when_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "PROOFS", {})
    lines: list[str] = []
    packages.ensure(report=lines.append)
    assert lines == []


def test_a_file_of_the_administrators_stands(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "new/policy", tmp_path / "theirs"
    theirs.write_text("exit 0\n")
    with packages._file_for_now(ours, "exit 101\n", 0o755), packages._file_for_now(theirs, "exit 101\n", 0o755):
        assert (ours.read_text(), theirs.read_text()) == ("exit 101\n", "exit 0\n")
    assert (ours.exists(), theirs.read_text()) == (False, "exit 0\n")


def test_a_refusal_of_apt_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "APT", ["sh", "-c", "echo 'E: Unable to locate package x' >&2; exit 100"])
    with pytest.raises(LabError, match=r"`apt-get install x` failed \(Unable to locate package x\): mend that"):
        packages._apt("install", "x")
