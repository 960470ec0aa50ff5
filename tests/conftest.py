"""What all tests share: one lab for the session, started when the first test asks for it."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from support.lab import LABS, Lab, start, stop


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long tests to those who ask for them by their mark."""
    if "soak" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


def pytest_configure() -> None:
    """Take the lab away also when the run is told to end."""

    def interrupted(*_received: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Let one session at a time use a lab, also where several checkouts are tested on one machine."""
    LABS.mkdir(parents=True, exist_ok=True)
    with (LABS / f".{name}.session").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"\nanother session uses lab {name}; waiting for its end", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """The lab of this session, named test; it stays where RARUS_LMS_KEEP_LAB=1, and the next session finds it."""
    name = os.environ.get("RARUS_LMS_TEST_LAB") or "test"
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with ExitStack() as session:
        with capture.global_and_fixture_disabled():
            session.enter_context(alone(name))
            if os.environ.get("RARUS_LMS_KEEP_LAB") != "1":
                session.callback(stop, name)
            running = start(name)
        yield running
