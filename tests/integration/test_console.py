"""The console beside `touchpoints up`: it follows, forgets, comes back, and ends with it."""

import http.client
import os
import re
import signal
import sqlite3
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.integration.serving import Up, environment, eventually, fetch, touchpoints


@pytest.fixture
def up(tmp_path):
    with Up(tmp_path / "data") as started:
        eventually(lambda: page(started).status == 200)
        yield started


def page(up, path="/"):
    return fetch(up.operations + path)


def consoles(up):
    """Process ids of the consoles beside a process."""
    asked = ["ps", "-o", "pid=,args=", "--ppid", str(up.pid)]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    return [int(line.split()[0]) for line in said.splitlines() if " console " in line]


def bill(number, customer="ann", **fields):
    return {
        "id": f"t-{number}",
        "channel": "app",
        "name": "pay-in-app",
        "identifiers": {"user_id": f"user-{customer}"},
        **fields,
    }


def found(up, identifier):
    """What the search answers: status and address."""
    token = re.search(rb'name="csrf" value="([0-9a-f]+)"', page(up, "/journeys").body)[1].decode()
    body = urllib.parse.urlencode({"identifier": identifier, "csrf": token}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return fetch(up.operations + "/journeys", body, kind)


def test_what_is_sent_is_shown_and_found_by_what_is_typed(up):
    up.post([bill(1, signals=["http_5xx"])])

    eventually(lambda: b"Paying my bill in the app" in page(up, "/touchpoints").body)
    story = found(up, "user_id:user-ann")

    assert story.status == 200
    assert b"the server reported an error" in story.body
    assert b'"action": "searched"' in (up.data / "console-audit.jsonl").read_bytes()
    assert b"user-ann" not in (up.data / "console-audit.jsonl").read_bytes()


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_who_is_erased_is_in_no_byte_of_the_folder_and_not_found(up, running):
    up.post([bill(1, signals=["http_5xx"]), bill(2, customer="bob")])
    eventually(lambda: found(up, "user_id:user-ann").status == 200)
    eventually(lambda: found(up, "user_id:user-bob").status == 200)
    customer = re.search(rb"<code>([0-9a-f-]{36})</code>", found(up, "user_id:user-ann").body)[1]
    if not running:
        up.stop()

    erased = touchpoints("erase", "user_id:user-ann", "--data", up.data)

    assert erased.returncode == 0, erased.stderr
    held = {path.name: path.read_bytes() for path in up.data.iterdir() if path.is_file()}
    assert [name for name, value in held.items() if b"user-ann" in value] == []
    assert customer not in held["console.db"] + held.get("console.db-wal", b"")
    if running:
        assert found(up, "user_id:user-ann").status == 404
        assert found(up, "user_id:user-bob").status == 200


def test_a_console_that_is_killed_comes_back_and_the_pipeline_goes_on(up):
    up.post([bill(1)])
    eventually(lambda: b"Paying my bill" in page(up, "/touchpoints").body)
    (before,) = consoles(up)

    os.kill(before, signal.SIGKILL)
    accepted = up.post([bill(2)])
    metrics = page(up, "/metrics")
    eventually(lambda: page(up).status == 200)

    assert (accepted.status, metrics.status) == (200, 200)
    assert consoles(up) != [before]
    eventually(lambda: found(up, "t-2").status == 200)


def test_a_stream_that_breaks_off_with_its_console_is_no_fault_of_the_pipelines(up):
    with urllib.request.urlopen(up.operations + "/live?page=/", timeout=30) as stream:
        assert stream.readline() == b"retry: 2000\n"
        os.kill(consoles(up)[0], signal.SIGKILL)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            stream.read()
    eventually(lambda: page(up).status == 200)

    assert "Traceback" not in up.said.read_text()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_console_outlives_the_process_it_stands_beside(up, how):
    (console,) = consoles(up)

    os.kill(up.pid, how)
    up.process.wait(30)

    eventually(lambda: not Path(f"/proc/{console}").exists(), within=20)


def test_a_restart_reads_on_where_it_was(tmp_path):
    with Up(tmp_path / "data") as before:
        before.post([bill(1)])
        eventually(lambda: b"Paying my bill" in page(before, "/touchpoints").body)
    with Up(tmp_path / "data") as after:
        eventually(lambda: b"Paying my bill" in page(after, "/touchpoints").body)
        kept = sqlite3.connect(f"file:{tmp_path}/data/console.db?mode=ro", uri=True)
        rows = kept.execute("SELECT at FROM verdicts").fetchall()
        kept.close()

    assert rows == [(1,)]


def test_alone_it_reads_the_folder_of_a_stopped_pipeline(tmp_path):
    with Up(tmp_path / "data") as up:
        up.post([bill(1)])
        eventually(lambda: b"Paying my bill" in page(up, "/touchpoints").body)

    with Alone("--data", tmp_path / "data") as alone:
        eventually(lambda: b"Paying my bill" in page(alone, "/touchpoints").body)
        assert b"This console reads results alone" in page(alone, "/pipeline").body


def test_alone_on_another_address_it_refuses_while_nobody_logs_in(tmp_path):
    said = touchpoints("console", "--data", tmp_path, "--host", "0.0.0.0")

    assert said.returncode == 2
    assert "expected loopback while nobody has to log in; found 0.0.0.0" in said.stderr


class Alone(Up):
    """`touchpoints console`."""

    def __init__(self, *arguments):
        super().__init__(Path(arguments[-1]))
        self._given = list(map(str, arguments))

    def start(self):
        from tests.integration.serving import COMMAND, ROOT

        self.process = subprocess.Popen(
            [*COMMAND, "console", "--console-port", "0", *self._given],
            cwd=ROOT,
            env=environment() | self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.operations = re.search(r"console on (\S+),", self.process.stdout.readline())[1]
        return self
