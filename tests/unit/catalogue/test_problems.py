"""Every mistake that people make in a catalogue, with the words in which they learn of it."""

import pytest

MISSION = "missions/pay-bill.toml"
DURATION = 'expected a duration such as "30s", "30m", "1h30m" or "7d"'


def test_a_valid_catalogue_has_no_problems(catalogue):
    assert catalogue.problems() == []


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ('id = "complain"', 'id = complain"', "20: not valid TOML: invalid value"),
        (
            'owner = "app',
            'ownr = "app',
            '5: unknown key "ownr"; expected one of id, name, channel, owner, moment_of_truth, '
            'brand_moment, expects_success, needs, recognise. Did you mean "owner"?',
        ),
        (
            '{ name = "Bill',
            '{ nmae = "Bill',
            '6: unknown key "nmae"; expected one of name, location, intent. Did you mean "name"?',
        ),
        (
            '{ name = "Bill Viewed" }',
            "{}",
            "6: recognise: expected at least one of name, location, intent; found none",
        ),
        ('"app team"', "7", "5: owner: expected a string; found 7"),
        ("truth = true", "truth = 1", "12: moment_of_truth: expected true or false; found 1"),
        ('name = "paying in the app"\n', "", '8: required key "name" is missing'),
        (
            'channel = "ivr"',
            'channel = "IVR"',
            "22: channel: expected one of web, app, chatbot, ivr, agent, survey; "
            'found "IVR". Did you mean "ivr"?',
        ),
        (
            'id = "technician-visit"',
            'id = "view-bill"',
            '25: touchpoint "view-bill" stands already in inventory.toml:2',
        ),
        (
            'id = "technician-visit"',
            'id = "other"',
            '25: id: expected another word: "other" is what the inventory does not know',
        ),
        (
            'id = "technician-visit"',
            'id = "a visit"',
            '25: id: expected letters, digits, "-", "_" and "." only; found "a visit"',
        ),
        (
            "moment_of_truth = true",
            'recognise = [\n  { name = "x" },\n  { intent = "bill", location = "/bills/*" },\n]',
            '14: recognised by the same table as "view-bill", so it never will be',
        ),
        (
            "moment_of_truth = true",
            'needs = ["view-bil"]',
            '12: needs "view-bil", which is not in the inventory. Did you mean "view-bill"?',
        ),
        ("moment_of_truth = true", 'needs = ["pay-in-app"]', '12: needs itself, "pay-in-app"'),
    ],
)
def test_a_mistake_in_the_inventory_is_found_at_its_line(catalogue, right, wrong, problem):
    catalogue.spoil("inventory.toml", right, wrong)

    assert f"inventory.toml:{problem}" in catalogue.problems()


def test_what_needs_itself_by_way_of_others_is_found_where_the_circle_closes(catalogue):
    catalogue.spoil("inventory.toml", 'owner = "app team"', 'needs = ["pay-in-app"]')
    catalogue.spoil("inventory.toml", "moment_of_truth = true", 'needs = ["complain"]')
    catalogue.spoil("inventory.toml", 'channel = "ivr"', 'channel = "ivr"\nneeds = ["view-bill"]')

    assert catalogue.problems() == [
        'inventory.toml:23: needs "view-bill", which needs "pay-in-app", which needs "complain": '
        "each would be the cause of the other's failing; take out the need of one that works "
        "without it"
    ]


