"""The brokers of the tests: which one there is, said at the end of the run.

`kafka` is one broker for the whole run, `own_kafka` one of the test's own, which it may kill. On a
machine without any, the tests that ask for one are skipped, and the run says how many and why.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from pytest_asyncio import is_async_test

if TYPE_CHECKING:
    from tests.brokers.broker import Broker

FOUND = pytest.StashKey[dict[str, str]]()
"""What each fixture got, or why it got none; for the last lines of the run."""

NONE = "no broker: "


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--broker",
        metavar="KIND",
        help="take this kind of broker only: cluster, docker, apache-kafka or tansu",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FOUND] = {}


@pytest.hookimpl(tryfirst=True)  # before `-m` looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"kafka", "own_kafka"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("integration")
        if "browser" in getattr(item, "fixturenames", ()) and is_async_test(item):
            # One browser lives through many tests, so they share the event loop that it lives in.
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:  # one of several processes: the first one sums up
        told["brokers"] = session.config.stash[FOUND]


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[FOUND].update(getattr(node, "workeroutput", {}).get("brokers", {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple) and NONE in report.longrepr[2]
    ]
    for line in dict.fromkeys(config.stash[FOUND].values()):
        terminalreporter.write_line(f"kafka: {line}")
    if skipped:
        terminalreporter.write_line(f"kafka: {len(skipped)} integration tests were skipped")


def _started(config: pytest.Config, kinds: Iterable[str], fixture: str) -> "Broker":
    """The first broker of these kinds; skips when there is none, without looking again."""
    from tests.brokers.broker import Missing
    from tests.brokers.choosing import first

    wanted = config.getoption("--broker")
    known = config.stash[FOUND]
    if known.get(fixture, "").startswith(NONE):
        pytest.skip(known[fixture])
    try:
        broker = first([kind for kind in kinds if wanted in (None, kind)])
    except Missing as error:
        known[fixture] = f"{NONE}{error}"
        pytest.skip(known[fixture])
    known[fixture] = broker.description
    return broker


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Iterator["Broker"]:
    """The broker of this run. Others use it, too: make topics afresh, choose an application."""
    from tests.brokers.choosing import KINDS

    broker = _started(pytestconfig, KINDS, "kafka")
    yield broker
    broker.close()


@pytest.fixture
def own_kafka(pytestconfig: pytest.Config) -> Iterator["Broker"]:
    """A broker for this test alone, which it may kill, pause and restart."""
    from tests.brokers.choosing import OWN

    broker = _started(pytestconfig, OWN, "own_kafka")
    yield broker
    broker.close()
