"""Results become a report: the three questions, answered in numbers.

Which touchpoints matter most, how are we doing at each, what to improve first (after Temkin's
advice on touchpoint mapping). Looking is left to `text` and `page`.
"""

from collections import Counter

from msgspec.structs import replace

from pipeline.catalogue.overlooked import overlooked_in
from pipeline.reporting.inference import rate
from pipeline.reporting.missions import efforts_of, missions_of
from pipeline.reporting.report import AtTouchpoint, Cell, Overlooked, Report, Row
from pipeline.reporting.results import Results
from pipeline.reporting.touchpoints import added, dearest, fine_but_left, touchpoints_of
from pipeline.reporting.wording import THIN, headline_of
from pipeline.stitching.inventory import OTHER
from pipeline.stitching.rules import Rules
from schemas.records import Channel, Judgement


def report_of(
    results: Results, rules: Rules, mission: str | None = None, segment: str | None = None
) -> Report:
    """The report.

    Args:
        results: As `Gathering.results` gives them.
        rules: The catalogue that they were made with: names, values, objectives, the inventory.
        mission: The only one that `results` hold; None where they hold all.
        segment: Likewise, the only kind of customers.
    """
    journeys = results.journeys
    verdicts = list(results.verdicts())
    touchpoints = touchpoints_of(results, rules)
    missions = missions_of(journeys, rules)
    currencies = {one.value.currency for one in missions if one.value is not None}
    worth = {one.mission for one in missions if one.value is not None}
    comparable = len(currencies) == 1 and len(worth) == len(missions)
    improve = dearest(touchpoints, by_value=comparable)
    completed = sum(one.completed for one in journeys)
    report = Report(
        headline="",
        explanation="",
        mission=mission,
        segment=segment,
        first=min((one.occurred_at for one in verdicts), default=None),
        last=max((one.occurred_at for one in verdicts), default=None),
        customers=len({one.customer for one in verdicts} | {j.outcome.customer for j in journeys}),
        interactions=len(verdicts),
        journeys=len(journeys),
        completed=rate(completed, len(journeys)),
        frustrated=sum(one.outcome.outcome == "frustrated" for one in journeys),
        abandoned=sum(one.outcome.outcome == "abandoned" for one in journeys),
        value_lost=added(one.value_lost for one in missions),
        open_journeys=results.open_journeys,
        unknown_interactions=sum(one.touchpoint == OTHER for one in verdicts),
        journeys_without_interactions=sum(not one.interactions for one in journeys),
        fine_but_left=fine_but_left(journeys),
        improve=improve,
        touchpoints=touchpoints,
        missions=missions,
        matrix=_matrix(results),
        effort=efforts_of(journeys, rules),
        overlooked=_overlooked(touchpoints, rules),
        quiet=_quiet(touchpoints, rules) if mission is None and segment is None else (),
        ordered_by="value" if comparable else "missions",
    )
    headline, explanation = (text.replace(THIN, " ") for text in headline_of(report, rules))
    return replace(report, headline=headline, explanation=explanation)


def _matrix(results: Results) -> tuple[Row, ...]:
    cells: dict[Channel, dict[str, Counter[Judgement | None]]] = {}
    for verdict in results.verdicts():
        row = cells.setdefault(verdict.channel, {})
        row.setdefault(verdict.touchpoint, Counter())[verdict.verdict] += 1
    rows = []
    for channel, row in cells.items():
        made = [
            Cell(
                touchpoint=touchpoint,
                interactions=counts.total(),
                broken=rate(counts["broken"], counts.total() - counts[None]),
            )
            for touchpoint, counts in row.items()
        ]
        made.sort(key=lambda cell: (-cell.interactions, cell.touchpoint))
        total = sum(cell.interactions for cell in made)
        rows.append(Row(channel=channel, interactions=total, cells=tuple(made)))
    return tuple(sorted(rows, key=lambda row: (-row.interactions, row.channel)))


def _overlooked(touchpoints: tuple[AtTouchpoint, ...], rules: Rules) -> tuple[Overlooked, ...]:
    seen = {one.touchpoint: one.interactions for one in touchpoints}
    return tuple(
        Overlooked(kind=kind, touchpoints=tuple(ids), seen=sum(seen.get(one, 0) for one in ids))
        for kind, ids in overlooked_in(rules.inventory.entries.values()).items()
    )


def _quiet(touchpoints: tuple[AtTouchpoint, ...], rules: Rules) -> tuple[str, ...]:
    seen = {one.touchpoint for one in touchpoints}
    return tuple(one for one in rules.inventory.entries if one not in seen)