def test_two_that_need_the_same_make_no_circle(catalogue):
    catalogue.spoil("inventory.toml", 'owner = "app team"', 'needs = ["pay-in-app", "complain"]')
    catalogue.spoil("inventory.toml", "moment_of_truth = true", 'needs = ["complain"]')

    assert catalogue.problems() == []


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("value = 38.50", "value = ", "3: not valid TOML: invalid value"),
        ("value = 38.50", 'value = "38"', '3: value: expected a number; found "38"'),
        ("value = 38.50", "value = -1", "3: value: expected at least 0; found -1"),
        (
            "value = 38.50",
            'currency = "euro"',
            '3: currency: expected a currency by its three letters, such as "EUR"; found "euro"',
        ),
        ('starts = ["view-bill"]\n', "", '1: required key "starts" is missing'),
        (
            'starts = ["view-bill"]',
            "starts = []",
            "5: starts: expected at least one item; found an empty array",
        ),
        (
            'completes = ["payment-confirmed"]',
            "completes = []",
            "6: completes: expected at least one item; found an empty array",
        ),
        (
            'starts = ["view-bill"]',
            'starts = ["view-bil"]',
            '5: starts "view-bil" is not in the inventory. Did you mean "view-bill"?',
        ),
        (
            'completes = ["payment-confirmed"]',
            'completes = ["paid"]',
            '6: completes "paid" is not in the inventory',
        ),
        (
            'frustrates = ["complain"]',
            'frustrates = ["complian"]',
            '7: frustrates "complian" is not in the inventory. Did you mean "complain"?',
        ),
        (
            '  "pay-in-app",',
            '  "pay-in-ap",',
            '19: step "pay-in-ap" is not in the inventory. Did you mean "pay-in-app"?',
        ),
        (
            'frustrates = ["complain"]',
            'frustrates = ["payment-confirmed"]',
            '7: "payment-confirmed" both completes (missions/pay-bill.toml:6) and frustrates',
        ),
        (
            '  "payment-confirmed",\n',
            '  "view-bill",\n',
            '20: step "view-bill" stands already in missions/pay-bill.toml:14',
        ),
        (
            'name = "pay"',
            'name = "look"',
            '17: phase "look" stands already in missions/pay-bill.toml:13',
        ),
        ('"2h"', '"2 hours"', f'8: patience: {DURATION}; found "2 hours"'),
        ('"2h"', "120", f"8: patience: {DURATION}; found 120"),
        ('"2h"', '"0s"', '8: patience: expected a duration longer than nothing; found "0s"'),
        (
            '"2h"',
            '"29m"',
            '8: patience: expected at least the longest session gap, 30m (web); found "29m"',
        ),
        (
            '"2h"',
            '"2h"\npreludes = ["view-bil"]',
            '9: preludes "view-bil" is not in the inventory. Did you mean "view-bill"?',
        ),
        (
            '"2h"',
            '"2h"\nlooks = ["pay-in-app"]',
            '9: looks "pay-in-app" is none of the mission\'s starts',
        ),
        (
            '"2h"',
            '"2h"\nresumes = "2h"',
            '9: resumes: expected longer than the patience, 2h; found "2h"',
        ),
        (
            '"app>ivr"',
            '"app-ivr"',
            '9: planned_changes: expected two channels such as "web>agent", of web, app, chatbot, '
            'ivr, agent, survey; found "app-ivr"',
        ),
        (
            "completion_rate_min",
            "completion_rate",
            '10: unknown key "completion_rate"; expected one of completion_rate_min, '
            'duration_max, touchpoints_max, effort_min. Did you mean "completion_rate_min"?',
        ),
        ("0.92", "92", "10: completion_rate_min: expected at most 1; found 92"),
    ],
)
def test_a_mistake_in_a_mission_is_found_at_its_line(catalogue, right, wrong, problem):
    catalogue.spoil(MISSION, right, wrong)

    assert f"{MISSION}:{problem}" in catalogue.problems()


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        (
            '"10:00 app view-bill"',
            '"10:00 app view-bil"',
            '26: touchpoint "view-bil" is not in the inventory. Did you mean "view-bill"?',
        ),
        (
            '"10:00 app view-bill"',
            '"10:00 web view-bill"',
            '26: "view-bill" is of channel app; found "web". Did you mean "app"?',
        ),
        (
            '"10:00 app view-bill"',
            '"10:00 ap view-bill"',
            "26: expected one of web, app, chatbot, ivr, agent, survey; "
            'found "ap". Did you mean "app"?',
        ),
        (
            '"10:00 app view-bill"',
            '"9:00 app view-bill"',
            '26: expected a time such as "10:00", "10:00:30" or "+1d 09:00" first; '
            'found "9:00 app view-bill"',
        ),
        (
            '"10:00 app view-bill"',
            '"10:00 app"',
            '26: expected a time, a channel and a touchpoint; found "10:00 app"',
        ),
        (
            '"10:00 app view-bill"',
            '"10:02 app view-bill"',
            '27: "10:01:30 app pay-in-app http_5xx slow at=/pay intent=pay_bill" happens before '
            "the line above it",
        ),
        ("http_5xx", "htp_5xx", '27: signal "htp_5xx" is not known. Did you mean "http_5xx"?'),
        (
            "intent=pay",
            "intend=pay",
            '27: unknown key "intend"; expected one of intent, rating, at, customer. '
            'Did you mean "intent"?',
        ),
        ("at=/pay", "at=", '27: expected something after "at="; found nothing'),
        (
            "rating=ces:2",
            "rating=ces:8",
            '28: rating: expected one of ces:1-7, nps:0-10, csat:1-5; found "ces:8"',
        ),
        (
            "customer=anna",
            "customer=guest",
            '28: customer "guest" identifies nobody (placeholder); expected a name',
        ),
        (
            'outcome = "frustrated"',
            'outcome = "frustratd"',
            "31: outcome: expected one of completed, frustrated, abandoned, open, none; "
            'found "frustratd". Did you mean "frustrated"?',
        ),
        (
            'until = "+3h"',
            'until = "3h"',
            '30: until: expected a plus sign and a duration, such as "+3h"; found "3h"',
        ),
        (
            'reason = "gave_up"',
            'reason = "gaveup"',
            "32: reason: expected one of answered_badly, changed_channel, completing_touchpoint, "
            'contacted_again, gave_up, silence, silence_after_broken; found "gaveup". '
            'Did you mean "gave_up"?',
        ),
        (
            'broke_at = "pay-in-app"',
            'broke_at = "pay-inn-app"',
            '33: broke_at "pay-inn-app" is not in the inventory. Did you mean "pay-in-app"?',
        ),
        ('"broken", "-"]', '"broken"]', "34: verdicts: expected one per touchpoint, 3; found 2"),
        (
            '"broken", "-"]',
            '"brokn", "-"]',
            "34: verdicts: expected one of broken, functional, excellent, -; "
            'found "brokn". Did you mean "broken"?',
        ),
        (
            'outcome = "none"',
            'outcome = "none"\njourneys = 1',
            '40: journeys: 1 does not go with the outcome "none"',
        ),
    ],
)
def test_a_mistake_in_an_example_is_found_at_its_line(catalogue, right, wrong, problem):
    catalogue.spoil(MISSION, right, wrong)

    assert f"{MISSION}:{problem}" in catalogue.problems()


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (
            "[sessions.wbe]",
            '1: unknown key "wbe"; expected one of web, app, chatbot, ivr, agent, survey, source. '
            'Did you mean "web"?',
        ),
        ('[sessions.web]\ngap = "30"', f'2: gap: {DURATION}; found "30"'),
        (
            '[sessions.web]\nhint = "honor"',
            '2: hint: expected one of honour, split; found "honor". Did you mean "honour"?',
        ),
        ('[[sessions.source]]\nsource = "kiosk"', '1: required key "channel" is missing'),
        (
            '[[sessions.source]]\nsource = "k"\nchannel = "web"\n' * 2,
            '4: source "k" on web stands already in line 1',
        ),
        (
            '[identity.classes]\nloyalty_card = "uniq"',
            "2: loyalty_card: expected one of unique, strong, device, weak; "
            'found "uniq". Did you mean "unique"?',
        ),
        ("[identity]\nstrong_max = 2.5", "2: strong_max: expected a whole number; found 2.5"),
        ("[verdicts]\nno_match_min = 0", "2: no_match_min: expected at least 1; found 0"),
        ("[revisions]\nidle = true", f"2: idle: {DURATION}; found True"),
    ],
)
def test_a_mistake_in_the_rules_is_found_at_its_line(catalogue, rules, problem):
    catalogue.write("rules.toml", rules)

    assert f"rules.toml:{problem}" in catalogue.problems()


