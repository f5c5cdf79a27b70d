"""What people get wrong, told to the real command: one clear message, the right exit code.

Nothing here may end in a traceback, and nothing that was kept may be lost by it.
"""

import ctypes
import gzip
import json
import os
import resource
import shutil
import sqlite3
import subprocess

import pytest

from tests.integration.serving import (
    SEEDS,
    Up,
    eventually,
    fetch,
    records_of,
    touchpoints,
)
from tests.integration.test_up import home

STORY = SEEDS / "journeys" / "app-payment-fails-then-customer-rings.jsonl"
PORTS = ("--port", "0", "--console-port", "0")


def assert_told(said, code, *words):
    """The exit code, and all words on stderr, in a message and no traceback."""
    assert "Traceback" not in said.stderr
    assert [word for word in map(str, words) if word not in said.stderr] == [], said.stderr
    assert said.returncode == code
    assert said.stdout == ""


@pytest.fixture
def catalogue(tmp_path):
    """A copy of the shipped catalogue, to be spoiled."""
    directory = tmp_path / "catalogue"
    shutil.copytree(SEEDS, directory, ignore=shutil.ignore_patterns("bank", "journeys"))
    return directory


def test_reading_a_folder_without_data_says_how_to_get_some(tmp_path):
    said = touchpoints("tail", "verdicts", "--data", tmp_path / "nowhere")

    assert_told(said, 1, tmp_path / "nowhere", "found no file", "touchpoints up", "--data")
    assert not (tmp_path / "nowhere").exists()


def test_a_file_where_the_folder_should_be_is_misuse(tmp_path):
    (tmp_path / "data").write_text("mine")

    said = touchpoints("up", "--data", tmp_path / "data", *PORTS)

    assert_told(said, 2, "--data: expected a folder; found a file", tmp_path / "data")
    assert (tmp_path / "data").read_text() == "mine"


@pytest.mark.parametrize(
    ("command", "code"),
    [(("up", *PORTS), 1), (("replay", STORY), 1), (("check",), 2)],
    ids=lambda one: one[0] if isinstance(one, tuple) else "",
)
def test_a_catalogue_that_is_not_there_is_named(tmp_path, command, code):
    data = ("--data", tmp_path / "data") if command[0] == "up" else ()

    said = touchpoints(*command, *data, "--catalogue", tmp_path / "nowhere")

    assert_told(said, code, tmp_path / "nowhere", "expected a directory with an inventory.toml")
    assert not (tmp_path / "data").exists()


MISTAKES = [
    ("missions/pay-bill.toml", '"pay-in-app"', '"pay-in-ap"', 'Did you mean "pay-in-app"?'),
    ("missions/pay-bill.toml", 'patience = "2h"', 'patience = "2 hours"', '"1h30m"'),
    ("missions/pay-bill.toml", "[[phase]]", "[[phase]", "expected"),
    ("rules.toml", "[sessions.chatbot]", "[sessions.chatbt]", 'Did you mean "chatbot"?'),
    ("rules.toml", 'hint = "split"', 'hint = "spilt"', 'Did you mean "split"?'),
    ("inventory.toml", 'channel = "web"', 'channel = "wep"', 'Did you mean "web"?'),
    ("inventory.toml", 'id = "pay-in-app"', 'id = "order-confirmed"', "order-confirmed"),
]


