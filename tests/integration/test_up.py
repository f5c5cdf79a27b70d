"""`touchpoints up` as users have it: a real process, emitters as they are, results by `tail`."""

import asyncio
import json
import shutil
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime

import aiohttp
import pytest

from tests.integration.serving import (
    SEEDS,
    SOON,
    Up,
    eventually,
    fetch,
    latest,
    records_of,
    touchpoints,
)

QUICK_RULES = """
[sessions.web]
gap = "1s"

[revisions]
idle = "1s"
out_of_order = "0s"
"""
HOME = '[[touchpoint]]\nid = "home"\nname = "the first page"\nchannel = "web"\n'


@pytest.fixture
def up(tmp_path):
    with Up(tmp_path / "data") as started:
        yield started


@pytest.fixture
def quick(tmp_path):
    """A catalogue in which a second of silence ends a session."""
    directory = tmp_path / "catalogue"
    directory.mkdir()
    (directory / "inventory.toml").write_text(HOME)
    (directory / "rules.toml").write_text(QUICK_RULES)
    return directory


def home(number, **fields):
    """A touchpoint of now."""
    return {
        "id": f"t-{number}",
        "channel": "web",
        "name": "home",
        "occurred_at": datetime.now(UTC).isoformat(),  # noqa: TID251 - the server's clock, too
        "identifiers": {"anonymous_id": "a-1"},
        **fields,
    }


def said(capsys, what, seconds):
    with capsys.disabled():
        print(f"\n{what}: on `tail` {seconds:.2f} s after the post", end="")  # noqa: T201


def assert_on_tail(up, capsys, what, send, wanted):
    """What `send` sends comes out as a verdict, followed by a process that was there before."""
    with up.tail("verdicts", "--from-start") as verdicts:
        verdicts_of_before = up.post([home(what)]).json
        verdicts.first(lambda one: one["id"] == f"t-{what}")  # it follows by now
        started = time.monotonic()
        send()
        at, record = verdicts.first(wanted)

    said(capsys, what, at - started)
    assert verdicts_of_before["accepted"] == 1
    assert at - started < SOON
    return record


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_segments_own_sdk_ends_as_verdicts(up, capsys, gzip):
    analytics = pytest.importorskip("segment.analytics")
    failures = []
    client = analytics.Client(
        "shop", host=up.url, gzip=gzip, max_retries=0, on_error=lambda *told: failures.append(told)
    )

    def send():
        client.track(
            anonymous_id="a-9", event="payment_failed", message_id="m-1", properties={"status": 502}
        )
        client.flush()

    record = assert_on_tail(up, capsys, "segment", send, lambda one: one["id"] == "m-1")
    client.join()

    assert failures == []
    assert (record["channel"], record["verdict"]) == ("web", "broken")


async def post_by_aiohttp(up, items):
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            up.url + "/v1/touchpoints", json=items, headers={"X-Write-Key": "k"}
        ) as answer,
    ):
        return await answer.json()


async def test_a_native_client_ends_as_verdicts(up, capsys):
    receipts = []

    def send():
        receipts.append(asyncio.run(post_by_aiohttp(up, [home(1), {"channel": "fax"}])))

    record = await asyncio.to_thread(
        assert_on_tail, up, capsys, "aiohttp", send, lambda one: one["id"] == "t-1"
    )

    assert (record["touchpoint"], record["verdict"]) == ("other", "functional")
    assert [one["status"] for one in receipts[0]["receipts"]] == ["accepted", "rejected"]


def test_ndjson_by_curl_ends_as_verdicts(up, capsys, tmp_path):
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    body = tmp_path / "body.ndjson"
    body.write_text("".join(json.dumps(home(number)) + "\n" for number in range(3)))
    answers = []

    def send():
        command = [curl, "-sS", "--data-binary", f"@{body}"]
        command += ["-H", "Content-Type: application/x-ndjson", f"{up.url}/v1/touchpoints"]
        answers.append(subprocess.run(command, capture_output=True, check=True).stdout)

    assert_on_tail(up, capsys, "curl", send, lambda one: one["id"] == "t-2")

    assert json.loads(answers[0])["accepted"] == 3


def test_after_sigterm_and_a_restart_the_session_goes_on(tmp_path):
    before = Up(tmp_path / "data").start()
    before.post([home(1)])
    assert before.stop() == 0
    assert "Traceback" not in before.said.read_text()

    with Up(tmp_path / "data") as after, after.tail("verdicts", "--from-start") as verdicts:
        after.post([home(2)])
        _, first = verdicts.first(lambda one: one["id"] == "t-1")
        _, second = verdicts.first(lambda one: one["id"] == "t-2")

    assert second["session_id"] == first["session_id"]
    assert len(records_of(tmp_path / "data", "sessions")) == 1


def test_what_was_accepted_just_before_sigterm_is_processed(tmp_path):
    before = Up(tmp_path / "data").start()
    before.post([home(number) for number in range(2_000)])
    assert before.stop() == 0

    with Up(tmp_path / "data"):
        eventually(lambda: len(latest(records_of(tmp_path / "data", "verdicts"), "id")) == 2_000)


def test_a_touchpoint_sent_again_changes_nothing(up):
    again = home(1)
    for _ in range(3):
        assert up.post([again, again]).json["accepted"] == 2
    with up.tail("verdicts", "--from-start") as verdicts:
        up.post([home(2)])
        verdicts.first(lambda one: one["id"] == "t-2")

    assert Counter(one["id"] for one in records_of(up.data, "verdicts")) == {"t-1": 1, "t-2": 1}