def test_a_misspelt_threshold_is_suggested_from_those_of_the_core(catalogue):
    catalogue.write("rules.toml", "[verdicts]\nfallback_max = 3")

    (problem,) = catalogue.problems()

    assert problem.startswith('rules.toml:2: unknown key "fallback_max"; expected one of ')
    assert problem.endswith('. Did you mean "fallbacks_max"?')


def test_patience_is_measured_against_the_gaps_of_the_rules(catalogue):
    catalogue.write("rules.toml", '[[sessions.source]]\nsource = "tv"\nchannel = "web"\ngap = "3h"')

    assert catalogue.problems() == [
        f"{MISSION}:8: patience: expected at least the longest session gap, 3h (tv on web); "
        'found "2h"'
    ]


def test_a_patience_of_exactly_the_longest_gap_is_enough(catalogue):
    catalogue.spoil(MISSION, '"2h"', '"30m"')

    assert catalogue.problems() == []


def test_two_missions_may_share_neither_name_nor_intent(catalogue):
    other = 'name = "pay-bill"\nintents = [\n  "x",\n  "pay_bill",\n]\nstarts = ["view-bill"]\n'
    other += 'completes = ["payment-confirmed"]\npatience = "1d"\n'
    catalogue.write("missions/second.toml", other)

    assert catalogue.problems() == [
        f'missions/second.toml:1: mission "pay-bill" stands already in {MISSION}:1',
        'missions/second.toml:4: intent "pay_bill" is claimed by mission "pay-bill" already, '
        f"in {MISSION}:4",
    ]


def test_an_intent_may_not_be_the_name_of_another_mission(catalogue):
    other = 'name = "pay_bill"\nstarts = ["view-bill"]\n'
    catalogue.write("missions/a.toml", other + 'completes = ["complain"]\npatience = "1d"\n')

    assert catalogue.problems() == [
        f'{MISSION}:4: intent "pay_bill" is claimed by mission "pay_bill" already, '
        "in missions/a.toml:1"
    ]


def test_one_mistake_hides_no_other(catalogue):
    catalogue.spoil("inventory.toml", 'owner = "app team"', "ownr = 3")
    catalogue.spoil(MISSION, 'patience = "2h"', 'patiance = "2h"')
    catalogue.spoil(MISSION, '  "pay-in-app",', '  "pay-in-ap",')
    catalogue.spoil(MISSION, "http_5xx", "http_6xx")
    catalogue.write("missions/broken.toml", "name = \n")
    catalogue.write("rules.toml", "[sesions]\n")

    places = [problem.split(": ")[0] for problem in catalogue.problems()]

    assert places == [
        "inventory.toml:5",
        "missions/broken.toml:1",
        f"{MISSION}:1",  # patience is missing
        f"{MISSION}:8",
        f"{MISSION}:19",
        f"{MISSION}:27",
        "rules.toml:1",
    ]


def test_an_unreadable_inventory_raises_no_doubts_about_the_missions(catalogue):
    catalogue.write("inventory.toml", "[[touchpoint]\n")

    (problem,) = catalogue.problems()

    assert problem.startswith("inventory.toml:1: not valid TOML: ")