@pytest.mark.parametrize(("file", "right", "wrong", "hint"), MISTAKES)
@pytest.mark.parametrize("command", ["up", "replay", "check"])
def test_a_mistake_in_the_catalogue_is_named_by_file_and_line(
    catalogue, tmp_path, command, file, right, wrong, hint
):
    text = (catalogue / file).read_text()
    assert right in text
    (catalogue / file).write_text(text.replace(right, wrong, 1))
    line = text[: text.index(right)].count("\n") + 1
    given = {"up": ("--data", tmp_path / "data", *PORTS), "replay": (STORY,), "check": ()}

    said = touchpoints(command, *given[command], "--catalogue", catalogue)

    assert_told(said, 1, f"{catalogue / file}:{line}:", hint)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (b"[sources\n", ("expected TOML", "line 1")),
        (b"body_bytes = 3\n", ("body_bytes",)),
        (b'body_bytes_max = "many"\n', ("body_bytes_max", "integer")),
        (b'[[sources]]\nname = "a"\nkeys = ["k"]\n', ("sources.0.keys", "sha256sum")),
        (b"\xff\xfe", ("UTF-8",)),
        (None, ("expected a settings file; found none",)),
    ],
    ids=["no TOML", "unknown", "no number", "key in clear", "not text", "missing"],
)
@pytest.mark.parametrize("command", ["up", "replay"])
def test_settings_that_cannot_be_used_are_named(tmp_path, command, settings, words):
    path = tmp_path / "settings.toml"
    if settings is not None:
        path.write_bytes(settings)
    given = {"up": ("--data", tmp_path / "data", *PORTS), "replay": (STORY,)}

    said = touchpoints(command, *given[command], "--settings", path)

    assert_told(said, 1, path, *words)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "shop.example"])
def test_an_address_that_others_reach_needs_settings(tmp_path, host):
    said = touchpoints("up", "--data", tmp_path / "data", "--host", host, *PORTS)

    assert_told(said, 1, "expected a loopback address", f"found {host}", "--settings")
    assert not (tmp_path / "data").exists()


def test_the_demo_without_anyone_listening_says_what_to_start():
    said = touchpoints("demo", "--port", 1)

    assert_told(said, 1, "nothing listens at http://127.0.0.1:1", "touchpoints up", "--port")


def test_a_replay_of_a_file_that_is_not_there_is_misuse(tmp_path):
    said = touchpoints("replay", STORY, tmp_path / "nowhere.jsonl")

    assert_told(said, 2, "expected a file of NDJSON touchpoints", tmp_path / "nowhere.jsonl")


def test_bad_lines_of_a_replay_are_named_and_the_others_replayed(tmp_path):
    good = STORY.read_text().splitlines()
    bad = ["{", '{"channel": "fax", "name": "x"}', '{"channel": "web", "name": "x"}', "\x00"]
    path = tmp_path / "mixed.jsonl"
    path.write_text("\n".join([good[0], *bad, "", *good[1:]]) + "\n")

    said, clean = touchpoints("replay", path), touchpoints("replay", STORY)

    assert said.returncode == 1
    assert said.stdout == clean.stdout
    assert [line.partition(" ")[0] for line in said.stderr.splitlines()] == [
        f"{path}:{number}:" for number in (2, 3, 4, 5)
    ]
    assert "$.channel" in said.stderr
    assert (clean.returncode, clean.stderr) == (0, "")


@pytest.mark.parametrize("spoil", ["cut short", "not gzip", "flipped"])
def test_a_spoilt_gzip_file_is_named_and_the_other_files_replayed(tmp_path, spoil):
    packed = gzip.compress(STORY.read_bytes())
    flipped = packed[:60] + bytes([packed[60] ^ 255, packed[61] ^ 255]) + packed[62:]
    path = tmp_path / "day.jsonl.gz"
    path.write_bytes({"cut short": packed[:-30], "not gzip": b"{}\n", "flipped": flipped}[spoil])

    said = touchpoints("replay", path, STORY, "--final", "--topic", "verdicts")

    assert said.returncode == 1
    assert "Traceback" not in said.stderr
    assert f"{path}:" in said.stderr
    assert "expected gzip, whole and sound" in said.stderr
    assert len(said.stdout.splitlines()) == len(STORY.read_text().splitlines())


def test_a_replay_reads_from_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    if os.fork() == 0:
        pipe.write_bytes(STORY.read_bytes())
        os._exit(0)

    said = touchpoints("replay", pipe)
    os.wait()

    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == touchpoints("replay", STORY).stdout


