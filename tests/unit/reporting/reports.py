"""Reports of touchpoints in the tests' vocabulary."""

from collections.abc import Iterable
from typing import Any

from pipeline.replay import records_of
from pipeline.reporting.composing import report_of
from pipeline.reporting.report import AtMission, AtTouchpoint, Report
from pipeline.reporting.results import Gathering
from pipeline.stitching.rules import Rules
from schemas.records import Touchpoint
from tests.builders import RULES, engine, touchpoint

TOPICS = frozenset({"verdicts", "journey-outcomes"})


def gathered(
    touchpoints: Iterable[Touchpoint], rules: Rules = RULES, *, keep_open: bool = False
) -> Gathering:
    gathering, arrived = Gathering(), list(touchpoints)
    for _, record in records_of(arrived, engine(rules), TOPICS, keep_open=keep_open):
        gathering.add(record)
    return gathering


def reported(touchpoints: Iterable[Touchpoint], rules: Rules = RULES, **window: Any) -> Report:
    gathering = gathered(touchpoints, rules)
    return report_of(
        gathering.results(**window), rules, window.get("mission"), window.get("segment")
    )


def pays(who: str, clock: str = "10:00", *signals: str, until: str = "paid") -> list[Touchpoint]:
    """A customer looks at the bill, pays online - with such signals - and, if all goes well, is
    told so; `until` names the last step they get to."""
    hour = clock.split(":")[0]
    steps = {
        "view-bill": touchpoint(f"{hour}:00", name="view-bill", user_id=who),
        "pay-online": touchpoint(f"{hour}:01", *signals, name="pay-online", user_id=who),
        "paid": touchpoint(f"{hour}:03", name="seen", location="/paid", user_id=who),
    }
    names = list(steps)
    return [steps[name] for name in names[: names.index(until) + 1]]


def at(report: Report, name: str) -> AtTouchpoint:
    return next(one for one in report.touchpoints if one.touchpoint == name)


def at_mission(report: Report, name: str, mission: str = "pay-bill") -> AtMission:
    return next(one for one in at(report, name).missions if one.mission == mission)
