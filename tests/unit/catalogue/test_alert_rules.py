"""The numbers of alerts: what is refused, and where."""

import pytest


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ("[alerts]\nseries = 0", "2: series: expected at least 1; found 0"),
        (
            "[alerts]\nfalse_alarms_a_day = 0",
            "2: false_alarms_a_day: expected more than 0; found 0",
        ),
        ("[alerts]\nusual_share = 2", "2: usual_share: expected less than 1; found 2"),
        ('[alerts]\nkept = "5m"', "2: kept: expected longer than open, 5m; found 5m"),
        ('[alerts]\nopen = "3h"', "2: kept: expected longer than open, 3h; found 2h"),
        (
            "[alerts]\nusual_share = 0.001",
            "2: usual_share_min: expected at most usual_share, 0.001; found 0.002",
        ),
    ],
)
def test_a_mistake_in_the_numbers_of_alerts_is_found_at_its_line(catalogue, rules, problem):
    catalogue.write("rules.toml", rules)

    assert f"rules.toml:{problem}" in catalogue.problems()
