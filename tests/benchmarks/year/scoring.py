"""What the pipeline published, held against what was wanted and got.

Whose a published journey is, is a matching: pairs of an intention and a journey that share
touchpoints, the most similar first - shared touchpoints by those of either (Jaccard) - each
intention and each journey once; of equal pairs the lower numbers. What is left over is a journey
too many or an intention missed. A journey that matches nothing is charged to the intention that
most of its touchpoints are of. The match looks at no mission and no outcome.
"""

from array import array
from collections import Counter
from typing import Final, NamedTuple

from schemas.records import JourneyOutcome, Verdict
from tests.benchmarks.year.truth import HIDES_CUSTOMER, Truth, Veil, observable

NO_MISSION: Final = Veil.NOT_IN_CATALOGUE | Veil.MACHINE | Veil.SLOW_MACHINE
"""Who is under one of these wants nothing that the catalogue describes."""

ENDED: Final = ("completed", "frustrated", "abandoned")
NONE: Final = "nothing"


class Published:
    """The last revision of everything published; compact, as the truth is.

    Number 0 of journeys is none.
    """

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._numbers: dict[str, int] = {}
        self._customers: dict[str, int] = {}
        self.journey_of, self.customer_of = array("I"), array("I")
        self.mission, self.outcome, self.broke_at = (array("H", [0]) for _ in range(3))
        self.judged = array("B")
        self.revisions = 0

    def take(self, record: object) -> None:
        """A record of any topic, in the order of publishing."""
        if isinstance(record, Verdict):
            serial = int(record.id[1:])
            grow = serial + 1 - len(self.journey_of)
            if grow > 0:
                self.journey_of.extend([0] * grow)
                self.customer_of.extend([0] * grow)
                self.judged.extend([0] * grow)
            journey = record.journey_id
            self.journey_of[serial] = 0 if journey is None else self._number(journey)
            self.customer_of[serial] = self._customers.setdefault(
                record.customer, len(self._customers) + 1
            )
            self.judged[serial] = 1 + (record.verdict == "broken")
        elif isinstance(record, JourneyOutcome):
            number, word = self._number(record.journey_id), self._truth.number
            self.mission[number] = word(record.mission)
            self.outcome[number] = word(record.outcome)
            self.broke_at[number] = word(record.broke_at or "")
            self.revisions += record.revision > 1

    def _number(self, journey: str) -> int:
        known = self._numbers.get(journey)
        if known is None:
            known = self._numbers[journey] = len(self.mission)
            for column in (self.mission, self.outcome, self.broke_at):
                column.append(0)
        return known


class Case(NamedTuple):
    """An intention with its journey, either of them absent (0) where the other stands alone.

    Attributes:
        intention: 0 for a journey too many.
        journey: 0 for an intention missed.
        charged: The intention it is charged to.
        veils: That one's.
    """

    intention: int
    journey: int
    charged: int
    veils: Veil


class Ratio(NamedTuple):
    """Right ones among the true and among the published."""

    right: int
    true: int
    published: int

    @property
    def recall(self) -> float:
        return self.right / self.true if self.true else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.published if self.published else 1.0


