"""`touchpoints work`: what ended it from within."""

from types import SimpleNamespace

from pipeline.cli.work import crash_of
from pipeline.runtimes.errors import WorkerFailed


def test_a_worker_that_runs_has_not_crashed():
    assert crash_of(SimpleNamespace(crash_reason=None)) is None


def test_what_crashed_it_is_told_whatever_it_is():
    fault = LookupError("no fetcher")

    assert crash_of(SimpleNamespace(crash_reason=fault)) is fault
    assert isinstance(crash_of(SimpleNamespace(crash_reason=KeyboardInterrupt())), WorkerFailed)
