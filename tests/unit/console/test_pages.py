"""What the pages say, and that nothing an emitter sends is anything but text in them."""

import csv
import io
import re
from datetime import timedelta
from random import Random

import msgspec
import pytest

from pipeline.console import downloads
from pipeline.console.matrix import heat, matrix_of
from pipeline.console.questions import Cast
from pipeline.console.standing import Process, Vitals
from schemas.letters import DeadLetter
from schemas.records import Reason
from tests.builders import RULES
from tests.unit.console.stores import (
    NOW,
    Kept,
    ago,
    alert,
    broken,
    everything,
    outcome,
    session,
    verdict,
    votes,
)

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE verdicts; --",
    "</title></style></textarea><svg onload=alert(1)>",
    "javascript:alert(1)",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe\N{POP DIRECTIONAL FORMATTING}",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "__proto__",
    "\x00\x1f\x7f",
    "=cmd|' /C calc'!A0",
    "x" * 10_000,
)
PAGES = (
    "/",
    "/missions",
    "/missions/{}",
    "/touchpoints",
    "/touchpoints/{}",
    "/pipeline",
    "/report",
    "/journeys/ann",
    "/incidents/a-1",
)
"""All of them; `{}` stands for what an emitter chose."""

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
ELEMENTS = """html head meta title link script body a header nav ul li p main section div h1 h2 h3
h4 header span strong form label input select option button table caption thead tbody tr th td b
time dl dd dt figure svg rect line polyline path text tspan ol i bdi article code footer
pre br details summary"""
"""What pages are made of; the script is our own, and counted."""


async def test_the_headline_says_what_breaks_whom_it_hits_and_what_they_do_instead(tmp_path):
    kept = Kept(tmp_path).keep(
        broken(),
        verdict("v-2", touchpoint="main-menu", occurred_at=ago(minutes=8)),
        outcome(ending="frustrated", broke_at="pay-online"),
        votes(8, 6, "pay-bill"),
        alert(),
    )

    shown = (await kept.page("/")).text

    assert "“Paying” is broken for “pay-bill”." in shown
    assert "it breaks for 75 % of visits, against 2 % usually; 6 customers hit" in shown
    assert "It has cost 1 mission worth 38 EUR." in shown
    assert "Most then went to “The menu when I ring” (1 of 1)." in shown


async def test_an_incident_that_is_over_is_not_called_broken(tmp_path):
    over = alert("resolved", version=2, resolved_at=ago(minutes=6))
    kept = Kept(tmp_path).keep(broken(), votes(8, 6), alert(), over)

    shown = (await kept.page("/")).text

    assert "Nothing is broken." in shown
    assert "“Paying” was broken for “pay-bill” from" in shown


async def test_an_alert_within_another_is_not_a_second_thing_that_is_broken(tmp_path):
    kept = Kept(tmp_path).keep(
        verdict(), votes(8, 6), alert(), alert(id="a-2", mission=None, within="a-1")
    )

    assert "things are broken" not in (await kept.page("/")).text


async def test_the_incident_page_has_the_evidence_and_the_way_customers_went(tmp_path):
    kept = Kept(tmp_path).keep(*everything())

    shown = (await kept.page("/incidents/a-1")).text

    assert "the server reported an error" in shown
    assert "Not seen again 1 100 %" in shown
    assert "20.0 14.0" in shown


async def test_the_release_that_is_to_blame_is_shown_where_the_alert_names_one(tmp_path):
    kept = Kept(tmp_path).keep(verdict(), alert())
    record = msgspec.json.decode(msgspec.json.encode(alert())) | {"shared": {"release": "5.2.0"}}
    kept.connection.execute("UPDATE alert_versions SET record = ?", (msgspec.json.encode(record),))

    assert "release 5.2.0" in (await kept.page("/incidents/a-1")).text


async def test_the_mission_page_counts_each_phase_and_each_way(tmp_path):
    kept = Kept(tmp_path).keep(
        outcome(),
        outcome("j-2", ending="frustrated", phases=("look",), broke_at="pay-online"),
        verdict(),
    )

    page = await kept.page("/missions/pay-bill")

    assert "2 journeys ended 50 % got what they came for" in page.text
    assert "look 2 100 % pay 1 50 % got it 1 50 %" in page.text
    ways = next(one for one in page.page.tables if one.name == "ways")
    assert [(row[0].value, row[1].value) for row in ways.rows] == [("view-bill > pay-online", 2)]


