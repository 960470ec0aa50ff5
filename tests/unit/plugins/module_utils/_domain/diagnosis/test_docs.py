# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of causes in docs/verdict.md is that of the code: it is written by this file, and held by its test.

Written anew by: python tests/in_venv.py python tests/unit/plugins/module_utils/_domain/diagnosis/test_docs.py (PYTHONPATH as pytest has it)
"""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import Cause, Severity
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.recognise import CAUSES
from support.verdict_faults import FAULTS, JOB_FAULTS, PATH_FAULTS

DOCS = Path(__file__).parents[6] / "docs" / "verdict.md"
BEGIN, END = "<!-- causes: begin -->\n", "<!-- causes: end -->\n"
OUTCOMES = {Severity.FATAL: "ends the wait", Severity.WAITING: "is waited for", Severity.NOTE: "is noted"}


def row(cause: Cause, on_the_lab: set[str]) -> str:
    """Return one cause's row: its facts in italics, what it does to a wait, and how it was tried."""
    sentence = re.sub(r"\{(\w+)\}", r"*\1*", cause.sentence).replace("|", "\\|")
    return f"| `{cause.name}` | {sentence} | {OUTCOMES[cause.severity]} | {'lab' if cause.name in on_the_lab else 'recorded'} |\n"


def table() -> str:
    """Return the whole table."""
    on_the_lab = {fault.cause for fault in (*FAULTS, *PATH_FAULTS, *JOB_FAULTS)}
    head = "| cause | what is told | a wait | tried on |\n| --- | --- | --- | --- |\n"
    return BEGIN + head + "".join(row(cause, on_the_lab) for cause in CAUSES) + END


def test_the_docs_have_the_table_of_the_code() -> None:
    text = DOCS.read_text()
    assert text[text.index(BEGIN) : text.index(END) + len(END)] == table()


if __name__ == "__main__":
    old = DOCS.read_text()
    DOCS.write_text(old[: old.index(BEGIN)] + table() + old[old.index(END) + len(END) :])
