"""A catalogue tried on a log: what would change, and examples of it."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from pipeline.backtest.differences import Differences, OfMission, differences
from pipeline.backtest.sides import both
from pipeline.backtest.text import text_of
from pipeline.cli.main import main
from pipeline.stitching.inventory import Inventory, Sign
from pipeline.stitching.missions import Mission, Missions
from pipeline.stitching.rules import AlertRules, Rules, SessionRule, VerdictRules
from schemas.records import Touchpoint
from tests.builders import GET_HELP, PAY_BILL, RULES, engine, touchpoint
from tests.unit.reporting.reports import pays

SEEDS = Path(__file__).parents[3] / "seeds"


def with_mission(**changed) -> Rules:
    mission: Mission = msgspec.structs.replace(PAY_BILL, **changed)
    return msgspec.structs.replace(RULES, missions=Missions((mission, GET_HELP)))


def tried(touchpoints: list[Touchpoint], new: Rules, old: Rules = RULES) -> Differences:
    return differences(*both(touchpoints, engine(old), engine(new)))


def of(found: Differences, mission: str) -> OfMission:
    return next(one for one in found.missions if one.mission == mission)


def test_the_same_catalogue_changes_nothing_and_says_so():
    found = tried([*pays("anna"), *pays("ben", "10:00", "http_5xx")], RULES)

    assert found.nothing
    assert text_of(found, "old", "new") == (
        "6 interactions, under old and under new\n\nNothing would change.\n"
    )


def test_an_outcome_that_changes_is_counted_with_its_touchpoints_and_the_rules_that_decide():
    told = pays("anna", until="view-bill")
    told.append(touchpoint("12:30", name="pay-online", user_id="anna"))
    told.append(touchpoint("12:31", name="seen", location="/paid", user_id="anna"))
    patient = with_mission(patience=timedelta(hours=3))

    changes = of(tried(told, patient), "pay-bill")

    assert changes.outcomes_before == {"abandoned": 1}
    assert changes.outcomes_after == {"completed": 1}
    (change,) = changes.outcomes
    assert (change.before, change.after, change.count) == ("abandoned", "completed", 1)
    (example,) = change.examples
    assert example.id == tuple(one.ref for one in told)
    assert (example.why_before, example.why_after) == ("silence", "completing_touchpoint")


def test_a_verdict_that_changes_is_shown_with_the_touchpoint_and_both_reasons():
    told = [
        touchpoint("10:00", name="view-bill", user_id="anna"),
        touchpoint("10:02", name="asked", channel="survey", rating=("ces", 4), user_id="anna"),
    ]
    strict = msgspec.structs.replace(RULES, verdicts=VerdictRules(ces_broken_max=4))

    changes = of(tried(told, strict), "pay-bill").verdicts

    (change,) = changes
    assert (change.before, change.after, change.count) == ("functional", "broken", 1)
    (example,) = change.examples
    assert example.id == (told[0].ref,)
    assert (example.why_before, example.why_after) == ("answered_ces 4", "answered_ces 4")


def test_sessions_that_would_be_cut_otherwise_are_told():
    told = [touchpoint("10:00", user_id="anna"), touchpoint("10:20", user_id="anna")]
    short = msgspec.structs.replace(
        RULES, sessions={**RULES.sessions, "web": SessionRule(gap=timedelta(minutes=5))}
    )

    sessions = tried(told, short).sessions

    assert (sessions.before, sessions.after) == (1, 2)
    assert (sessions.gone, sessions.new, sessions.cut_otherwise) == (0, 1, 1)
    assert sessions.examples[0].before == "2 touchpoints until 10:20:00"


def test_an_interaction_recognised_as_another_touchpoint_is_told():
    entries = list(RULES.inventory.entries.values())
    entries[0] = msgspec.structs.replace(entries[0], signs=(Sign(name="page_view"),))
    wider = msgspec.structs.replace(RULES, inventory=Inventory(tuple(entries)))

    found = tried([touchpoint("10:00", user_id="anna")], wider)

    (change,) = found.recognised
    assert (change.before, change.after, change.count) == ("other", "view-bill", 1)


def test_interactions_that_go_to_another_mission_are_told_as_moved():
    told = pays("anna", until="view-bill")
    elsewhere = with_mission(starts=("pay-online",))

    found = tried(told, elsewhere)

    assert (of(found, "pay-bill").moved, of(found, "get-help").moved) == (-1, 1)
    assert "1 interactions fewer than now" in text_of(found, "old", "new")


def failing(count: int) -> list[Touchpoint]:
    told = [one for n in range(count) for one in pays(f"b{n}", "10:00", "http_5xx")]
    return sorted(told, key=lambda one: (one.occurred_at, one.id))


def test_an_alert_that_only_one_catalogue_raises_is_raised_or_gone():
    deaf = msgspec.structs.replace(RULES, alerts=AlertRules(customers_min=1000))

    gone, raised = tried(failing(40), deaf), tried(failing(40), RULES, deaf)

    assert {one.mission for one in gone.gone} == {"pay-bill"}
    assert (gone.raised, gone.moved) == ((), ())
    assert {one.touchpoint for one in raised.raised} == {"pay-online"}
    assert raised.gone == ()


def test_an_alert_that_fires_otherwise_is_moved_not_gone_and_raised():
    bold = msgspec.structs.replace(RULES, alerts=AlertRules(usual_share=0.01))

    found = tried(failing(40), bold)

    assert (found.raised, found.gone) == ((), ())
    assert {one.before.mission for one in found.moved} == {"pay-bill"}
    assert found.moved[0].before.sentence != found.moved[0].after.sentence


def test_an_alert_that_fires_minutes_later_is_still_the_same_one():
    told = [
        touchpoint(f"10:{n:02}", "http_5xx", name="pay-online", user_id=f"b{n}", intent="bill")
        for n in range(40)
    ]
    slower = msgspec.structs.replace(RULES, alerts=AlertRules(usual_share=0.1))

    found = tried(told, slower)

    assert (found.raised, found.gone) == ((), ())
    assert {one.before.mission for one in found.moved} == {"pay-bill"}


def test_the_most_frequent_change_comes_first_with_three_examples_the_earliest_first():
    told = [one for n in range(5) for one in pays(f"c{n}", f"{10 + n}:00")]
    never = with_mission(completes=("paid-in-app",))

    (change, *_) = of(tried(told, never), "pay-bill").outcomes

    assert change.count == 5
    began = [example.id[0].partition("/")[2][:5] for example in change.examples]
    assert began == ["10:00", "11:00", "12:00"]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The telecom's catalogue with more patience for those who pay."""
    shutil.copytree(SEEDS, tmp_path / "tried", ignore=shutil.ignore_patterns("bank"))
    mission = tmp_path / "tried/missions/pay-bill.toml"
    mission.write_text(mission.read_text().replace('patience = "2h"', 'patience = "24h"'))
    return tmp_path / "tried"


def test_the_command_compares_with_the_shipped_catalogue_and_repeats_itself_to_the_byte(
    other, capsys, monkeypatch
):
    monkeypatch.chdir(SEEDS.parent)
    story = str(next((SEEDS / "journeys").glob("app-payment-fails*.jsonl")))
    told = []
    for _ in range(2):
        assert main(["backtest", "--catalogue", str(other), story, "--json"]) == 0
        told.append(capsys.readouterr().out)

    assert told[0] == told[1]
    assert {one["mission"] for one in json.loads(told[0])["missions"]} >= {"pay-bill"}


def test_a_refused_line_costs_itself_and_the_exit_code(other, tmp_path, capsys):
    (tmp_path / "log.jsonl").write_text('{"channel": "fax"}\n')

    code = main(
        [
            "backtest",
            "--catalogue",
            str(other),
            "--against",
            str(SEEDS),
            str(tmp_path / "log.jsonl"),
        ]
    )

    said = capsys.readouterr()
    assert code == 1
    assert "log.jsonl:1" in said.err
    assert "Nothing would change." in said.out
