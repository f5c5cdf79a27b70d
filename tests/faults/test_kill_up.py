"""kill -9 of the whole of `touchpoints up` under load, again and again.

Emitters keep what was acknowledged and send the rest again, with the same ids. At the end nothing
that was acknowledged is lost, nothing is there twice, and the results are those of a run over the
same log in which nothing ever happened.
"""

import http.client
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import islice
from threading import Event, Lock, Thread

import msgspec
import pytest

from pipeline.catalogue import files
from pipeline.demo.day import touchpoints_of
from pipeline.runtimes.embedded.reader import LogReader
from pipeline.runtimes.engine import Engine
from pipeline.topology import STAGES
from schemas import codec
from schemas.topics import (
    CUSTOMER_TOUCHPOINTS,
    DEAD_LETTERS,
    JOURNEY_OUTCOMES,
    SESSIONS,
    TOUCHPOINTS,
    VERDICTS,
)
from tests.integration.serving import SEEDS, Up, eventually, fetch

EMITTERS = 6
BATCH = 20
KEYS = {VERDICTS: "id", SESSIONS: "session_id", JOURNEY_OUTCOMES: "journey_id"}


class Emitters:
    """Threads that send a day's traffic and remember what was acknowledged.

    Attributes:
        acknowledged: Ids of touchpoints in an answer of 200.
        retried: Batches that were sent again.
        faults: What should never have been answered.
    """

    def __init__(self, seed: int, customers: int) -> None:
        now = datetime.now(UTC)  # noqa: TID251 - the process under test reads the clock, too
        starts_at, length = now - timedelta(hours=20), timedelta(hours=20)
        self._lines = touchpoints_of(seed, customers, 2_000_000, starts_at, length)
        self._lock = Lock()
        self._stopping = Event()
        self._address = ""
        self.acknowledged: set[str] = set()
        self.retried = 0
        self.faults: list[str] = []
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(EMITTERS)]
        for thread in self._threads:
            thread.start()

    def go_to(self, url: str) -> None:
        self._address = url.removeprefix("http://")

    def stop(self) -> None:
        """Each sends what it has in hand until it is acknowledged, then no more."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                batch = list(islice(self._lines, BATCH))
            ids = [json.loads(line)["id"] for line in batch]
            while not self._sent(b"\n".join(batch)):
                self.retried += bool(self._address)
                time.sleep(0.01 if self._address else 0.1)  # nobody is there: leave it the machine
            self.acknowledged.update(ids)

    def _sent(self, body: bytes) -> bool:
        if not self._address:
            return False
        connection = http.client.HTTPConnection(self._address, timeout=10)
        try:
            connection.request("POST", "/v1/touchpoints", body, {"X-Write-Key": "shop"})
            answer = connection.getresponse()
            receipt = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            return False  # killed: whether it was taken is not known, so it is sent again
        finally:
            connection.close()
        if answer.status == 200 and receipt["accepted"] == BATCH:
            return True
        if answer.status != 503:
            self.faults.append(f"{answer.status} {receipt}")
        return False


def kill_rounds(directory, rounds, seed, customers):
    """Kill it so often at random moments under load; it works in the end."""
    chance = random.Random(seed)
    emitters = Emitters(seed, customers)
    for _ in range(rounds):
        up = Up(directory).start()
        emitters.go_to(up.url)
        time.sleep(chance.uniform(0.05, 0.8))
        up.kill()
        emitters.go_to("")
    with Up(directory) as up:
        emitters.go_to(up.url)
        emitters.stop()
        eventually(lambda: all_processed(directory), within=120)
        assert_the_ledger_balances(up, directory)
    return emitters


def assert_the_ledger_balances(up, directory):
    """Accepted is what stands on the log, however often the process was killed meanwhile."""
    text = fetch(f"{up.operations}/metrics").body.decode()
    counted = dict(re.findall(r'^touchpoints_accounted\{entry="(\w+)",\S+ (\S+)$', text, re.M))
    missing = re.findall(r"^touchpoints_unaccounted\{\S+ (\S+)$", text, re.M)
    entries = {entry: int(float(count)) for entry, count in counted.items()}

    assert missing == ["0.0"]
    assert entries.pop("accepted") == len(records(directory, TOUCHPOINTS)) == sum(entries.values())
    assert entries["result"] == len({one["id"] for one in records(directory, TOUCHPOINTS)})
    assert entries["in_flight"] == 0


def all_processed(directory):
    log, judged = ({one["id"] for one in records(directory, t)} for t in (TOUCHPOINTS, VERDICTS))
    return log == judged


def values(directory, topic) -> Iterator[bytes]:
    """Every value of a topic, as any reader has it."""
    with LogReader(directory) as reader:
        offset = 0
        while batch := reader.read(topic, offset, 10_000):
            offset = batch[-1].offset + 1
            yield from (one.value for one in batch)


def records(directory, topic):
    return list(map(msgspec.json.decode, values(directory, topic)))


def assert_nothing_lost_nothing_doubled(directory, emitters):
    arrivals = [one["id"] for one in records(directory, TOUCHPOINTS)]
    forwarded = [
        one["id"] for one in records(directory, CUSTOMER_TOUCHPOINTS) if "control" not in one
    ]
    log = Counter(arrivals)
    by_topic = {topic: records(directory, topic) for topic in KEYS}
    lost = emitters.acknowledged - set(log)
    revisions = {
        topic: Counter((one[KEYS[topic]], one["revision"]) for one in found)
        for topic, found in by_topic.items()
    }

    assert emitters.faults == []
    assert lost == set(), "acknowledged and lost"
    assert records(directory, DEAD_LETTERS) == []
    assert forwarded == arrivals, "processed other than exactly once, in order"
    for topic, counts in revisions.items():
        assert [key for key, count in counts.items() if count > 1] == [], f"twice on {topic}"
        highest = Counter()
        for key, revision in counts:
            highest[key] = max(highest[key], revision)
        assert sum(highest.values()) == len(counts), f"a revision left out on {topic}"
    assert_each_in_one_session(by_topic, log)
    assert_as_if_nothing_had_happened(directory, by_topic)


def assert_each_in_one_session(by_topic, log):
    verdicts = last(by_topic[VERDICTS], "id")
    sessions = last(by_topic[SESSIONS], "session_id")
    assert verdicts.keys() == log.keys(), "a touchpoint without its verdict, or one of nobody's"
    members = Counter(one["session_id"] for one in verdicts.values())
    assert {sessions[key]["state"] for key in members} <= {"open", "closed"}
    closed = {key: one["count"] for key, one in sessions.items() if one["state"] == "closed"}
    assert closed == {key: members[key] for key in closed}, "a session counts other than its own"


class States:
    """States in memory that are due to the microsecond, as those of the process are."""

    def __init__(self):
        self._states, self._due, self._heap = {}, {}, []
        self.get = self._states.get

    def put(self, key, state, due_at):
        self._states[key], self._due[key] = state, due_at
        if due_at is not None:
            heappush(self._heap, (due_at, key))

    def delete(self, key):
        self._states.pop(key, None)
        self._due.pop(key, None)

    def due(self, until, limit):
        found = {}
        while self._heap and self._heap[0][0] <= until and len(found) < limit:
            due_at, key = heappop(self._heap)
            if self._due.get(key) == due_at:
                found[key] = due_at
        return list(found)


def assert_as_if_nothing_had_happened(directory, by_topic):
    """The same log through stages in memory, without a kill, a clock or a commit.

    Contents agree. Revisions need not: once a second the process looks at the clock, and so may
    close and open again what waits, in memory, for the watermark's next move.
    """
    engine = Engine({stage.name: States() for stage in STAGES}, files.load(SEEDS))
    for value in values(directory, TOUCHPOINTS):
        engine.process(codec.decode_touchpoint(value))
    engine.expire()
    undisturbed = {topic: [] for topic in KEYS}
    for message in engine.outbox:
        if message.topic in KEYS:
            undisturbed[message.topic].append(msgspec.json.decode(codec.encode(message.record)))
    for topic, key in KEYS.items():
        assert contents(by_topic[topic], key) == contents(undisturbed[topic], key), topic


def contents(found, key):
    """What stands, whatever its revision."""
    return {name: one | {"revision": 0} for name, one in last(found, key).items()}


def last(found, key):
    return {one[key]: one for one in sorted(found, key=lambda one: one["revision"])}


def report(capsys, kills, emitters):
    with capsys.disabled():
        print(  # noqa: T201 - the figures are half of the test's worth
            f"\n{kills} kills of `up`: {len(emitters.acknowledged):,} touchpoints acknowledged, "
            f"{emitters.retried:,} batches sent again, 0 lost, 0 doubled",
            end="",
        )


def test_kill_9_of_up_loses_nothing_that_was_acknowledged_and_doubles_nothing(tmp_path, capsys):
    emitters = kill_rounds(tmp_path / "data", 5, seed=1, customers=300)

    assert len(emitters.acknowledged) > 200
    assert_nothing_lost_nothing_doubled(tmp_path / "data", emitters)
    report(capsys, 5, emitters)


@pytest.mark.torture
def test_fifty_kills_of_up_lose_and_double_nothing(tmp_path, capsys):
    emitters = kill_rounds(tmp_path / "data", 50, seed=2, customers=20_000)

    assert len(emitters.acknowledged) > 10_000
    assert_nothing_lost_nothing_doubled(tmp_path / "data", emitters)
    report(capsys, 50, emitters)
