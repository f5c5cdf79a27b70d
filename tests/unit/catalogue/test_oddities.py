"""What is odd in a valid catalogue: warned of, at its line, with what to do about it."""

import pytest

from pipeline.catalogue import files, oddities

NO_CURRENCY = (
    "missions/pay-bill.toml:3: value without a currency: EUR is assumed; "
    'write currency = "EUR" if so'
)
UNUSED = 'inventory.toml:25: touchpoint "technician-visit" is used by no mission'
MISSION = "missions/pay-bill.toml"


def warnings(catalogue) -> list[str]:
    found = oddities.warnings(files.load(catalogue.directory), catalogue.directory)
    return [str(one).replace(f"{catalogue.directory}/", "") for one in found]


def test_a_touchpoint_that_no_mission_uses_is_worth_a_warning(catalogue):
    assert warnings(catalogue) == [UNUSED, NO_CURRENCY]


def test_a_moment_of_truth_that_no_mission_uses_is_called_one(catalogue):
    catalogue.spoil(MISSION, '  "pay-in-app",  # the', "  # the")

    assert 'inventory.toml:9: moment of truth "pay-in-app" is used by no mission' in warnings(
        catalogue
    )


def test_a_survey_need_not_be_used_by_a_mission(catalogue):
    catalogue.spoil("inventory.toml", 'channel = "agent"', 'channel = "survey"')

    assert warnings(catalogue) == [NO_CURRENCY]


def test_an_inventory_without_billing_or_field_service_is_worth_a_warning(catalogue):
    inventory = '[[touchpoint]]\nid = "look-around"\nname = "looking around"\nchannel = "web"\n'
    catalogue.write("inventory.toml", inventory)
    (catalogue.directory / MISSION).unlink()

    assert warnings(catalogue) == [
        "inventory.toml: no touchpoint is about billing, which is often overlooked",
        "inventory.toml: no touchpoint is about field service, which is often overlooked",
    ]


def test_a_value_with_its_currency_and_neither_are_both_fine(catalogue):
    catalogue.spoil(MISSION, "value = 38.50", 'value = 38.50\ncurrency = "GBP"')
    assert warnings(catalogue) == [UNUSED]

    catalogue.spoil(MISSION, 'value = 38.50\ncurrency = "GBP"\n', "")
    assert warnings(catalogue) == [UNUSED]


def test_a_currency_of_nothing_is_worth_a_warning(catalogue):
    catalogue.spoil(MISSION, "value = 38.50", 'currency = "GBP"')

    assert warnings(catalogue)[1:] == [
        f"{MISSION}:3: currency without a value: the mission counts as worth nothing known"
    ]


def test_a_step_behind_all_that_completes_the_mission_is_never_reached(catalogue):
    steps = '\n[[phase]]\nname = "after"\nsteps = ["technician-visit"]\n'
    catalogue.spoil(
        MISSION, '\n[[example]]\nname = "silence', f'{steps}\n[[example]]\nname = "silence'
    )

    assert warnings(catalogue) == [
        f'{MISSION}:25: step "technician-visit" stands behind all that completes the mission, '
        "which has ended by then; let it complete the mission, or make it one of its own",
        NO_CURRENCY,
    ]


def test_a_planned_change_needs_a_touchpoint_on_both_channels(catalogue):
    catalogue.spoil(MISSION, '["app>ivr"]', '["app>ivr", "app>chatbot"]')

    assert warnings(catalogue)[2:] == [
        f'{MISSION}:9: plans "app>chatbot", but has no touchpoint on chatbot'
    ]


@pytest.mark.parametrize(
    ("sign", "shadowed"),
    [
        ('{ name = "Bill *" }', False),  # wider than the first, which stands before it
        ('{ name = "Bill Viewed", location = "/x" }', True),
        ('{ location = "/bills/latest", intent = "bill" }', True),
        ('{ location = "/bills/latest" }', False),  # the first also wants an intent
        ('{ location = "/bills?latest*", intent = "bill" }', False),
    ],
)
def test_what_an_entry_before_it_matches_whole_is_never_recognised(catalogue, sign, shadowed):
    catalogue.spoil(
        "inventory.toml",
        "moment_of_truth = true",
        f"moment_of_truth = true\nrecognise = [ {sign} ]",
    )

    found = [one for one in warnings(catalogue) if "recognised" in one]

    assert found == shadowed * [
        'inventory.toml:13: "pay-in-app" is never recognised by this: "view-bill" in line 6 '
        "matches all of it and stands before it; put the narrower one first"
    ]


def test_entries_of_other_channels_and_of_the_same_touchpoint_shadow_nothing(catalogue):
    catalogue.spoil(
        "inventory.toml",
        'channel = "ivr"',
        'channel = "ivr"\nrecognise = [{ name = "Bill Viewed" }]',
    )
    catalogue.spoil(
        "inventory.toml",
        '{ name = "Bill Viewed" }, {',
        '{ name = "Bill*" }, { name = "Bill 1" }, {',
    )

    assert not [one for one in warnings(catalogue) if "recognised" in one]
