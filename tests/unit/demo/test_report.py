"""The report on the demo's day: the touchpoint that breaks comes first, with what it cost."""

import re
from functools import cache
from pathlib import Path

import pytest

from pipeline.catalogue.files import load
from pipeline.demo.day import Day, day
from pipeline.reporting.report import AtMission, Report
from pipeline.reporting.text import text_of
from schemas.records import Touchpoint
from tests.unit.demo.test_day import ENDS_AT, SEEDS, received
from tests.unit.reporting.reports import at_mission, reported

RULES = load(SEEDS)
PAID = RULES.missions.all["pay-bill"].completes
DOCUMENT = Path(__file__).parents[3] / "docs/report.md"


@cache
def told(seed: int) -> tuple[Day, Report]:
    one = day(seed, ENDS_AT, 600)
    return one, reported([received(line) for line in one.lines], RULES)


def shown(one: Touchpoint) -> str:
    return RULES.inventory.touchpoint_of(one.channel, one.name, one.location, one.intent)


def truth(one: Day) -> tuple[int, int]:
    """Stories that came to pay in the app and met a break there, and those of them that never
    ended in a payment: read off the day's lines, without any of the pipeline."""
    stories: dict[str, list[Touchpoint]] = {}
    for line in one.lines:
        touchpoint = received(line)
        stories.setdefault(touchpoint.id.rpartition("-")[0], []).append(touchpoint)
    broken = [
        those
        for those in stories.values()
        if any(shown(o) == "pay-in-app" and {"http_5xx", "timeout"} & {*o.signals} for o in those)
    ]
    lost = [those for those in broken if not any(shown(o) in PAID for o in those)]
    return len(broken), len(lost)


def broke(seed: int) -> tuple[Day, Report, AtMission]:
    one, report = told(seed)
    return one, report, at_mission(report, one.broken.touchpoint, one.broken.mission)


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_touchpoint_that_breaks_is_named_first(seed):
    one, report, _ = broke(seed)

    name = RULES.inventory.entries[one.broken.touchpoint].name
    assert report.improve[0] == one.broken.touchpoint
    assert report.headline.startswith(f"Mend “{name}” first")
    assert f"“{RULES.missions.all[one.broken.mission].title}”" in report.explanation


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_missions_and_the_value_that_it_cost_are_those_of_the_day(seed):
    one, _, found = broke(seed)
    broken, lost = truth(one)

    assert lost > 20
    assert (found.broken.part, found.lost.part) == (broken, lost)
    assert found.value_lost is not None
    assert found.value_lost.amount == pytest.approx(lost * 38.5)
    assert found.value_lost.currency == "EUR"


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_drop_is_certain_and_mending_it_would_save_about_what_was_lost(seed):
    one, _, found = broke(seed)
    _, lost = truth(one)

    assert found.certain
    assert found.cost is not None
    assert found.cost.low < lost <= found.cost.high
    assert found.reasons[0].word == "http_5xx"
    assert {"left", "call-care"} == {way.word for way in found.instead[:2]}


def test_nothing_else_of_the_day_is_certain_to_cost_missions():
    _, report = told(1)

    certain = {
        (one.touchpoint, at.mission)
        for one in report.touchpoints
        for at in one.missions
        if at.certain and at.lost.part
    }

    assert certain == {("pay-in-app", "pay-bill")}


@pytest.mark.parametrize("seed", range(1, 4))
def test_the_missions_end_as_the_day_says(seed):
    one, report = told(seed)

    found = {
        mission.mission: {
            "completed": mission.completed.part,
            "frustrated": mission.frustrated,
            "abandoned": mission.abandoned,
        }
        for mission in report.missions
    }

    assert found == {
        name: {word: outcomes.get(word, 0) for word in ("completed", "frustrated", "abandoned")}
        for name, outcomes in one.journeys.items()
    }
    assert report.customers == one.customers


def test_the_example_of_the_document_is_what_the_report_says():
    _, report = told(1)
    text = text_of(report, RULES)

    pieces = re.findall(r"```text\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)

    assert len(pieces) > 1
    for piece in pieces:
        assert piece in text, f"docs/report.md shows another text; the report says:\n{text}"