class Score:
    """The cases, and what can be counted over them."""

    def __init__(self, truth: Truth, published: Published) -> None:
        self.truth, self.published = truth, published
        self.touched = Counter(truth.intention_of)
        overlaps = Counter(zip(truth.intention_of, published.journey_of, strict=False))
        self.cases = _cases(truth, published, overlaps, self.touched)

    def mission(self, cases: list[Case]) -> Ratio:
        """How often the mission was told, over those that the catalogue has."""
        right = sum(self._same_mission(case) for case in cases)
        return Ratio(right, *self._counts(cases))

    def outcome(self, cases: list[Case], outcome: str) -> Ratio:
        """How often one outcome was told; the mission has to be right, too."""
        pairs = [(*self.outcomes(case), self._same_mission(case)) for case in cases]
        return Ratio(
            sum(same and true == said == outcome for true, said, same in pairs),
            sum(true == outcome for true, _, _ in pairs),
            sum(said == outcome for _, said, _ in pairs),
        )

    def broke_at(self, cases: list[Case]) -> Ratio:
        """How often the touchpoint that cost it was named."""
        right = true = said = 0
        for case in cases:
            named = self.truth.broke_at[case.intention] if self.wanted(case) else 0
            found = self.published.broke_at[case.journey]
            true += named > 0
            said += found > 0
            right += named == found > 0
        return Ratio(right, true, said)

    def wanted(self, case: Case) -> bool:
        """Whether the case has an intention that the catalogue knows."""
        return case.intention > 0 and not case.veils & NO_MISSION

    def outcomes(self, case: Case) -> tuple[str, str]:
        """What was got and what was published."""
        words = self.truth.words
        true = words[self.truth.outcome[case.intention]] if self.wanted(case) else NONE
        return true, words[self.published.outcome[case.journey]] or NONE

    def seen(self, what: str) -> list[Case]:
        """The cases in which an ideal observer could tell."""
        return [case for case in self.cases if observable(case.veils, what)]

    def people_mixed(self) -> tuple[int, int]:
        """Journeys that hold two people's touchpoints; those of them without an excuse."""
        truth, of = self.truth, self.published.journey_of
        first: dict[int, int] = {}
        mixed: dict[int, bool] = {}
        for serial, journey in enumerate(of):
            if not journey:
                continue
            person = truth.person_of[serial]
            if first.setdefault(journey, person) != person:
                mixed[journey] = True
        excused = {
            of[serial]
            for serial, intention in enumerate(truth.intention_of)
            if of[serial] in mixed and truth.veils[intention] & HIDES_CUSTOMER
        }
        return len(mixed), len(mixed.keys() - excused)

    def people_split(self) -> tuple[int, int, int]:
        """Intentions split over several customers; those without an excuse, and of how many."""
        first: dict[int, int] = {}
        split: set[int] = set()
        customer_of = self.published.customer_of
        for serial, intention in enumerate(self.truth.intention_of):
            customer = customer_of[serial]
            if intention and customer and first.setdefault(intention, customer) != customer:
                split.add(intention)
        veils = self.truth.veils
        fair = sum(not veils[one] & HIDES_CUSTOMER for one in first)
        return len(split), sum(not veils[one] & HIDES_CUSTOMER for one in split), fair

    def touchpoints_right(self) -> tuple[int, int]:
        """Touchpoints of observable missions that are in their intention's journey, of how many."""
        home = {case.intention: case.journey for case in self.seen("mission") if case.intention}
        right = count = 0
        for intention, journey in zip(
            self.truth.intention_of, self.published.journey_of, strict=False
        ):
            if intention in home:
                count += 1
                right += journey == home[intention] != 0
        return right, count

    def _same_mission(self, case: Case) -> bool:
        if not (case.journey and self.wanted(case)):
            return False
        return self.truth.mission[case.intention] == self.published.mission[case.journey]

    def _counts(self, cases: list[Case]) -> tuple[int, int]:
        return sum(self.wanted(case) for case in cases), sum(case.journey > 0 for case in cases)


def _cases(
    truth: Truth,
    published: Published,
    overlaps: Counter[tuple[int, int]],
    touched: Counter[int],
) -> list[Case]:
    words = truth.words
    live = {number for number, outcome in enumerate(published.outcome) if words[outcome] in ENDED}
    held = Counter(published.journey_of)
    pairs: list[tuple[float, int, int]] = []
    most: dict[int, tuple[int, int]] = {}
    for (intention, journey), count in overlaps.items():
        if journey in live:
            union = touched[intention] + held[journey] - count
            pairs.append((-count / union, intention, journey))
            most[journey] = max(most.get(journey, (0, 0)), (count, -intention))
    pairs.sort()
    most_of = {journey: -intention for journey, (_, intention) in most.items()}
    return _paired(truth, pairs, live, most_of, touched)


def _paired(
    truth: Truth,
    pairs: list[tuple[float, int, int]],
    live: set[int],
    most_of: dict[int, int],
    touched: Counter[int],
) -> list[Case]:
    cases: list[Case] = []
    taken: set[int] = set()
    met: set[int] = set()
    for _, intention, journey in pairs:
        if intention and intention not in met and journey not in taken:
            met.add(intention)
            taken.add(journey)
            cases.append(Case(intention, journey, intention, Veil(truth.veils[intention])))
    for intention in touched:
        if intention and intention not in met:
            cases.append(Case(intention, 0, intention, Veil(truth.veils[intention])))
    for journey in live - taken:
        charged = most_of.get(journey, 0)
        cases.append(Case(0, journey, charged, Veil(truth.veils[charged])))
    return cases