async def test_the_same_touchpoint_is_told_apart_by_mission(tmp_path):
    kept = Kept(tmp_path).keep(broken(), verdict("v-2", mission="read-up", verdict="excellent"))

    page = await kept.page("/touchpoints/pay-online")

    by_mission = next(one for one in page.page.tables if one.name == "missions")
    assert {row[0].value: row[2].value for row in by_mission.rows} == {
        "pay-bill": 1.0,
        "read-up": 0.0,
    }


async def test_what_customers_said_of_a_touchpoint_is_told_as_it_was_last_revised(tmp_path):
    def said(value, rule="answered_ces"):
        return (Reason(rule=rule, value=value),)

    kept = Kept(tmp_path).keep(
        verdict(reasons=said(2)),
        verdict(revision=2, reasons=said(6)),
        verdict("v-2", reasons=said(7)),
        verdict("v-3", mission="read-up", reasons=said(9, "answered_nps")),
    )

    whole = await kept.page("/touchpoints/pay-online")
    only = await kept.page("/touchpoints/pay-online", mission="pay-bill")

    def answers(page):
        table = next(one for one in page.page.tables if one.name == "answers")
        return [tuple(cell.value for cell in row) for row in table.rows]

    assert answers(whole) == [("ces", 2, 6.5), ("nps", 1, 9.0)]
    assert answers(only) == [("ces", 2, 6.5)]
    assert "How easy it was, from 1 to 7" in whole.text


async def test_one_customers_story_is_in_order_across_channels(tmp_path):
    kept = Kept(tmp_path).keep(
        verdict("v-2", channel="ivr", touchpoint="main-menu", session_id="s-2"),
        broken(occurred_at=ago(hours=1)),
        outcome(revision=3),
        session(),
        verdict("v-3", customer="bob", occurred_at=ago(hours=2)),
    )

    shown = (await kept.page("/journeys/ann")).text

    assert shown.index("Website") < shown.index("Phone menu")
    assert "the server reported an error" in shown
    assert "corrected 2 times" in shown
    assert "2 interactions by website, phone menu" in shown


def hostile(text):
    """One of everything, with the text in every field that an emitter may choose."""
    return (
        broken(
            "v-" + text, rule=text, touchpoint=text, mission=text, phase=text, step=text,
            session_id=text, journey_id=text,
        ),
        outcome(
            text, ending="frustrated", mission=text, broke_at=text, reason=text, segment=text,
            phases=(text,), microjourney=(text, text), currency=text, objectives={text: True},
        ),
        session(text, microjourney=(text,)),
        votes(4, 4, text, touchpoint=text),
        votes(4, 4, touchpoint=text),
        alert(
            touchpoint=text, mission=text, reasons={text: 1}, missions=(text,),
            touchpoints=("v-" + text,), sentence=text, shared={text: text},
        ),
        DeadLetter(
            id=text, source=text, reason=text, where=text, expected=text, found=text,
            received_at=NOW,
        ),
    )  # fmt: skip


def vitals_with(text):
    """What the pipeline says of itself, with the text wherever others choose one."""
    return Vitals(
        at=NOW,
        ready=True,
        received={text: 1},
        rejected={text: 1},
        accounts={text: (1, 1, 0, 0, 0, 0, 0, 0)},
        appended={text: 1},
        lags={text: 1},
        processes=(Process(address=text, problem=text), Process(address="http://a", works=True)),
    )


@pytest.mark.parametrize("text", HOSTILE)
async def test_whatever_an_emitter_sends_is_text_and_breaks_nothing(tmp_path, text):
    kept = Kept(tmp_path).keep(*hostile(text))
    kept.vitals = vitals_with(text)

    for path in PAGES:
        page = await kept.page(path.format(text))
        assert CONTROLS.search(page.text) is None, path
        assert len(page.text) < 30_000, path
        assert set(page.tags) <= set(ELEMENTS.split()), path
        assert page.tags.count("script") == 1
        names = {name for name, _ in page.attributes}
        assert not {name for name in names if name.startswith("on") or name == "style"}
        for name, value in page.attributes:
            if name in ("href", "src", "action"):
                assert value is not None
                assert value.startswith(("/", "#")), value
                assert not value.startswith("//"), value


