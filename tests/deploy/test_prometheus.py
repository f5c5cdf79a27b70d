"""A real Prometheus and a real Alertmanager over a running `up`: the demo's break, and its end.

Their configuration is the shipped one; addresses and intervals alone are changed.
"""

import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.demo.day import day
from tests.integration.serving import Up, eventually, fetch

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
BATCH = 500


def binary(*names: str) -> str:
    for name in names:
        if (found := shutil.which(name)) is not None:
            return found
    pytest.skip(f"no {names[0]} on the PATH: Debian has it in the package {names[0]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Webhook:
    """A chat tool: takes what Alertmanager sends, and keeps it."""

    def __init__(self) -> None:
        self.messages: list[dict] = []
        messages = self.messages

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                messages.append(json.loads(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> "Webhook":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def told(self, status: str) -> list[dict]:
        return [
            alert
            for message in self.messages
            for alert in message["alerts"]
            if alert["status"] == status
        ]


@contextmanager
def running(folder: Path, command: list[str], ready: str):
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("w") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
    try:
        eventually(lambda: answers(ready) or process.poll() is not None, 30)
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)


def answers(url: str) -> bool:
    try:
        return fetch(url).status == 200
    except (OSError, urllib.error.URLError):
        return False


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """The shipped text with each change made; one that finds nothing to change fails."""
    for pattern, by in changes:
        text, count = re.subn(pattern, by, text)
        assert count, pattern
    return text


@contextmanager
def alerting(folder: Path, webhook: Webhook):
    """Alertmanager as shipped, telling the webhook; yields its address."""
    port = free_port()
    (folder / "alertmanager.yml").write_text(
        replaced(
            (DEPLOY / "alertmanager" / "alertmanager.yml").read_text(),
            ("# webhook_configs:", "webhook_configs:"),
            (r"https://chat\.example/\S+(?=\")", webhook.url),
            ("group_wait: 30s", "group_wait: 1s"),
            ("group_interval: 5m", "group_interval: 1s"),
        )
    )
    command = [
        binary("prometheus-alertmanager", "alertmanager"),
        "--config.file=alertmanager.yml",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with running(folder, command, f"http://127.0.0.1:{port}/-/ready"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def watched(folder: Path, up: Up, webhook: Webhook):
    """Prometheus and Alertmanager as shipped, for this `up`; yields Prometheus' address."""
    prometheus, port = binary("prometheus"), free_port()
    shutil.copy(DEPLOY / "prometheus" / "rules.yml", folder)
    with ExitStack() as stack:
        told = stack.enter_context(alerting(folder, webhook))
        (folder / "prometheus.yml").write_text(
            replaced(
                (DEPLOY / "prometheus" / "prometheus.yml").read_text(),
                (r"targets: \[\]", f'targets: ["{up.operations.removeprefix("http://")}"]'),
                ("alertmanager:9093", told.removeprefix("http://")),
                ("(scrape|evaluation)_interval: 15s", r"\1_interval: 1s"),
            )
        )
        stack.enter_context(
            running(
                folder,
                [
                    prometheus,
                    "--config.file=prometheus.yml",
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                f"http://127.0.0.1:{port}/-/ready",
            )
        )
        yield f"http://127.0.0.1:{port}"


def asked(prometheus: str, expression: str) -> list[dict]:
    quoted = urllib.parse.quote(expression)
    return fetch(f"{prometheus}/api/v1/query?query={quoted}").json["data"]["result"]


def send(up: Up, lines: list[bytes]) -> None:
    for start in range(0, len(lines), BATCH):
        body = b"[" + b",".join(lines[start : start + BATCH]) + b"]"
        assert up.post(body).status == 200


def accepted(prometheus):
    return [one["value"][1] for one in asked(prometheus, 'touchpoints_accounted{entry="accepted"}')]


NOTHING_TO_SHOW = {
    # One process has no spool before Kafka, and owns all partitions without saying so.
    "Oldest in a spool",
    "Spool",
    "Into the spool, and out of it",
    "Partitions owned",
    "Partitions taken over",
    "States being read",
    # Nothing failed, was refused or reached a limit.
    "Refused",
    "Limits reached",
    "Failures",
}
"""Panels that stay empty while one process gets the demo's day, and should."""


def showing(prometheus: str) -> set[str]:
    """The panels of both dashboards of which any expression returns figures now."""
    return {
        panel["title"]
        for path in DASHBOARDS
        for panel in json.loads(path.read_text())["panels"]
        for target in panel.get("targets", [])
        for one in asked(prometheus, re.sub(r"\$(touchpoint|mission)", ".*", target["expr"]))
        if one["value"][1] != "NaN"
    }


def panels() -> set[str]:
    """Titles of the panels that ask anything."""
    return {
        panel["title"]
        for path in DASHBOARDS
        for panel in json.loads(path.read_text())["panels"]
        if panel.get("targets")
    }


def test_the_demos_break_fires_in_prometheus_ends_after_the_repair_and_chat_hears_both(
    tmp_path, capsys
):
    binary("prometheus"), binary("prometheus-alertmanager", "alertmanager")
    now = datetime.now(UTC)  # noqa: TID251 - the server's clock, too
    told = day(1, now)
    until = (told.broken.ends_at - timedelta(minutes=30)).isoformat()
    parts = [], []
    for line in told.lines:
        parts[json.loads(line)["occurred_at"] >= until].append(line)
    firing = {"touchpoint": told.broken.touchpoint, "mission": told.broken.mission}

    with Webhook() as chat, Up(tmp_path / "data") as up, watched(tmp_path, up, chat) as prometheus:
        send(up, parts[0])
        sent_at = time.monotonic()
        eventually(lambda: chat.told("firing"), 60)
        fired_after = time.monotonic() - sent_at
        alerts = asked(prometheus, 'ALERTS{alertstate="firing"}')
        shown = showing(prometheus)
        send(up, parts[1])
        sent_at = time.monotonic()
        eventually(lambda: chat.told("resolved"), 60)
        resolved_after = time.monotonic() - sent_at
        eventually(lambda: accepted(prometheus) == [str(len(told.lines))], 60)  # scraped since

        def all_show() -> bool:
            shown.update(showing(prometheus))
            return shown >= panels() - NOTHING_TO_SHOW

        with suppress(AssertionError):  # which would not say what is missing
            eventually(all_show, 20)
        left = asked(prometheus, 'ALERTS{alertname="TouchpointBroken"}')
        unaccounted = asked(prometheus, "sum(abs(touchpoints_unaccounted))")

    assert {(one["metric"]["alertname"], one["metric"]["severity"]) for one in alerts} == {
        ("TouchpointBroken", "page")
    }
    for one in (*chat.told("firing"), *chat.told("resolved")):
        assert firing.items() <= one["labels"].items()
        assert told.broken.touchpoint in one["annotations"]["summary"]
    assert left == []
    assert panels() - shown == NOTHING_TO_SHOW
    assert [one["value"][1] for one in unaccounted] == ["0"]
    with capsys.disabled():
        print(  # noqa: T201
            f"\nfrom the last post to the chat tool: firing {fired_after:.1f} s, "
            f"resolved {resolved_after:.1f} s",
            end="",
        )


def test_trouble_of_the_pipeline_silences_touchpoints_and_a_whole_touchpoint_its_missions(tmp_path):
    def one(name: str, **labels: str) -> dict:
        return {"labels": {"alertname": name, **labels}}

    whole = one("TouchpointBroken", kind="touchpoint", touchpoint="pay", mission="all")
    part = one("TouchpointBroken", kind="touchpoint", touchpoint="pay", mission="pay-bill")
    other = one("TouchpointBroken", kind="touchpoint", touchpoint="chat", mission="pay-bill")
    late = one("PartitionBehind", kind="pipeline", severity="page")

    def silent(alertmanager: str) -> set[tuple[str, str]]:
        found = fetch(f"{alertmanager}/api/v2/alerts?inhibited=true&active=false").json
        return {
            (alert["labels"].get("touchpoint", ""), alert["labels"].get("mission", ""))
            for alert in found
        }

    def tell(alertmanager: str, *alerts: dict) -> None:
        headers = {"Content-Type": "application/json"}
        body = json.dumps(alerts).encode()
        assert fetch(f"{alertmanager}/api/v2/alerts", body, headers).status == 200

    with Webhook() as chat, alerting(tmp_path, chat) as alertmanager:
        tell(alertmanager, whole, part, other)
        eventually(lambda: silent(alertmanager) == {("pay", "pay-bill")}, 20)
        tell(alertmanager, late)
        everything = {("pay", "pay-bill"), ("pay", "all"), ("chat", "pay-bill")}
        eventually(lambda: silent(alertmanager) == everything, 20)
