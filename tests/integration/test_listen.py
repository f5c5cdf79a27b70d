"""`touchpoints listen` as a process, with brokers that are not there: no broker is needed here."""

from urllib.error import URLError

import pytest

from tests.integration.failing import launcher
from tests.integration.serving import Listen, fetch, touchpoints
from tests.unit.listeners.publishers.spools import Bench

NOWHERE = "127.0.0.1:1"
"""An address at which no broker ever is."""


def item(number):
    return {
        "id": f"t-{number}",
        "channel": "web",
        "name": "home",
        "occurred_at": "2026-11-22T10:00:00Z",
        "identifiers": {"anonymous_id": "a-1"},
    }


async def ids_in_spool(folder):
    held = await Bench(folder).held()
    return [one.value.decode().split('"id":"')[1].split('"')[0] for one in held]


async def test_without_brokers_it_starts_says_so_once_and_answers_200_from_the_spool(tmp_path):
    with Listen(tmp_path / "data", NOWHERE) as listen:
        answers = [listen.post(item(number)) for number in range(5)]
        live = [fetch(f"{listen.url}{path}").status for path in ("/healthz", "/readyz")]
        live += [fetch(f"{listen.operations}{path}").status for path in ("/healthz", "/readyz")]
        spooled, size = listen.metric("spooled_total"), listen.metric("spool_bytes")
        code = listen.stop()

    said = listen.said.read_text()
    assert [answer.status for answer in answers] == [200] * 5
    assert live == [200] * 4
    assert spooled == 5
    assert size > 0
    assert code == 0
    assert said.count("no broker answers") == 1
    assert said.count("WARNING") == 1
    assert await ids_in_spool(tmp_path / "data") == [f"t-{number}" for number in range(5)]


async def test_what_was_acknowledged_before_a_kill_9_is_in_the_spool(tmp_path):
    for one in range(3):
        listen = Listen(tmp_path / "data", NOWHERE).start()
        assert listen.post([item(10 * one), item(10 * one + 1)]).status == 200
        listen.kill()

    assert await ids_in_spool(tmp_path / "data") == ["t-0", "t-1", "t-10", "t-11", "t-20", "t-21"]


def test_a_full_spool_answers_503_with_retry_after_and_is_not_ready(tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text("spool_bytes_max = 200000\n")
    with Listen(tmp_path / "data", NOWHERE, arguments=["--settings", settings]) as listen:
        large = {**item(1), "properties": {"note": "x" * 20_000}}
        answers = [listen.post(large) for _ in range(12)]
        ready = fetch(f"{listen.url}/readyz").status
        operations = fetch(f"{listen.operations}/readyz")
        alive = fetch(f"{listen.operations}/healthz").status
        refused = listen.metric('spool_refused_total{limit="spool_bytes_max"}')

    assert [answer.status for answer in answers[:2] + answers[-2:]] == [200, 200, 503, 503]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert (ready, operations.status, alive) == (503, 503, 200)
    assert "spool_bytes_max" in operations.json["reason"]
    assert refused >= 2


def test_a_second_process_on_the_same_spool_gets_one_clear_message(tmp_path):
    with Listen(tmp_path / "data", NOWHERE):
        second = touchpoints(
            "listen", "--bootstrap-servers", NOWHERE, "--data", tmp_path / "data", "--port", 0
        )

    assert second.returncode == 1
    last = second.stderr.splitlines()[-1]
    assert last.startswith("touchpoints: ")
    assert "another process is using this spool" in last
    assert "--data" in last


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--bootstrap-servers"),
        (("--bootstrap-servers", "kafka-1"), 'found "kafka-1"'),
        (("--bootstrap-servers", NOWHERE, "--data", "pyproject.toml"), "--data"),
        (("--bootstrap-servers", NOWHERE, "--console-port", "x"), "a port"),
    ],
)
def test_used_wrongly_it_says_how_to_use_it(tmp_path, arguments, said):
    result = touchpoints("listen", "--data", tmp_path, *arguments)

    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


async def test_a_failed_fsync_of_the_spool_ends_the_process_with_its_message(tmp_path):
    broken = tmp_path / "broken"
    before = launcher(broken, "listeners.publishers.spool", "Spool")
    listen = Listen(tmp_path / "data", NOWHERE, before=before).start()
    assert listen.post([item(1)]).status == 200

    broken.touch()
    refused = listen.post([item(2)])
    code = listen.ended()

    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert code == 1
    assert listen.said.read_text().splitlines()[-1] == (
        f"touchpoints: {listen.data}/spool.db: the database answered disk I/O error "
        "(SQLITE_IOERR_FSYNC). Nothing more is accepted, and all that was acknowledged before is "
        "kept. Check the disk, then start again."
    )
    assert await ids_in_spool(tmp_path / "data") == ["t-1"]


def test_the_operations_port_binds_where_it_is_told_and_nowhere_else(tmp_path):
    given = ["--console-host", "127.0.0.2"]
    with Listen(tmp_path / "data", NOWHERE, arguments=given) as listen:
        metrics = fetch(f"{listen.operations}/metrics").status
        with pytest.raises(URLError, match="refused"):
            fetch(f"{listen.operations.replace('127.0.0.2', '127.0.0.1')}/metrics")

    assert listen.operations.startswith("http://127.0.0.2:")
    assert metrics == 200
