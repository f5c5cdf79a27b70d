from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from pipeline.catalogue import files
from pipeline.catalogue.norms import MenuTable, StepTable, written
from pipeline.catalogue.suggestions import closest
from pipeline.errors import CatalogueInvalid, Problem
from pipeline.stitching.inventory import Entry, Sign
from pipeline.stitching.missions import Mission, Objectives, Phase
from pipeline.stitching.norms import StepNorm
from pipeline.stitching.rules import IdentityRules, Rules, SessionRule, VerdictRules
from schemas.records import Rating

SEEDS = Path(__file__).parents[3] / "seeds"

RULES = """\
[sessions.web]
gap = "45m"
[sessions.app]
background_gap = "2m"
[[sessions.source]]
source = "tv"
channel = "web"
length_max = "8h"
hint = "split"
[identity]
blocked = ["Shop-Tablet "]
identifiers_max = 20
shared_window = "7d"
[identity.classes]
household_id = "strong"
loyalty_card = "unique"
email = "weak"
[verdicts]
no_match_min = 2
call_length_min = "0s"
nps_broken_max = 5
[revisions]
window = "12h"
out_of_order = "0s"
idle = "30s"
touchpoints_max = 50
[sources]
test = ["monitoring"]
"""


def test_the_inventory_holds_each_touchpoint_with_its_signs(catalogue):
    rules = files.load(catalogue.directory)

    assert list(rules.inventory.entries) == [
        "view-bill",
        "pay-in-app",
        "payment-confirmed",
        "complain",
        "technician-visit",
    ]
    assert rules.inventory.entries["view-bill"] == Entry(
        id="view-bill",
        name="looking at my bill",
        channel="app",
        owner="app team",
        signs=(Sign(name="Bill Viewed"), Sign(location="/bills/*", intent="bill")),
    )
    assert rules.inventory.moments_of_truth == {"pay-in-app"}
    assert rules.inventory.entries["technician-visit"].brand_moment


def test_an_entry_is_recognised_by_any_of_its_tables_and_by_its_id(catalogue):
    inventory = files.load(catalogue.directory).inventory

    assert inventory.touchpoint_of("app", "Bill Viewed", None, None) == "view-bill"
    assert inventory.touchpoint_of("app", "Screen", "/bills/7", "bill") == "view-bill"
    assert inventory.touchpoint_of("app", "Screen", "/bills/7", None) == "other"
    assert inventory.touchpoint_of("app", "pay-in-app", None, None) == "pay-in-app"


def test_a_mission_holds_what_its_file_says(catalogue):
    missions = files.load(catalogue.directory).missions

    assert missions.all["pay-bill"] == Mission(
        name="pay-bill",
        title="I want to pay my bill",
        intents=("pay_bill",),
        starts=("view-bill",),
        completes=("payment-confirmed",),
        frustrates=("complain",),
        phases=(
            Phase(name="look", steps=("view-bill",)),
            Phase(name="pay", steps=("pay-in-app", "payment-confirmed")),
        ),
        patience=timedelta(hours=2),
        planned_changes=frozenset({("app", "ivr")}),
        objectives=Objectives(
            completion_rate_min=0.92, duration_max=timedelta(minutes=6), touchpoints_max=8
        ),
        value=38.5,
        currency="EUR",
    )


def test_a_mission_may_mind_repeats_and_have_its_own_scale_of_effort(catalogue):
    patient = 'patience = "2h"\nrepeat_within = "7d"\neffort_divisor = 2.5'
    catalogue.spoil("missions/pay-bill.toml", 'patience = "2h"', patient)
    catalogue.spoil("missions/pay-bill.toml", "touchpoints_max = 8", "effort_min = 5.5")

    mission = files.load(catalogue.directory).missions.all["pay-bill"]

    assert (mission.repeat_within, mission.effort_divisor) == (timedelta(days=7), 2.5)
    assert mission.objectives.effort_min == 5.5


def test_the_property_that_tells_a_segment_is_read_and_makes_another_catalogue(catalogue):
    before = files.load(catalogue.directory)
    catalogue.write("rules.toml", '[segments]\nproperty = "plan"\n')

    rules = files.load(catalogue.directory)

    assert (before.segment_property, rules.segment_property) == (None, "plan")
    assert before.fingerprint != rules.fingerprint