def test_a_full_disk_refuses_and_acknowledges_nothing_falsely(tmp_path):
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))

    accepted, number = [], 0
    with Up(tmp_path / "data", preexec=small) as up:
        while (answer := up.post([home(number + one) for one in range(200)])).status == 200:
            accepted += [f"t-{number + one}" for one in range(200)]
            number += 200
            assert number < 100_000
        eventually(lambda: fetch(up.url + "/readyz").status == 503)
        health = fetch(up.operations + "/healthz")
        alive = fetch(up.url + "/healthz").status
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(up.pid, resource.RLIMIT_FSIZE, unlimited)  # someone made room
        eventually(lambda: fetch(up.url + "/readyz").status == 200)
        assert up.post([home("last")]).status == 200
        in_log = [one["id"] for one in records_of(up.data, "touchpoints")]

    assert (answer.status, answer.json["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert (health.status, health.json) == (503, {"ready": False, "reason": "disk_full"})
    assert alive == 200
    assert in_log == [*accepted, "t-last"]
    assert "Traceback" not in up.said.read_text()


PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


def obey_permissions():
    """Root may write anywhere; from the next exec on, this root may not. Others never could."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.fixture
def read_only(tmp_path):
    """A folder with data in it that may be read and not be written."""
    with Up(tmp_path / "data") as up:
        up.post([home(1)])
    (tmp_path / "data").chmod(0o555)
    for path in (tmp_path / "data").iterdir():
        path.chmod(0o444)
    probe = ["test", "-w", str(tmp_path / "data")]
    if subprocess.run(probe, preexec_fn=obey_permissions, check=False).returncode == 0:
        pytest.skip("this user may write anywhere and cannot give that up")
    yield tmp_path / "data"
    (tmp_path / "data").chmod(0o755)


def test_a_folder_that_cannot_be_written_is_named_and_kept(read_only):
    before = {path: path.read_bytes() for path in read_only.iterdir()}

    said = touchpoints("up", "--data", read_only, *PORTS, preexec=obey_permissions)

    assert_told(said, 1, read_only, "Permission denied")
    assert {path: path.read_bytes() for path in read_only.iterdir()} == before


def test_a_folder_that_cannot_be_written_can_be_read(read_only):
    said = touchpoints(
        "tail", "touchpoints", "--data", read_only, "--from-start", "--timeout", 0,
        preexec=obey_permissions,
    )  # fmt: skip

    assert (said.returncode, said.stderr) == (0, "")
    assert [json.loads(line)["id"] for line in said.stdout.splitlines()] == ["t-1"]


@pytest.mark.parametrize(
    "spoilt", [b"not a database" * 500, b"\x00" * 4096, b"SQLite format 3\x00"]
)
@pytest.mark.parametrize("command", [("up", *PORTS), ("tail", "verdicts")], ids=["up", "tail"])
def test_a_corrupt_database_is_named_and_not_touched(tmp_path, command, spoilt):
    path = tmp_path / "data" / "touchpoints.db"
    path.parent.mkdir()
    path.write_bytes(spoilt)

    said = touchpoints(*command, "--data", path.parent)

    assert_told(said, 1, path, "Nothing was changed", "Restore it from a copy")
    assert path.read_bytes() == spoilt


def test_data_of_a_newer_version_is_left_alone(tmp_path):
    with Up(tmp_path / "data") as up:
        up.post([home(1)])
    path = tmp_path / "data" / "touchpoints.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = path.read_bytes()

    said = touchpoints("up", "--data", tmp_path / "data", *PORTS)

    assert_told(said, 1, path, "format 999, newer than this program's")
    assert path.read_bytes() == before


def test_an_error_never_repeats_what_a_customer_sent(tmp_path):
    path = tmp_path / "one.jsonl"
    secret = "4929-1111-2222-3333"
    path.write_text(json.dumps({"channel": "web", "name": "pay", "occurred_at": secret}) + "\n")

    said = touchpoints("replay", path)

    assert said.returncode == 1
    assert secret not in said.stderr
