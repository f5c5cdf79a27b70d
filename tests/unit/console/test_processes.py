"""What listeners and workers elsewhere say of themselves, and what the pages make of it."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry, generate_latest

from listeners.errors import Reason
from listeners.telemetry import Telemetry
from pipeline.books import Account, Books
from pipeline.console.processes import Processes, machines_of, samples_of, vitals_of
from pipeline.console.rendering import Key, Renderer
from pipeline.console.standing import standing_of
from pipeline.console.store import milliseconds
from pipeline.settings import ConsoleSettings
from pipeline.telemetry import PipelineTelemetry
from schemas.topics import CUSTOMER_TOUCHPOINTS, TOUCHPOINTS
from tests.builders import RULES
from tests.unit.console.stores import CAUGHT_UP, NOW, Kept, Read, verdict


def listener(*, accepted=5, refused=2, ready=True):
    registry = CollectorRegistry()
    told = Telemetry(registry)
    told.touchpoint_received("web", accepted)
    told.touchpoint_rejected(Reason.FIELD_INVALID, "shop", refused)
    if not ready:
        told.publisher_unavailable("the disk is full")
    return generate_latest(registry).decode()


def worker(partition=0, *, account=None, lags=None, owned=1, processed_at=NOW):
    registry = CollectorRegistry()
    told = PipelineTelemetry(registry)
    if owned:
        books = Books({"shop": account or Account()})
        told.partition_stands("stitch", partition, books, NOW)
    told.partitions_owned({"stitch": owned})
    told.lag_is(lags or {})
    told.cycle_committed(
        appended={}, published=0, processed=1, now=processed_at, seconds=0.1, commit_seconds=0.1
    )
    return generate_latest(registry).decode()


def together(**said):
    return vitals_of({name: samples_of(text) for name, text in said.items()}, NOW)


def said(vitals):
    return standing_of(milliseconds(NOW), CAUGHT_UP, vitals, NOW)


def test_what_several_processes_say_is_added_up():
    account = Account(accepted=4, taken=4, sent=4, arrived=4, results=3, repeated=1)
    found = together(
        one=listener(accepted=5),
        two=listener(accepted=7),
        three=worker(0, account=account, lags={(TOUCHPOINTS, 0): 2, (CUSTOMER_TOUCHPOINTS, 0): 1}),
        four=worker(1, account=account, lags={(TOUCHPOINTS, 1): 3}),
    )

    assert found.received["web"] == 12
    assert found.rejected["field_invalid"] == 4
    assert found.accounts == {"shop": (8, 6, 0, 2, 0, 0, 0, 0)}
    assert found.lags == {TOUCHPOINTS: 5, CUSTOMER_TOUCHPOINTS: 1}
    assert found.backlog == 5
    assert [one.works for one in found.processes] == [False, False, True, True]
    assert said(found).level == "fine"


def test_a_touchpoint_that_is_missing_is_missing_whichever_partition_misses_it():
    lost = Account(accepted=4, taken=4, sent=4, arrived=4, results=3)
    found = together(one=worker(0, account=lost), two=worker(1, account=lost))

    assert found.accounts["shop"][-1] == 2


def test_a_process_that_does_not_answer_is_said_and_never_all_fine():
    found = vitals_of(
        {"http://a": samples_of(worker()), "http://b": "does not answer: refused"}, NOW
    )

    assert said(found).sentence == (
        "Not all of the pipeline works: of 2 processes 1 does not answer: refused (http://b)."
    )
    assert not said(found).trusted


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"a": worker(owned=0)}, "no worker owns a partition"),
        ({"a": worker(), "b": listener(ready=False)}, "of 2 processes 1 cannot make records"),
    ],
    ids=["no partition", "no publisher"],
)
def test_what_keeps_the_pipeline_from_working_is_said(told, sentence):
    assert sentence in said(together(**told)).sentence


def test_what_is_no_metric_at_all_is_an_error_and_no_figure():
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words
        samples_of("<html>it is a page</html>")


async def served(answer):
    routes = web.Application()
    routes.router.add_get("/metrics", answer)
    server = TestServer(routes)
    await server.start_server()
    return server, str(server.make_url("")).rstrip("/")


async def test_each_is_asked_at_its_port_and_one_that_hangs_holds_up_nobody(monkeypatch):
    monkeypatch.setattr("pipeline.console.processes.ANSWER_MAX", 0.2)

    async def hangs(_):
        await asyncio.sleep(60)

    async def answers(_):
        return web.Response(text=worker())

    async def moved(_):
        return web.Response(status=302, headers={"Location": "http://elsewhere.example/"})

    servers = [await served(one) for one in (hangs, answers, moved)]
    heard = asyncio.Queue()
    asked = Processes([address for _, address in servers], heard.put_nowait, lambda: NOW)
    asking = asyncio.create_task(asked.run())
    try:
        found = await heard.get()
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        for server, _ in servers:
            await server.close()

    problems = [one.problem for one in found.processes]
    assert problems == ["does not answer within 0.2 s", "", "answers 302"]


async def test_metrics_that_are_not_understood_end_nothing(monkeypatch):
    monkeypatch.setattr("pipeline.console.processes.ASK_EVERY", 0.01)
    told = ["touchpoints_lag_records 1\n", worker()]

    async def answers(_):
        return web.Response(text=told.pop(0) if len(told) > 1 else told[0])

    server, address = await served(answers)
    heard = asyncio.Queue()
    asking = asyncio.create_task(Processes([address], heard.put_nowait, lambda: NOW).run())
    try:
        async with asyncio.timeout(20):
            found = await heard.get()
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await server.close()

    assert found.processes[0].works


async def test_a_name_of_several_machines_stands_for_each_and_one_that_is_unknown_for_itself(
    monkeypatch,
):
    async def found(host, port, **_):
        if host != "work":
            raise OSError
        return [(0, 0, 0, "", (one, port)) for one in ("10.0.0.2", "10.0.0.1", "10.0.0.2")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)

    assert await machines_of("http://work:8081") == ["http://10.0.0.1:8081", "http://10.0.0.2:8081"]
    assert await machines_of("http://nowhere:8081") == ["http://nowhere:8081"]
    assert await machines_of("https://work:8081") == ["https://work:8081"]


def test_touchpoints_that_wait_while_nothing_moves_are_a_standstill():
    clock = [NOW]
    asked = Processes([], lambda _: None, lambda: clock[0])
    stuck = together(one=worker(lags={(TOUCHPOINTS, 0): 9}, processed_at=NOW - timedelta(hours=1)))

    sentences = []
    for seconds in (0, 30, 61):
        now = NOW + timedelta(seconds=seconds)
        vitals = vitals_of({"a": samples_of(worker(lags={(TOUCHPOINTS, 0): 9}))}, now)
        waited = asked._waited(vitals, now)
        sentences.append(standing_of(milliseconds(now), CAUGHT_UP, waited, now).sentence)

    assert sentences[:2] == ["", ""]
    assert sentences[2].startswith("The pipeline stands still: 9 touchpoints wait")
    # What has waited since before the console began is not known; a moment's backlog is no stop.
    assert asked._waited(stuck, NOW).lag == 0.0


async def test_the_page_shows_who_was_asked_the_lag_and_the_ledger(tmp_path):
    Kept(tmp_path).keep(verdict())
    renderer = Renderer(tmp_path, RULES, lambda: CAUGHT_UP, lambda: NOW)
    account = Account(accepted=4, taken=4, sent=4, arrived=4, results=4)
    renderer.vitals = together(
        one=listener(), two=worker(account=account, lags={(TOUCHPOINTS, 0): 2})
    )
    try:
        made = await renderer.rendered(Key("/pipeline", (), operator=True))
    finally:
        renderer.close()

    tables = {one.name: one for one in made.page.tables}
    assert [row[0].value for row in tables["lags"].rows] == [TOUCHPOINTS]
    assert [(row[0].value, row[1].value) for row in tables["ledger"].rows] == [("shop", 4)]
    assert [row[1].value for row in tables["processes"].rows] == ["listens", "works"]
    assert [(row[0].value, row[1].value) for row in tables["rejected"].rows] == [
        ("field_invalid", 2)
    ]
    assert (
        "As 2 processes said of themselves"
        in Read("".join(one.content for one in made.page.sections)).text
    )


async def test_the_page_follows_lag_and_processes_though_no_result_comes(tmp_path):
    Kept(tmp_path).keep(verdict())
    renderer = Renderer(tmp_path, RULES, lambda: CAUGHT_UP, lambda: NOW)
    key = Key("/pipeline", (), operator=True)
    try:
        renderer.vitals = together(one=worker(lags={(CUSTOMER_TOUCHPOINTS, 0): 0}))
        await renderer.look()
        await renderer.rendered(key)

        for told in (
            {"one": worker(lags={(CUSTOMER_TOUCHPOINTS, 0): 901_234})},
            {"one": worker(lags={(CUSTOMER_TOUCHPOINTS, 0): 901_234}), "901,234-joins": listener()},
        ):
            renderer.vitals = together(**told)
            assert await renderer.look()
            assert not await renderer.look()
            made = await renderer.rendered(key)
            shown = "".join(str(section.content) for section in made.page.sections)
            assert all(name in shown for name in ("901,234", *told))
    finally:
        renderer.close()


async def test_a_console_that_asks_nobody_does_not_say_that_the_pipeline_runs(tmp_path):
    kept = Kept(tmp_path).keep(verdict())

    shown = (await kept.page("/pipeline")).text

    assert "Results are read." in shown
    assert "The pipeline is running" not in shown
    assert "cannot tell how listeners and workers stand" in shown


@pytest.mark.parametrize("address", ["10.0.0.5:8081", "ftp://a", "http://", "/metrics"])
def test_an_address_that_is_none_is_refused_by_the_settings(address):
    with pytest.raises(ValueError, match="expected an address such as http"):
        ConsoleSettings(operations=(address,))
