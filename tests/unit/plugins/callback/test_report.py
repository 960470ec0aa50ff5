# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run that ends before its verdict, whatever ends it; and none where none is due."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from ansible_collections.rarus.lms.plugins.callback.report import CallbackModule
from support.playbook import ROOT, run_playbook

SCHEMA = json.loads((ROOT / "docs" / "report-schema.json").read_text())
NAMESPACE = "lms-unit"
FAIL = {"ansible.builtin.fail": {"msg": "it went wrong"}}
LOOKUP = {"name": "Look", "ansible.builtin.debug": {"msg": "{{ lookup('rarus.lms.requests', 'c42', settings={}) }}"}}
FINE = {"ansible.builtin.set_fact": {"x": 1}}
FINDING = {
    **dict.fromkeys(("object", "container", "reason", "since", "next"), "x"),
    "cause": "administrator_password",
    "severity": "fatal",
    "message": "PostgreSQL refused the administrator's password",
    "evidence": [],
    "log": [],
    "exit_code": 2,
}
# What a task may have failed with, and what the report says of client C42 then.
RESULTS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"msg": "it went wrong"}, "it went wrong", "unknown", "run_ended"),
    ({"msg": "canary-4711", "censored": "hidden"}, "its output is hidden", "unknown", "run_ended"),
    ({}, "The task", "unknown", "run_ended"),
    ({"msg": "Job failed", "jobs": [{"client": "C42", "findings": [FINDING]}]}, "Job failed", "failed", "administrator_password"),
    ({"msg": "Job failed", "jobs": [{"client": "C7", "findings": [FINDING]}]}, "Job failed", "unknown", "run_ended"),
]


class Run:
    """A run under the callback, as Ansible tells it of one."""

    def __init__(self, **extra: str) -> None:
        self.callback = CallbackModule()
        manager = SimpleNamespace(extra_vars=extra, get_vars=lambda host: {"lms_namespace_id": NAMESPACE} if host else {})
        self.callback.v2_playbook_on_play_start(SimpleNamespace(get_variable_manager=lambda: manager))

    def result(self, facts: dict[str, Any]) -> Any:
        """Return a task's result."""
        task = SimpleNamespace(action="rarus.lms.jobs_info", get_name=lambda: "The task", ignore_unreachable=False)
        return SimpleNamespace(_result=facts, _task=task, _host="lms-unit")

    def end(self, *, failed: bool = True) -> None:
        """End the run."""
        self.callback.v2_playbook_on_stats(SimpleNamespace(failures={"lms-unit": 1} if failed else {}, dark={}))


@pytest.mark.parametrize(("facts", "why", "phase", "cause"), RESULTS, ids=["message", "hidden", "no-message", "job", "job-of-another"])
def test_why_a_run_ended(tmp_path: Path, facts: dict[str, Any], why: str, phase: str, cause: str) -> None:
    path = tmp_path / "report.json"
    run = Run(client="C42", report=str(path))
    run.callback.v2_runner_on_failed(run.result(facts))
    run.end()
    told = json.loads(path.read_text())
    jsonschema.validate(told, SCHEMA)
    (environment,) = told["environments"]
    assert why in told["ended"]
    assert "canary" not in path.read_text()
    assert (environment["client"], environment["namespace"], environment["phase"]) == ("C42", NAMESPACE, phase)
    assert environment["findings"][0]["cause"] == cause
    assert told["phases"] == {phase: 1}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_loop_s_failed_item_says_why(tmp_path: Path) -> None:
    run = Run(client="C42", report=str(tmp_path / "report.json"))
    run.callback.v2_runner_item_on_failed(run.result({"msg": "item 2 is bad"}))
    run.callback.v2_runner_on_failed(run.result({"msg": "One or more items failed", "results": []}))
    run.end()
    assert json.loads((tmp_path / "report.json").read_text())["ended"] == "item 2 is bad"


def test_a_verdict_s_own_report_stays(tmp_path: Path) -> None:
    run = Run(client="C42", report=str(tmp_path / "report.json"))
    run.callback.v2_runner_on_unreachable(run.result({"msg": "away", "environments": []}))
    run.callback.v2_runner_on_failed(run.result({"msg": "C42 is unknown."}))
    run.end()
    assert not (tmp_path / "report.json").exists()


def test_a_run_that_goes_on_after_a_failure_has_none(tmp_path: Path) -> None:
    run = Run(client="C42", report=str(tmp_path / "report.json"))
    run.callback.v2_runner_on_failed(run.result({"msg": "rescued"}))
    run.end(failed=False)
    assert not (tmp_path / "report.json").exists()


def test_none_is_written_where_none_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run(client="C42")
    run.callback.v2_runner_on_failed(run.result({"msg": "x"}))
    run.end()
    assert list(tmp_path.iterdir()) == []


def test_several_clients(tmp_path: Path) -> None:
    run = Run(clients="C42, C7", report=str(tmp_path / "report.json"))
    run.callback.v2_runner_on_failed(run.result({"msg": "x"}))
    run.end()
    told = json.loads((tmp_path / "report.json").read_text())
    assert [one["client"] for one in told["environments"]] == ["C7", "C42"]


def test_a_file_that_cannot_be_written_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(client="C42", report=str(tmp_path / "no" / "report.json"))
    run.callback.v2_runner_on_failed(run.result({"msg": "x"}))
    run.end()
    assert "cannot be written" in " ".join(capsys.readouterr().err.split())


def played(folder: Path, *tasks: dict[str, Any], client: str) -> Path:
    """Run tasks by ansible-playbook itself; return where the report is to be."""
    playbook, report = folder / "play.yml", folder / "report.xml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}]))
    settings = {"ANSIBLE_CALLBACKS_ENABLED": "rarus.lms.report", "ANSIBLE_LOCALHOST_WARNING": "false"}
    run_playbook(playbook, "-e", f"client={client}", "-e", f"report={report}", env=settings)
    return report


def test_ansible_s_own_failures_are_told_where_no_client_is_known(tmp_path: Path) -> None:
    suite = ET.fromstring(played(tmp_path, {**FAIL, "ignore_errors": True}, LOOKUP, client="c42").read_text())
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")
    (case,) = suite
    assert case.get("name") == "run"
    assert (case[0].get("message") or "").startswith('client: "c42" is not a client id.')


def test_ignored_and_rescued_failures_end_no_run(tmp_path: Path) -> None:
    assert not played(tmp_path, {**FAIL, "ignore_errors": True}, {"block": [FAIL], "rescue": [FINE]}, client="C42").exists()
