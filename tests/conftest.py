"""What all tests share: one lab for the session, started when the first test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from support.lab import Lab, start, stop


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long tests to those who ask for them by their mark."""
    if "soak" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """The lab of this session, named test; it stays where RARUS_LMS_KEEP_LAB=1, and the next session finds it."""
    name = os.environ.get("RARUS_LMS_TEST_LAB") or "test"
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            running = start(name)
        yield running
    finally:
        if os.environ.get("RARUS_LMS_KEEP_LAB") != "1":
            stop(name)
