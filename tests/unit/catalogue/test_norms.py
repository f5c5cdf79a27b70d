"""Mistakes in norms and in a mission's own thresholds, in the words in which people learn them."""

import pytest

NORMS = """\
[[step]]
touchpoint = "pay-in-app"
mission = "pay-bill"
seen = 100
time_best = 5.5
effort_best = 7.0

[[menu]]
node = "main"
seen = 100
time_p95 = 12.0
"""


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("seen = 100\ntime_b", "seen = 99\ntime_b", "4: seen: expected at least 100; found 99"),
        ("time_best", "time_bst", '5: unknown key "time_bst"; expected one of touchpoint, mission, '
            'seen, time_best, effort_best. Did you mean "time_best"?'),
        ('"pay-bill"', '"pay-bil"',
            '3: mission "pay-bil" has no file in missions/. Did you mean "pay-bill"?'),
        ('"pay-in-app"', '"complain"', '2: touchpoint "complain" is no step of mission "pay-bill"'),
        ("[[menu]]", '[[menu]]\nnode = "main"\nseen = 100\ntime_p95 = 1.0\n[[menu]]',
            "12: menu main stands already above"),
        ("effort_best = 7.0", "effort_best = 8.0", "6: effort_best: expected at most 7; found 8.0"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_norms_is_found_at_its_line(catalogue, right, wrong, problem):
    catalogue.write("norms.toml", NORMS)
    assert catalogue.problems() == []
    catalogue.spoil("norms.toml", right, wrong)

    assert f"norms.toml:{problem}" in catalogue.problems()


def test_a_mission_may_not_have_thresholds_of_whole_sessions_nor_misspell_its_own(catalogue):
    catalogue.spoil(
        "missions/pay-bill.toml",
        'patience = "2h"',
        'patience = "2h"\nverdicts = { machine_window = "1s", leak_stong = "1h" }',
    )

    machine, misspelt = catalogue.problems()

    assert machine.startswith('missions/pay-bill.toml:9: unknown key "machine_window"')
    assert misspelt.endswith('Did you mean "leak_strong"?')
