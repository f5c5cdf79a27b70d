"""Quix Streams, in an environment of its own: it pins other versions of the clients.

Three ways: session windows that close by the partition's time, those that close by the key's own
time (its default, by which a customer who never returns is never done), and a function with state,
which can only close a session when the same customer comes again.

The child imports nothing but Quix Streams and the standard library.
"""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks.engines.here import environment, python
from tests.benchmarks.engines.jobs import GAP, TICK, Engine, Job, Progress, job_of

RELEASE = "3.28.0"
GAP_MS = int(GAP.total_seconds() * 1000)


def time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


def session(key: str, found: dict[str, Any], start: int, end: int) -> dict[str, Any]:
    return {
        "session_id": found["id"],
        "revision": 1,
        "state": "closed",
        "customer": key,
        "channel": found["channel"],
        "started_at": time(start),
        "ended_at": time(end),
        "count": found["count"],
        "microjourney": [],
        "verdicts": {},
    }


def opened(touchpoint: dict[str, Any]) -> dict[str, Any]:
    return {"id": touchpoint["id"], "channel": touchpoint["channel"], "count": 1}


def grown(found: dict[str, Any], _: dict[str, Any]) -> dict[str, Any]:
    return found | {"count": found["count"] + 1}


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return one | {"count": one["count"] + other["count"]}


def stateful(value: dict[str, Any], key: str, at: int, _: Any, state: Any) -> Any:
    """Close the customer's session if this touchpoint comes after the gap."""
    found = state.get("session")
    if found is not None and at - found["end"] <= GAP_MS:
        state.set("session", found | {"end": at, "count": found["count"] + 1})
        return None
    state.set("session", opened(value) | {"start": at, "end": at})
    return found and session(key, found, found["start"], found["end"])


def windowed(frame: Any, closing: str) -> Any:
    from quixstreams.dataframe.windows import Reduce

    reduced = frame.session_window(inactivity_gap_ms=GAP).agg(
        found=Reduce(reducer=grown, initializer=opened, merger=merged)
    )
    # The end that Quix tells of is exclusive.
    return reduced.final(closing_strategy=closing).apply(
        lambda one, key, *_: session(key, one["found"], one["start"], one["end"] - 1),
        metadata=True,
    )


def work(job: Job, progress: Progress) -> None:
    from quixstreams import Application

    way, _, guarantee = job.variant.partition(" ")
    app = Application(
        broker_address=job.bootstrap_servers,
        consumer_group=job.application,
        auto_offset_reset="earliest",
        state_dir=str(job.folder),
        loglevel="WARNING",
        processing_guarantee=guarantee or "at-least-once",
    )
    frame = app.dataframe(app.topic(job.input, key_deserializer="str"))
    frame = frame.update(lambda _, key, *__: key.startswith(TICK) or progress.saw(), metadata=True)
    if way == "apply":
        closed = frame.apply(stateful, stateful=True, metadata=True).filter(bool)
    else:
        closed = windowed(frame, way)
    closed.to_topic(app.topic(job.output, key_serializer="str"), key=lambda one: one["session_id"])
    app.run()


def interpreter() -> str:
    return str(environment("quix", f"quixstreams=={RELEASE}"))


def versions() -> str:
    code = "from importlib.metadata import version as v; print(v('confluent-kafka'))"
    client = subprocess.run([interpreter(), "-c", code], check=True, capture_output=True, text=True)
    return f"quixstreams {RELEASE} with confluent-kafka {client.stdout.strip()}"


def _engine(variant: str, about: str, count_max: int | None = None) -> Engine:
    command: Callable[[Job], list[str]] = lambda job: python(  # noqa: E731
        "tests.benchmarks.engines.quix", job, interpreter()
    )
    return Engine(
        name="quix",
        variant=variant,
        about=about,
        versions=versions,
        command=command,
        count_max=count_max,
    )


# Each time a session is due, all keys of the partition are gone through: the cost of a touchpoint
# grows with the number of customers, and a million would take hours.
ENGINES = (
    _engine("partition", "Quix Streams: session windows, closed by partition", 100_000),
    _engine("key", "Quix Streams: session windows, closed by key (default)"),
    _engine("apply", "Quix Streams: stateful apply"),
    _engine("apply exactly-once", "Quix Streams: stateful apply, exactly once"),
)

if __name__ == "__main__":
    found_job = job_of()
    work(found_job, Progress(found_job.count))