async def test_no_cell_of_any_table_is_a_formula_when_a_spreadsheet_opens_it(tmp_path):
    text = "=cmd|' /C calc'!A0"
    kept = Kept(tmp_path).keep(*hostile(text))
    kept.vitals = vitals_with(text)

    tables = [
        table
        for path in PAGES
        for table in (await kept.page(path.format(text))).page.tables
        if table.rows
    ]
    cells = [
        cell
        for table in tables
        for row in csv.reader(io.StringIO(downloads.as_csv(table)))
        for cell in row
    ]

    assert len(tables) > 12
    assert any(text in cell for cell in cells)
    assert [cell for cell in cells if cell.lstrip()[:1] in ("=", "+", "@", "\t")] == []


async def test_a_name_of_ten_thousand_letters_does_not_fill_the_page(tmp_path):
    kept = Kept(tmp_path).keep(*hostile("x" * 10_000))

    assert len((await kept.page("/")).text) < 10_000


async def test_a_filter_may_hold_anything(tmp_path):
    kept = Kept(tmp_path).keep(*everything())

    for text in HOSTILE:
        page = await kept.page("/", q=text, mission=text, window=text)
        assert set(page.tags) <= set(ELEMENTS.split())


async def test_a_filter_finds_by_name_and_by_id(tmp_path):
    kept = Kept(tmp_path).keep(
        verdict(), votes(4, 0), votes(4, 0, touchpoint="main-menu"), votes(4, 0, touchpoint="talk")
    )

    by_name, by_id = await kept.page("/", q="MENU WHEN"), await kept.page("/", q="main-m")

    for page in (by_name, by_id):
        assert "The menu when I ring" in page.text
        assert "Talking to a person" not in page.text


def test_the_matrix_follows_the_way_of_the_mission():
    casts = [
        Cast(1, "paid", "pay-bill", 9, 0, 0),
        Cast(2, "view-bill", "pay-bill", 1, 0, 0),
        Cast(3, "talk", "pay-bill", 5, 1, 1),
        Cast(4, "pay-online", "pay-bill", 4, 0, 0),
    ]

    found = matrix_of(casts, RULES, "pay-bill", None)

    shown = [(group.name, [row.touchpoint for row in group.rows]) for group in found.groups]
    assert shown == [
        ("look", ["view-bill"]),
        ("pay", ["pay-online", "paid"]),
        ("No step of a mission", ["talk"]),
    ]


def test_of_many_touchpoints_those_that_break_most_stay_in_sight():
    chance = Random(1)
    casts = [Cast(n, f"t-{n}", "", 100, chance.randrange(50), 0) for n in range(1, 501)]

    found = matrix_of(casts, RULES, None, None)

    shown = {row.total.broken for group in found.groups for row in group.rows}
    assert found.hidden == 460
    assert min(shown) >= sorted((one.broken for one in casts), reverse=True)[39]


async def test_what_a_page_shows_of_a_window_is_of_that_window(tmp_path):
    old = {"occurred_at": NOW - timedelta(days=5)}
    kept = Kept(tmp_path).keep(verdict(), broken("v-2", **old))

    day, week = [
        (await kept.page("/touchpoints/pay-online", window=one)).text for one in ("24h", "7d")
    ]

    assert "the server reported" not in day.casefold()
    assert "the server reported" in week.casefold()


def test_a_share_of_few_visits_is_not_shaded_as_if_it_were_sure():
    assert heat(Cast(1, "talk", "", 2, 1, 1)) == "h2"
    assert heat(Cast(1, "talk", "", 200, 100, 100)) == "h5"
    assert heat(Cast(1, "talk", "", 200, 0, 0)) == "h0"


async def test_a_touchpoint_that_nobody_reaches_is_said_to_be_silent(tmp_path):
    silent = alert(kind="silent", votes=20, present_share=0.0, customers=0, mission=None)
    kept = Kept(tmp_path).keep(verdict(), votes(4, 0), silent)

    now, incident = await kept.page("/"), await kept.page("/incidents/a-1")

    assert "“Paying” is broken: nobody reaches it any more." in now.text
    assert "nobody comes, where 20 visits were to be expected" in now.text
    assert "20 visits were to be expected in this time" in incident.text
    assert "customers hit" not in now.text


async def test_of_a_silent_source_it_is_not_said_that_its_minutes_were_once_kept(tmp_path):
    silent = alert(
        kind="silent", touchpoint="source shop", mission=None, votes=20, customers=0, touchpoints=()
    )
    kept = Kept(tmp_path).keep(verdict(), votes(9, 0, touchpoint="source shop"), silent)

    page = await kept.page("/incidents/a-1")

    assert "not kept any more" not in page.text
    assert "What a source sends is counted at the touchpoints it is about" in page.text