def test_without_rules_and_missions_the_defaults_hold(catalogue):
    (catalogue.directory / "missions/pay-bill.toml").unlink()
    (catalogue.directory / "missions").rmdir()

    rules = files.load(catalogue.directory)

    assert rules.missions.all == {}
    plain = Rules(inventory=rules.inventory, missions=rules.missions)
    plain = msgspec.structs.replace(plain, fingerprint=rules.fingerprint)
    assert msgspec.structs.asdict(rules) == msgspec.structs.asdict(plain)


def test_a_fingerprint_tells_catalogues_apart_by_meaning_not_by_wording(catalogue):
    first = files.load(catalogue.directory).fingerprint

    catalogue.write("rules.toml", '# nothing new\n[sessions.web]\ngap = "1800s"\n')
    catalogue.spoil("missions/pay-bill.toml", "who only complains", "who just complains")
    reworded = files.load(catalogue.directory).fingerprint
    catalogue.write("rules.toml", "[verdicts]\nno_match_min = 4\n")
    changed = files.load(catalogue.directory).fingerprint

    assert first == reworded != changed
    assert len(first) == files.FINGERPRINT_LENGTH


def test_numbers_of_alerts_are_no_part_of_the_fingerprint(catalogue):
    first = files.load(catalogue.directory)

    catalogue.write("rules.toml", "[alerts]\nseries = 50\nfalse_alarms_a_day = 2\n")
    rules = files.load(catalogue.directory)

    assert rules.fingerprint == first.fingerprint
    assert (rules.alerts.series, rules.alerts.false_alarms_a_day) == (50, 2.0)


def test_what_the_rules_do_not_name_keeps_its_default(catalogue):
    catalogue.write("rules.toml", RULES)

    rules = files.load(catalogue.directory)

    assert rules.sessions["web"] == SessionRule(gap=timedelta(minutes=45))
    assert rules.sessions["app"] == SessionRule(background_gap=timedelta(minutes=2))
    assert rules.sessions["chatbot"] == SessionRule(hint="split")
    assert rules.verdicts == VerdictRules(
        no_match_min=2, call_length_min=timedelta(), nps_broken_max=5
    )
    assert rules.revision_window == timedelta(hours=12)
    assert rules.out_of_order == timedelta()
    assert rules.idle == timedelta(seconds=30)
    assert rules.touchpoints_max == 50
    assert rules.test_sources == {"monitoring"}


def test_the_rank_of_identifier_types_is_part_of_the_fingerprint(catalogue):
    catalogue.write("rules.toml", '[identity.classes]\na = "unique"\nb = "unique"\n')
    first = files.load(catalogue.directory).fingerprint

    catalogue.write("rules.toml", '[identity.classes]\nb = "unique"\na = "unique"\n')

    assert files.load(catalogue.directory).fingerprint != first


def test_a_source_keeps_what_its_channel_says_and_it_does_not(catalogue):
    catalogue.write("rules.toml", RULES)

    rules = files.load(catalogue.directory)

    assert rules.source_sessions == {
        ("tv", "web"): SessionRule(
            gap=timedelta(minutes=45), length_max=timedelta(hours=8), hint="split"
        )
    }


def test_identifier_types_are_added_at_the_end_of_their_class(catalogue):
    catalogue.write("rules.toml", RULES)

    identity = files.load(catalogue.directory).identity

    assert list(identity.classes.items()) == [
        ("user_id", "unique"),
        ("account_id", "unique"),
        ("crm_id", "unique"),
        ("loyalty_card", "unique"),
        ("phone", "strong"),
        ("household_id", "strong"),
        ("device_id", "device"),
        ("network_user_id", "device"),
        ("anonymous_id", "device"),
        ("caller_number", "weak"),
        ("ip", "weak"),
        ("email", "weak"),
    ]
    assert identity == IdentityRules(
        classes=identity.classes,
        blocked=frozenset({"shop-tablet"}),
        identifiers_max=20,
        shared_window=timedelta(days=7),
    )


