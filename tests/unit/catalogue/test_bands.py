"""Answers to surveys that would be both broken and excellent are a mistake, found at its line."""

import pytest

MISSION = "missions/pay-bill.toml"


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("ces_broken_max = 7",
         'ces_broken_max: expected below ces_excellent_min, 7; found 7. Did you mean "3"?'),
        ("nps_excellent_min = 6",
         'nps_excellent_min: expected above nps_broken_max, 6; found 6. Did you mean "9"?'),
        ("csat_broken_max = 4\ncsat_excellent_min = 2",
         "csat_broken_max: expected below csat_excellent_min, 2; found 4"),
        ("csat_excellent_min = 1.5",
         'csat_excellent_min: expected above csat_broken_max, 2; found 1.5. Did you mean "5"?'),
    ],
    ids=["touching", "one number", "the wrong way round", "below"],
)  # fmt: skip
def test_bands_that_overlap_are_found_in_the_rules(catalogue, table, problem):
    catalogue.write("rules.toml", f"[verdicts]\n{table}\n")

    assert catalogue.problems() == [f"rules.toml:2: {problem}"]


def test_and_in_a_mission_of_its_own_thresholds(catalogue):
    catalogue.spoil(
        MISSION,
        '[[phase]]\nname = "look"',
        '[verdicts]\nces_broken_max = 7\n\n[[phase]]\nname = "look"',
    )

    (problem,) = catalogue.problems()
    assert problem.endswith(
        'ces_broken_max: expected below ces_excellent_min, 7; found 7. Did you mean "3"?'
    )


def test_a_mission_is_held_against_the_bands_of_the_rules(catalogue):
    catalogue.write("rules.toml", "[verdicts]\nnps_broken_max = 8\n")
    own = '[verdicts]\nnps_excellent_min = 8\n\n[[phase]]\nname = "look"'
    catalogue.spoil(MISSION, '[[phase]]\nname = "look"', own)

    (problem,) = catalogue.problems()
    assert problem.startswith(MISSION)
    assert "nps_excellent_min: expected above nps_broken_max, 8; found 8" in problem


def test_a_mistake_of_the_rules_is_not_told_of_every_mission(catalogue):
    catalogue.write("rules.toml", "[verdicts]\nces_broken_max = 7\n")
    own = '[verdicts]\nnps_broken_max = 5\n\n[[phase]]\nname = "look"'
    catalogue.spoil(MISSION, '[[phase]]\nname = "look"', own)

    (problem,) = catalogue.problems()
    assert problem.startswith("rules.toml:2: ces_broken_max")


def test_bands_that_leave_room_between_them_are_none(catalogue):
    catalogue.write("rules.toml", "[verdicts]\nces_broken_max = 6.5\nnps_excellent_min = 7\n")

    assert catalogue.problems() == []


def test_what_is_no_number_is_told_once(catalogue):
    catalogue.write("rules.toml", '[verdicts]\nces_broken_max = "7"\n')

    assert catalogue.problems() == ['rules.toml:2: ces_broken_max: expected a number; found "7"']
