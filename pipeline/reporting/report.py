"""The report as a value: what it says, without how it looks.

`composing` makes one of results; `text` and `page` show it; as JSON it is written as it stands.
Shares run from 0 to 1, money is in the mission's own currency, effort from 7 very easy to 1 very
hard, durations are seconds.
"""

from datetime import datetime
from typing import Literal

import msgspec

from pipeline.reporting.inference import Difference, Rate
from schemas.records import Channel, Counts


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a report."""


class Money(Part, frozen=True):
    """An amount, with its interval where it is an estimate."""

    amount: float
    currency: str
    low: float | None = None
    high: float | None = None


class Counted(Part, frozen=True):
    """A word - a reason, a touchpoint - and how often."""

    word: str
    count: int


class Cost(Part, frozen=True):
    """What a break cost beyond what would have failed anyway.

    `broken x (completion when sound - completion when broken)`, and times the mission's value.
    """

    missions: float
    low: float
    high: float
    value: Money | None = None


class AtMission(Part, frozen=True):
    """How one touchpoint does for one mission.

    Attributes:
        journeys: Ended journeys that passed through it.
        completed: How many of them ended well.
        verdicts: Interactions there, by how they were judged.
        broken: Of the journeys whose interactions are known, those in which it broke at least once.
        when_sound, when_broken: How many ended well of those where it worked, and where it broke.
        drop: The first less the second; None where one of them has no journey.
        certain: Whether chance does not explain the drop, among all that this report compares.
        lost: Journeys that this touchpoint cost (`broke_at`), of those that passed.
        value_lost: The value of those.
        cost: Shown from `BROKEN_JOURNEYS_MIN` broken journeys on.
        fine_but_left: Of the journeys in which no system reported an error here, those whose
            customer rang up because of it, or went no further and did not get what they wanted.
        reasons: Why it was judged broken, in how many interactions each.
        instead: Where customers went after it broke last: touchpoints, or `left`.
    """

    mission: str
    journeys: int
    completed: Rate
    verdicts: Counts
    broken: Rate
    when_sound: Rate
    when_broken: Rate
    drop: Difference | None
    certain: bool
    lost: Rate
    value_lost: Money | None
    cost: Cost | None
    fine_but_left: Rate
    reasons: tuple[Counted, ...]
    instead: tuple[Counted, ...]


class AtTouchpoint(Part, frozen=True):
    """One touchpoint: what passes through it, and how it does for each mission.

    Attributes:
        interactions: All of them, also those of no mission.
        without_mission: How those went.
        journeys, value: What passed through it, over all missions.
        lost, value_lost: What it cost, over all missions.
    """

    touchpoint: str
    name: str
    channel: Channel | None
    owner: str
    moment_of_truth: bool
    brand_moment: bool
    interactions: int
    without_mission: Counts
    journeys: int
    value: tuple[Money, ...]
    lost: int
    value_lost: tuple[Money, ...]
    missions: tuple[AtMission, ...]


class Objective(Part, frozen=True):
    """A promise the company made itself, and whether it was kept.

    Attributes:
        what: `completion_rate_min`, `duration_max`, `touchpoints_max` or `effort_min`.
        target: A share, seconds, touchpoints, or effort.
        kept: Of all journeys those completed, or those as easy as promised; for time and
            touchpoints, of the completed journeys those within the target.
        met: The completion rate reaches the target; None for the others, which name no share.
    """

    what: str
    target: float
    kept: Rate
    met: bool | None


class Microjourney(Part, frozen=True):
    """A path that some customers share, and how it went for them."""

    path: tuple[str, ...]
    journeys: int
    completed: Rate
    frustrated: int
    abandoned: int
    effort: float
    duration: float


class Segment(Part, frozen=True):
    """One kind of customer, by a trait that the emitter sends."""

    segment: str
    journeys: int
    completed: Rate
    frustrated: int
    abandoned: int
    effort: float


class OfMission(Part, frozen=True):
    """How one mission does.

    Attributes:
        endings: Why those that were not completed ended, by the rule that decided.
        effort: The mean over its journeys, inferred from behaviour.
        duration: The median of the completed journeys; None where there is none.
        microjourneys: The most frequent, at most `MICROJOURNEYS_MAX`; `paths` is how many there
            are.
    """

    mission: str
    title: str
    journeys: int
    completed: Rate
    frustrated: int
    abandoned: int
    value: Money | None
    value_lost: Money | None
    endings: tuple[Counted, ...]
    effort: float
    duration: float | None
    objectives: tuple[Objective, ...]
    paths: int
    microjourneys: tuple[Microjourney, ...]
    segments: tuple[Segment, ...]


class Cell(Part, frozen=True):
    """One touchpoint on one channel: interactions, and how many of those judged broke."""

    touchpoint: str
    interactions: int
    broken: Rate


class Row(Part, frozen=True):
    """One channel of the matrix of channels and touchpoints, most used first."""

    channel: Channel
    interactions: int
    cells: tuple[Cell, ...]


class Effort(Part, frozen=True):
    """Effort as customers said it, beside effort as their behaviour shows it.

    Attributes:
        mission: None for all of them together.
        pairs: Journeys that have both.
        correlation: Spearman's rank correlation; None where it cannot be told.
        divisor: The divisor of the inferred effort that would fit these answers best; None below
            `PAIRS_MIN` pairs.
    """

    mission: str | None
    pairs: int
    asked: float
    inferred: float
    correlation: float | None
    divisor: float | None


class Overlooked(Part, frozen=True):
    """A kind of touchpoint that companies often overlook, and what is known of it here.

    Attributes:
        touchpoints: Those of the inventory; empty: it has none.
        seen: How many interactions they had.
    """

    kind: str
    touchpoints: tuple[str, ...]
    seen: int


class Report(Part, frozen=True):
    """Everything.

    Attributes:
        headline: The most important thing, in a sentence or two.
        explanation: What stands behind it; empty where there is no more to say.
        first, last: The times of the first and the last interaction; None where there is none.
        open_journeys: Begun and not ended; they count nowhere else.
        unknown_interactions: Of touchpoints that the inventory does not know.
        journeys_without_interactions: Older than the verdicts that are kept: they count, but
            nothing is known of what broke on their way.
        fine_but_left: Over all missions: journeys without any error of a system whose customer
            rang up because of a touchpoint, or did not get what they wanted.
        improve: Touchpoints that cost missions, the dearest first.
        touchpoints: Those that somebody met, those with most value passing through first.
        quiet: Touchpoints of the inventory that nobody reports.
        ordered_by: What `improve` goes by: `value`, or `missions` where a mission has none, or
            another currency.
        segment: The only kind of customers that it is about; None: all.
    """

    headline: str
    explanation: str
    mission: str | None
    first: datetime | None
    last: datetime | None
    customers: int
    interactions: int
    journeys: int
    completed: Rate
    frustrated: int
    abandoned: int
    value_lost: tuple[Money, ...]
    open_journeys: int
    unknown_interactions: int
    journeys_without_interactions: int
    fine_but_left: Rate
    improve: tuple[str, ...]
    touchpoints: tuple[AtTouchpoint, ...]
    missions: tuple[OfMission, ...]
    matrix: tuple[Row, ...]
    effort: tuple[Effort, ...]
    overlooked: tuple[Overlooked, ...]
    quiet: tuple[str, ...]
    ordered_by: Literal["value", "missions"]
    segment: str | None = None