def test_an_example_becomes_touchpoints_in_order_with_what_is_expected(catalogue):
    first, second = files.examples(catalogue.directory)

    assert (first.name, first.mission, first.line) == (
        "silence after a server error is frustration",
        "pay-bill",
        23,
    )
    assert first.file == str(catalogue.directory / "missions/pay-bill.toml")
    assert first.touchpoint_lines == (26, 27, 28)
    assert (first.until, first.outcome, first.reason) == (
        timedelta(hours=3),
        "frustrated",
        "gave_up",
    )
    assert (first.broke_at, first.verdicts) == ("pay-in-app", ("functional", "broken", None))
    assert (first.journeys, second.journeys) == (1, 0)
    assert (second.until, second.verdicts) == (None, None)


def test_a_line_of_an_example_says_when_where_what_and_by_whom(catalogue):
    first, _ = files.examples(catalogue.directory)

    look, pay, complain = first.touchpoints
    assert [one.id for one in first.touchpoints] == ["1", "2", "3"]
    assert look.identifiers == {"user_id": "customer"}
    assert (pay.channel, pay.name, pay.signals) == ("app", "pay-in-app", ("http_5xx", "slow"))
    assert (pay.location, pay.intent) == ("/pay", "pay_bill")
    assert pay.occurred_at == pay.received_at == datetime(2026, 1, 5, 10, 1, 30, tzinfo=UTC)
    assert complain.occurred_at == datetime(2026, 1, 6, 9, tzinfo=UTC)
    assert complain.identifiers == {"user_id": "anna"}
    assert complain.rating == Rating(scale="ces", value=2)


def test_examples_of_an_invalid_catalogue_are_not_given(catalogue):
    catalogue.spoil("inventory.toml", 'id = "pay-in-app"', 'id = "pay"')

    with pytest.raises(CatalogueInvalid):
        files.examples(catalogue.directory)


def test_problems_are_told_by_file_and_line():
    last = Problem(file="b.toml", line=2, message="x")
    first = Problem(file="a.toml", line=30, message="y", suggestion="z")
    whole = Problem(file="b.toml", line=None, message="w")

    assert str(CatalogueInvalid([last, whole, first])) == (
        'a.toml:30: y. Did you mean "z"?\nb.toml: w\nb.toml:2: x'
    )


def test_a_suggestion_looks_past_the_case_and_needs_a_likeness():
    assert closest("WEBB", ("web", "app")) == "web"
    assert closest("fax", ("web", "ivr")) is None


@pytest.mark.parametrize("directory", [SEEDS, SEEDS / "bank"], ids=["telecom", "bank"])
def test_the_shipped_catalogues_are_valid_and_have_examples(directory):
    rules = files.load(directory)

    tried = {example.mission for example in files.examples(directory)}

    assert tried == set(rules.missions.all)


def test_a_mission_has_its_own_thresholds_on_top_of_those_of_the_rules(catalogue):
    catalogue.write("rules.toml", "[verdicts]\nno_match_min = 4\ntransfers_min = 3\n")
    first = files.load(catalogue.directory)
    catalogue.spoil(
        "missions/pay-bill.toml",
        'patience = "2h"',
        'patience = "2h"\nverdicts = { no_match_min = 2, leak_strong = "1h" }',
    )

    rules = files.load(catalogue.directory)

    own = rules.verdicts_of("pay-bill")
    assert (own.no_match_min, own.transfers_min, own.leak_strong) == (2, 3, timedelta(hours=1))
    assert rules.verdicts_of(None) == rules.verdicts_of("another") == first.verdicts
    assert rules.fingerprint != first.fingerprint


def test_norms_are_read_and_are_part_of_the_fingerprint(catalogue):
    first = files.load(catalogue.directory)
    catalogue.write(
        "norms.toml",
        written(
            [
                StepTable(
                    touchpoint="pay-in-app",
                    mission="pay-bill",
                    seen=100,
                    time_best=5.5,
                    effort_best=6.5,
                )
            ],
            [MenuTable(node='main "1"', seen=100, time_p95=12.0)],
        ),
    )

    rules = files.load(catalogue.directory)

    assert rules.norms.steps == {
        ("pay-in-app", "pay-bill"): StepNorm(time_best=5.5, effort_best=6.5)
    }
    assert rules.norms.nodes == {'main "1"': 12.0}
    assert rules.fingerprint != first.fingerprint