def test_a_retry_without_a_time_of_its_own_is_absorbed_by_its_id(up):
    """Its time is that of its arrival, so that a repeat of the same id comes with another time."""
    timeless = {name: value for name, value in home(1).items() if name != "occurred_at"}
    for _ in range(3):
        up.post([timeless])
        time.sleep(0.02)
    with up.tail("verdicts", "--from-start") as verdicts:
        up.post([home(2)])
        verdicts.first(lambda one: one["id"] == "t-2")

    assert Counter(one["id"] for one in records_of(up.data, "verdicts")) == {"t-1": 1, "t-2": 1}


def test_silence_closes_a_session_when_traffic_stops(tmp_path, quick):
    with (
        Up(tmp_path / "data", catalogue=quick) as up,
        up.tail("sessions", "--from-start") as sessions,
    ):
        up.post([home(1)])
        _, closed = sessions.first(lambda one: one["state"] == "closed")

    assert (closed["count"], closed["microjourney"]) == (1, ["home"])


def test_a_second_one_on_the_same_folder_is_told_who_holds_it(up):
    second = touchpoints("up", "--data", up.data, "--port", 0, "--console-port", 0)

    assert second.returncode == 1
    assert second.stdout == ""
    assert f"{up.data} is in use by process {up.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert up.post([home(1)]).status == 200


@pytest.mark.parametrize("option", ["--port", "--console-port"])
def test_a_port_in_use_is_misuse_and_says_which_option_helps(up, tmp_path, option):
    taken = (up.url if option == "--port" else up.operations).rpartition(":")[2]
    ports = {"--port": "0", "--console-port": "0"} | {option: taken}
    given = [word for pair in ports.items() for word in pair]

    second = touchpoints("up", "--data", tmp_path / "other", *given)

    assert second.returncode == 2
    found = f"expected to listen on 127.0.0.1:{taken}; found: Address already in use. Choose"
    assert found in second.stderr
    assert f"Choose another with {option}" in second.stderr
    assert "Traceback" not in second.stderr


def test_the_listeners_port_answers_load_balancers_and_describes_itself(up):
    health, ready = fetch(up.url + "/healthz"), fetch(up.url + "/readyz")
    document = fetch(up.url + "/openapi.json")

    assert (health.status, ready.status, document.status) == (200, 200, 200)
    assert "/v1/touchpoints" in document.json["paths"]
    assert fetch(up.url + "/metrics").status == 404


def demo(up):
    """A day of traffic, and what is true of it; returns once all of it is processed."""
    said = touchpoints("demo", "--url", up.url, "--customers", 400, "--json")
    assert said.returncode == 0, said.stderr
    truth = json.loads(said.stdout)
    done = lambda: len(latest(records_of(up.data, "verdicts"), "id"))  # noqa: E731
    eventually(lambda: done() == truth["touchpoints"])
    return truth


def test_the_demo_comes_out_as_it_says(up):
    truth = demo(up)

    outcomes = latest(records_of(up.data, "journey-outcomes"), "journey_id").values()
    completed = Counter(one["mission"] for one in outcomes if one["outcome"] == "completed")
    assert records_of(up.data, "dead-letters") == []
    assert completed == {
        mission: counts["completed"]
        for mission, counts in truth["journeys"].items()
        if counts.get("completed")
    }


def told(verdict):
    """What a verdict says, whatever its revision."""
    return {name: value for name, value in verdict.items() if name != "revision"}


def test_a_replay_of_the_log_says_what_was_said_live(up, tmp_path):
    demo(up)
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(one) + "\n" for one in records_of(up.data, "touchpoints")))

    said = touchpoints(
        "replay", log, "--final", *("--topic", "sessions", "--topic", "verdicts"),
        *("--topic", "journey-outcomes", "--catalogue", SEEDS),
    )  # fmt: skip

    assert (said.returncode, said.stderr) == (0, "")
    replayed = {topic: [] for topic in IDS}
    for line in said.stdout.splitlines():
        record = json.loads(line)
        replayed[record.pop("topic")].append(record)
    assert_agree(
        {topic: latest(replayed[topic], key) for topic, key in IDS.items()},
        {topic: latest(records_of(up.data, topic), key) for topic, key in IDS.items()},
    )


IDS = {"sessions": "session_id", "journey-outcomes": "journey_id", "verdicts": "id"}


def assert_agree(replayed, live):
    """What had ended live says the same in the replay: journeys, their verdicts, their sessions."""
    ended = {key for key, one in live["journey-outcomes"].items() if one["outcome"] != "open"}
    settled = {
        key
        for key, one in live["verdicts"].items()
        if one["journey_id"] is None or one["journey_id"] in ended
    }
    unsettled = {one["session_id"] for key, one in live["verdicts"].items() if key not in settled}
    closed = {
        key
        for key, one in live["sessions"].items()
        if one["state"] == "closed" and key not in unsettled
    }

    assert len(ended) > 100
    assert len(settled) > 500
    assert len(closed) > 100
    comparable = {"journey-outcomes": ended, "verdicts": settled, "sessions": closed}
    for topic, keys in comparable.items():
        differing = [
            (live[topic][key], replayed[topic].get(key))
            for key in keys
            if key not in replayed[topic] or told(live[topic][key]) != told(replayed[topic][key])
        ]
        assert differing == [], topic


def test_tail_with_no_time_prints_all_that_is_there_and_ends(up):
    up.post([home(number) for number in range(1_700)])

    assert [one["id"] for one in records_of(up.data, "touchpoints")] == [
        f"t-{number}" for number in range(1_700)
    ]
