"""What all tests share: a lab for each worker of the session, started when the first test asks for it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import partial

import locks
import pytest
from faults import FaultProxy
from support.faults import faulty_api
from support.lab import LABS, Lab, start, stop

RUNNING = pytest.StashKey[Lab]()


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


class AnotherSessionError(Exception):
    """Another session uses the lab."""


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take away what workers left, who are ended in the middle of a test where the run is told to end; not what another session uses."""

    def leave_it() -> None:
        raise AnotherSessionError

    if os.environ.get("RARUS_LMS_KEEP_LAB") != "1":
        for name in (lab_name(f"gw{number}") for number in range(config.getoption("numprocesses", None) or 0)):
            if (LABS / name).exists():
                with suppress(AnotherSessionError), alone(name, waits=leave_it):
                    stop(name)


def lab_name(worker: str) -> str:
    """Return the name of the session's lab, or of one worker's."""
    return "-".join(filter(None, [os.environ.get("RARUS_LMS_TEST_LAB") or "test", worker]))


def alone(name: str, *, waits: Callable[[], None] | None = None) -> AbstractContextManager[None]:
    """Let one session at a time use a lab, also where several checkouts are tested on one machine."""
    tells = partial(print, f"\nanother session uses lab {name}; waiting for its end", flush=True)
    return locks.held(LABS / f".{name}.session", waits=waits or tells)


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """The lab of this session, named test; it stays where RARUS_LMS_KEEP_LAB=1, and the next session finds it.

    Where pytest-xdist shares the files out, each worker has a lab of its own: test-gw0, test-gw1.
    """
    name = lab_name(os.environ.get("PYTEST_XDIST_WORKER", ""))
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with ExitStack() as session:
        with capture.global_and_fixture_disabled():
            session.enter_context(alone(name))
            if os.environ.get("RARUS_LMS_KEEP_LAB") != "1":
                session.callback(stop, name)
            running = start(name)
        pytestconfig.stash[RUNNING] = running
        yield running


@pytest.fixture(scope="module")
def proxy(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultProxy]:
    """Provide the programmable proxy before the lab's API."""
    with faulty_api(lab, tmp_path_factory.mktemp("proxy")) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def _room_on_the_node(pytestconfig: pytest.Config) -> Iterator[None]:
    """Take away what a file's clients run when it is done: the node has room for about forty of them, and a session makes more."""
    yield
    running = pytestconfig.stash.get(RUNNING, None)
    if running is not None:
        ours = ["--all-namespaces", "--selector", "app.kubernetes.io/managed-by=rarus.lms", "--output", "json"]
        found = json.loads(running.kubectl("get", "deployments,jobs", *ours) or '{"items": []}')["items"]
        for namespace in sorted({one["metadata"]["namespace"] for one in found}):
            running.kubectl("delete", "deployments,jobs", "--namespace", namespace, *ours[1:3], "--wait=false")
