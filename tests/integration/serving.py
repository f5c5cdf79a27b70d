"""`touchpoints` as its users have it: processes of their own, on free ports and temporary folders.

Nothing here imports the server; what a test learns, it learns over HTTP, from standard output, or
from the log as any reader would.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ROOT / "seeds"
COMMAND = (sys.executable, "-m", "pipeline.cli.main")

START_MAX = 60.0
"""Seconds within which a process has to listen; generous, since machines may be busy."""

SOON = 10.0
"""Seconds within which results have to come. The promise is 2; tests allow for a busy machine."""

_STARTED = re.compile(r"(?:listening|working) on (\S+), operations on (http://\S+)")


class Answer(NamedTuple):
    """What came back over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def environment() -> dict[str, str]:
    """Ours, without settings that a developer may have."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TOUCHPOINTS_") or name == "TOUCHPOINTS_PEER_DATA"
    }


def touchpoints(
    *arguments: object,
    timeout: float = 120,
    preexec: Callable[[], None] | None = None,
    variables: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=ROOT,
        env=environment() | dict(variables or {}),
        capture_output=True,
        text=True,
        timeout=timeout,
        preexec_fn=preexec,
        check=False,
    )


class Up:
    """`touchpoints up` on a folder; a context manager that ends it with SIGTERM.

    Attributes:
        url: Where touchpoints are sent, once started.
        operations: The operations port's address.
        said: Standard error, a file.
        variables: More of the environment, if set before it starts.
    """

    def __init__(
        self,
        data: Path,
        *,
        catalogue: Path = SEEDS,
        arguments: Sequence[object] = (),
        before: Sequence[str] = COMMAND,
        preexec: Callable[[], None] | None = None,
    ) -> None:
        self.data = data
        self.said = data.parent / f"{data.name}.stderr"
        self.url = self.operations = ""
        self.variables: dict[str, str] = {}
        self._command = [*before, "up", "--data", str(data), "--catalogue", str(catalogue)]
        self._command += ["--port", "0", "--console-port", "0", *map(str, arguments)]
        self._preexec = preexec
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Up":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> "Up":
        """Return once it listens; fails with what it said where it does not."""
        with self.said.open("a") as stderr:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=environment() | self.variables,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                preexec_fn=self._preexec,
            )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], START_MAX)
        line = self.process.stdout.readline() if ready else ""
        match = _STARTED.search(line)
        if match is None:
            self.kill()
            message = f"expected it to listen; found {line!r} and {self.said.read_text()}"
            raise AssertionError(message)
        self.url, self.operations = match[1], match[2]
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def stop(self) -> int:
        """SIGTERM, as a service manager would; gives the exit code. May be called twice."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def ended(self, timeout: float = SOON) -> int:
        """Wait for it to end by itself; gives the exit code."""
        assert self.process is not None
        try:
            self.process.wait(timeout)
        finally:
            self.kill()
        return self.process.returncode

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return self.process.returncode

    def post(self, items: object, path: str = "/v1/touchpoints", key: str = "shop") -> Answer:
        """Send bytes as they are, or anything else as JSON."""
        body = items if isinstance(items, bytes) else json.dumps(items).encode()
        headers = {"Content-Type": "application/json", "X-Write-Key": key}
        return fetch(self.url + path, body, headers)

    def tail(self, topic: str, *arguments: object) -> "Tail":
        """`touchpoints tail` beside it."""
        return Tail(self.data, topic, *arguments)


class Listen(Up):
    """`touchpoints listen` on a folder, publishing to brokers; otherwise as `Up`."""

    def __init__(
        self,
        data: Path,
        servers: str,
        *,
        arguments: Sequence[object] = (),
        before: Sequence[str] = COMMAND,
    ) -> None:
        super().__init__(data, before=before)
        self._command = [*before, "listen", "--data", str(data), "--bootstrap-servers", servers]
        self._command += ["--port", "0", "--console-port", "0", *map(str, arguments)]

    def metric(self, name: str) -> float:
        """A number of the operations port, by its name without prefix."""
        text = fetch(f"{self.operations}/metrics").body.decode()
        found = re.search(rf"^touchpoints_{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0


class Work(Up):
    """`touchpoints work` on the brokers of a settings file; otherwise as `Up`."""

    def __init__(self, settings: Path) -> None:
        super().__init__(settings)
        self._command = [*COMMAND, "work", "--settings", str(settings), "--catalogue", str(SEEDS)]


def fetch(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
    """One request; an error's answer is an answer, too."""
    request = urllib.request.Request(url, body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


class Tail:
    """`touchpoints tail` in a process of its own; a context manager.

    Attributes:
        records: What it printed so far, with the time at which each line was read.
    """

    def __init__(self, data: Path, topic: str, *arguments: object) -> None:
        self.records: list[tuple[float, dict[str, Any]]] = []
        self._process = subprocess.Popen(
            [*COMMAND, "tail", topic, "--data", str(data), *map(str, arguments)],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
        )
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Tail":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._thread.join(30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.records.append((time.monotonic(), json.loads(line)))

    def first(
        self, wanted: Callable[[dict[str, Any]], bool], within: float = SOON
    ) -> tuple[float, dict[str, Any]]:
        """The first record that is wanted, and when it was read; waits for it."""
        deadline = time.monotonic() + within
        while True:
            for at, record in tuple(self.records):
                if wanted(record):
                    return at, record
            if time.monotonic() > deadline:
                found = [record for _, record in self.records[-3:]]
                message = f"expected a record within {within:g} s; the last ones are {found}"
                raise AssertionError(message)
            time.sleep(0.02)


def records_of(data: Path, topic: str) -> list[dict[str, Any]]:
    """All of a topic, by `touchpoints tail --from-start`."""
    said = touchpoints(
        "tail", topic, "--data", data, "--from-start", "--count", 10**9, "--timeout", 0
    )
    assert said.returncode == 0, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


def latest(records: Iterable[dict[str, Any]], by: str) -> dict[str, dict[str, Any]]:
    """Each result's last revision, as a consumer that upserts by id has it."""
    held: dict[str, dict[str, Any]] = {}
    for record in records:
        before = held.get(record[by])
        if before is None or before["revision"] < record["revision"]:
            held[record[by]] = record
    return held


def eventually(condition: Callable[[], bool], within: float = 60.0) -> None:
    """Wait until something is true of another process."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"expected it within {within:g} s"
        time.sleep(0.05)
