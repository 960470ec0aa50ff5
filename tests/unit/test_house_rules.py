"""What CONTRIBUTING promises of the tree's shape, and a program can see."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rarus.lms.plugins.module_utils._core.deps import CRYPTOGRAPHY, EMAIL_VALIDATOR, KUBERNETES, PHONENUMBERS, PYRAGE
from support.tree import ROOT, tracked

MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
KINDS = ("modules", "action", "lookup", "filter", "test", "inventory", "callback")
ENTRY_POINTS = sorted(path for kind in KINDS for path in (ROOT / "plugins" / kind).glob("*.py"))
BELOW_ENTRY_POINTS = sorted((ROOT / "plugins" / "module_utils").rglob("*.py"))
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/meta/argument_specs.yml"))
ENDS_A_MODULE = ROOT / "plugins" / "module_utils" / "_core" / "module.py"
DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
MAIN_LINES, MODULE_LINES, FUNCTION_LINES, PLAYBOOK_LINES = 25, 120, 70, 40


def paths(*patterns: str) -> list[Path]:
    return [ROOT / name for name in tracked(*patterns)]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def documentation(path: Path, name: str = "DOCUMENTATION") -> Any:
    """A plugin's block of that name, read without importing the plugin; {} where it has none."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == name for target in node.targets):
            return yaml.safe_load(ast.literal_eval(node.value))
    return {}


def lines_of_code(source: str) -> int:
    """Lines that are neither empty nor comment nor docstring nor documentation."""
    lines = {number for number, line in enumerate(source.splitlines(), 1) if line.strip() and not line.strip().startswith("#")}
    for node in ast.walk(ast.parse(source)):
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        block = isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id in DOCUMENTATION for target in node.targets)
        if (text or block) and isinstance(node, ast.stmt):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def functions(path: Path) -> list[tuple[str, int]]:
    """Each function's name and how many lines it takes."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return [
        (f"{name_of(path)}: {node.name}()", (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_tells_its_options_results_examples_and_rights(path: Path) -> None:
    documented = documentation(path)
    rights = [line for line in documented["description"] if line.startswith("Needs ")]
    assert len(rights) == 1, "one sentence of the description tells which rights it needs: verbs on resources, or none"
    verbs = set(re.findall(r"C\((get|list|create|update|patch|delete)\)", rights[0]))
    resources = set(re.findall(r"C\(([a-z/.]+)\)", rights[0])) - verbs
    asks = "rarus.lms.kubernetes" in documented["extends_documentation_fragment"]
    assert bool(verbs and resources) is asks or "prepare_namespace.yml" in rights[0], rights[0]
    assert documentation(path, "EXAMPLES")
    assert documentation(path, "RETURN")


@pytest.mark.parametrize("path", ENTRY_POINTS, ids=name_of)
def test_an_entry_point_is_short(path: Path) -> None:
    assert lines_of_code(path.read_text()) <= MODULE_LINES
    assert [name for name, lines in functions(path) if name.endswith(" main()") and lines > MAIN_LINES] == []


@pytest.mark.parametrize("path", ENTRY_POINTS, ids=name_of)
def test_an_entry_point_has_a_test_file_of_its_name(path: Path) -> None:
    assert list((ROOT / "tests").rglob(f"test_{path.stem}.py"))


def test_no_function_is_longer_than_a_screen() -> None:
    found = [function for path in paths("*.py") for function in functions(path)]
    assert [f"{name} has {lines} lines" for name, lines in found if lines > FUNCTION_LINES] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_has_an_action_of_its_name(path: Path) -> None:
    assert (ROOT / "plugins" / "action" / path.name).is_file()


def test_nothing_below_the_entry_points_ends_a_task_or_prints() -> None:
    calls = re.compile(r"\b(fail_json|exit_json|print|Display)\(")
    found = [name_of(path) for path in BELOW_ENTRY_POINTS if path != ENDS_A_MODULE and calls.search(path.read_text())]
    assert found == []


def test_the_action_group_names_the_modules_that_take_the_connection_options() -> None:
    group = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["kubernetes"]
    takers = [path.stem for path in MODULES if "rarus.lms.kubernetes" in documentation(path).get("extends_documentation_fragment", [])]
    assert group == takers


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_roles_specification_and_its_defaults_are_equal(role: Path) -> None:
    """The specification validates and does not assign; defaults/main.yml assigns and does not validate."""
    options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"].get("options", {})
    specified = {name: option["default"] for name, option in options.items() if "default" in option}
    defaults = role / "defaults" / "main.yml"
    assigned = (yaml.safe_load(defaults.read_text()) or {}) if defaults.exists() else {}
    assert {name: value for name, value in assigned.items() if not name.startswith("__")} == specified
    assert [name for name in options if not name.startswith(f"{role.name}_")] == []


def test_every_role_has_a_specification() -> None:
    assert sorted({path.parents[1].name for path in ROOT.glob("roles/*/tasks/main.yml")} - {role.name for role in ROLES}) == []


def test_a_playbook_fits_a_screen() -> None:
    assert [name_of(path) for path in ROOT.glob("playbooks/*.yml") if len(path.read_text().splitlines()) > PLAYBOOK_LINES] == []


def test_every_relative_link_of_the_documentation_leads_somewhere() -> None:
    link = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
    pages = paths("*.md")
    assert pages
    targets = [(page, target) for page in pages for target in link.findall(page.read_text())]
    assert [f"{name_of(page)}: {target}" for page, target in targets if not (page.parent / target).exists()] == []


def test_requirements_are_the_same_wherever_they_are_stated() -> None:
    def lines(path: str) -> list[str]:
        return sorted(line for line in (ROOT / path).read_text().splitlines() if line and not line.startswith("#"))

    libraries = (KUBERNETES, CRYPTOGRAPHY, PHONENUMBERS, EMAIL_VALIDATOR, PYRAGE)
    needed = sorted(library.requirement for library in libraries)
    assert lines("meta/ee-requirements.txt") == lines("requirements/run.in") == needed
    collections = yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"]
    environment = yaml.safe_load((ROOT / "meta" / "ee-collections.yml").read_text())["collections"]
    assert {collection["name"]: collection["version"] for collection in environment} == collections


def test_no_file_names_a_registry_of_packages() -> None:
    """Where packages come from is a matter of the machine, never of this project."""
    places = re.compile(r"--(extra-)?index-url|--find-links|--trusted-host")
    assert [name_of(path) for path in paths("requirements", "Makefile") if places.search(path.read_text())] == []
