"""A catalogue held against a log: what it waits for in vain, and what it does not know."""

from pipeline.catalogue import files, seen
from pipeline.cli.main import main
from schemas.records import Touchpoint
from tests.builders import touchpoint

MISSION = "missions/pay-bill.toml"


def warnings(catalogue, *touchpoints: Touchpoint) -> list[str]:
    rules = files.load(catalogue.directory)
    found = seen.warnings(rules, catalogue.directory, seen.Seen(touchpoints, rules))
    return [str(one).replace(f"{catalogue.directory}/", "") for one in found]


ALL = (
    touchpoint("10:00", channel="app", name="Bill Viewed"),
    touchpoint("10:01", channel="app", name="pay-in-app"),
    touchpoint("10:02", channel="app", name="payment-confirmed"),
    touchpoint("10:03", channel="ivr", name="complain"),
    touchpoint("10:04", channel="agent", name="technician-visit"),
)


def test_a_log_that_shows_everything_raises_no_warning(catalogue):
    assert warnings(catalogue, *ALL) == []


def test_a_touchpoint_that_nobody_emits_is_told_and_which_kind_is_often_overlooked(catalogue):
    assert warnings(catalogue, *ALL[:1], *ALL[2:4]) == [
        'inventory.toml:9: nobody emits "pay-in-app"',
        'inventory.toml:25: nobody emits "technician-visit", about field service: often overlooked',
    ]


def test_what_is_emitted_under_almost_that_name_on_that_channel_is_suggested(catalogue):
    misspelt = touchpoint("10:01", channel="app", name="pay_in_app")
    elsewhere = touchpoint("10:02", channel="web", name="payment_confirmed")

    found = warnings(catalogue, ALL[0], misspelt, elsewhere, *ALL[3:])

    assert found[:2] == [
        'inventory.toml:9: nobody emits "pay-in-app". Did you mean "pay_in_app"?',
        'inventory.toml:15: nobody emits "payment-confirmed"',
    ]


def test_a_start_that_nobody_emits_is_told_at_its_line(catalogue):
    catalogue.spoil(MISSION, '["view-bill"]\ncompletes', '["view-bill", "pay-in-app"]\ncompletes')

    assert warnings(catalogue, *ALL[1:])[1:] == [f'{MISSION}:5: nobody emits the start "view-bill"']


def test_a_mission_of_which_nobody_emits_any_start_never_begins(catalogue):
    never = (
        f"{MISSION}:5: nobody emits any of its starts nor its intents, so the mission never begins"
    )

    assert warnings(catalogue, *ALL[1:])[1:] == [never]


def test_an_intent_begins_a_mission_as_well(catalogue):
    meant = touchpoint("10:01", channel="app", name="pay-in-app", intent="pay_bill")

    assert warnings(catalogue, meant, *ALL[2:])[1:] == [
        f'{MISSION}:5: nobody emits the start "view-bill"'
    ]


def test_a_mission_that_nothing_completes_fails_every_time(catalogue):
    assert warnings(catalogue, *ALL[:2], *ALL[3:])[1:] == [
        f"{MISSION}:6: nobody emits anything that completes it, so every journey fails"
    ]


def test_what_the_inventory_does_not_know_is_told_the_most_frequent_first(catalogue):
    unknown = [touchpoint(f"11:0{n}", name="page_view", location="/new") for n in range(2)]
    unknown.append(touchpoint("11:05", channel="ivr", name="ring"))

    assert warnings(catalogue, *ALL, *unknown) == [
        'inventory.toml: no touchpoint is recognised by web "page_view" at "/new", emitted 2 times',
        'inventory.toml: no touchpoint is recognised by ivr "ring", emitted 1 times',
    ]


def test_the_command_reads_the_log_and_refuses_what_is_none(catalogue, tmp_path, capsys):
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"channel": "app", "name": "Bill Viewed", "identifiers": {"user_id": "anna"}, '
        '"occurred_at": "2026-11-20T10:00:00Z"}\n{"x": 1}\n'
    )

    code = main(["check", "--catalogue", str(catalogue.directory), "--log", str(log)])

    said = capsys.readouterr().err
    assert code == 1
    assert 'nobody emits "pay-in-app"' in said
    assert 'nobody emits "view-bill"' not in said
    assert "log.jsonl:2: " in said


def test_a_log_that_is_not_there_is_misuse(catalogue, capsys):
    code = main(["check", "--catalogue", str(catalogue.directory), "--log", "nowhere.jsonl"])

    assert code == 2
    assert "found none at nowhere.jsonl" in capsys.readouterr().err
