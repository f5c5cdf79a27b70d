"""The score as Markdown tables, and single mistakes as stories."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

from tests.benchmarks.year.running import Year
from tests.benchmarks.year.scoring import ENDED, NO_MISSION, NONE, Case, Ratio, Score
from tests.benchmarks.year.truth import EXPLAINED, Veil, observable


def report(year: Year) -> Iterator[str]:
    """All tables."""
    score = year.score
    yield from _what_happened(year)
    yield from _told(score)
    yield from _confusion(score)
    yield from _by_mission(score)
    yield from _people(score)
    yield from _hidden(score)


def _what_happened(year: Year) -> Iterator[str]:
    score = year.score
    wanted = sum(score.wanted(case) for case in score.cases)
    published = sum(case.journey > 0 for case in score.cases)
    yield "\n### The year\n"
    yield "| | |\n| --- | --- |"
    yield f"| customers, days, seed | {year.customers:,}, {year.days}, {year.seed} |"
    yield f"| records that arrived | {year.touchpoints:,} |"
    yield f"| records lost on the way | {year.world.post.lost:,} |"
    yield f"| wishes with a mission, seen at all | {wanted:,} |"
    yield f"| journeys published | {published:,} |"
    yield f"| dead letters | {year.dead or 'none'} |"
    yield f"| CPU, simulation and scoring | {year.simulating:.0f} s |"
    yield f"| CPU, pipeline | {year.piping:.0f} s |"
    yield f"| memory at most | {year.memory / 2**20:,.0f} MiB |"


def _told(score: Score) -> Iterator[str]:
    yield "\n### Told right\n"
    yield "| | observable: recall | precision | of | all: recall | precision | of |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    everything = score.cases
    yield _row("mission", score.mission(score.seen("mission")), score.mission(everything))
    seen = score.seen("outcome")
    for outcome in ENDED:
        yield _row(outcome, score.outcome(seen, outcome), score.outcome(everything, outcome))
    yield _row("`broke_at`", score.broke_at(score.seen("broke_at")), score.broke_at(everything))


def _row(name: str, seen: Ratio, everything: Ratio) -> str:
    cells = []
    for ratio in (seen, everything):
        cells += [f"{ratio.recall:.4f}", f"{ratio.precision:.4f}", f"{ratio.true:,}"]
    return f"| {name} | {' | '.join(cells)} |"


def _confusion(score: Score) -> Iterator[str]:
    yield "\n### Outcomes, where observable: what was true against what was published\n"
    yield f"| true | {' | '.join((*ENDED, NONE))} |"
    yield "| --- " * 5 + "|"
    counts = Counter(score.outcomes(case) for case in score.seen("outcome"))
    for true in (*ENDED, NONE):
        cells = [f"{counts[true, said]:,}" for said in (*ENDED, NONE)]
        yield f"| {true} | {' | '.join(cells)} |"


def _by_mission(score: Score) -> Iterator[str]:
    yield "\n### By mission, where observable: recall / precision\n"
    yield f"| mission | mission | {' | '.join(ENDED)} | `broke_at` |"
    yield "| --- " * 6 + "|"
    names = sorted({score.truth.words[m] for m in score.truth.mission[1:]})
    for name in names:
        number = score.truth.number(name)
        seen = [c for c in score.seen("mission") if score.truth.mission[c.charged] == number]
        if not any(score.wanted(case) for case in seen):
            continue
        outcome = [c for c in seen if observable(c.veils, "outcome")]
        broke = [c for c in seen if observable(c.veils, "broke_at")]
        ratios = [
            score.mission(seen),
            *(score.outcome(outcome, one) for one in ENDED),
            score.broke_at(broke),
        ]
        cells = [f"{r.recall:.3f} / {r.precision:.3f} ({r.true:,})" for r in ratios]
        yield f"| {name} | {' | '.join(cells)} |"


def _people(score: Score) -> Iterator[str]:
    mixed, unexcused = score.people_mixed()
    split, unexcused_split, fair = score.people_split()
    right, count = score.touchpoints_right()
    yield "\n### Who is who\n"
    yield "| | in all | where observable |\n| --- | --- | --- |"
    yield f"| journeys with two people's touchpoints | {mixed:,} | {unexcused:,} |"
    share = unexcused_split / max(1, fair)
    yield (
        f"| wishes of one person that are several customers' | {split:,} | {unexcused_split:,} "
        f"of {fair:,} ({share:.2%}) |"
    )
    yield f"| touchpoints in the journey of their wish | | {right / max(1, count):.4f} |"


def _hidden(score: Score) -> Iterator[str]:
    """One row for each veil; a case under several is counted in each."""
    yield "\n### Where the records do not tell\n"
    yield "| why | cases | mission right | outcome right | `broke_at` right |"
    yield "| --- | --- | --- | --- | --- |"
    by_veil: dict[Veil, list[Case]] = defaultdict(list)
    for case in score.cases:
        for veil in case.veils:
            by_veil[veil].append(case)
    for veil, why in EXPLAINED.items():
        cases = by_veil[veil]
        wanted = [case for case in cases if score.wanted(case)]
        if veil & NO_MISSION:
            journeys = sum(case.journey > 0 for case in cases)
            count = len({case.charged for case in cases})
            yield f"| {why} | {count:,}, with {journeys:,} journeys published | | | |"
            continue
        mission = score.mission(wanted)
        right = sum(score.outcome(wanted, outcome).right for outcome in ENDED)
        broke = score.broke_at(wanted)
        yield (
            f"| {why} | {len(wanted):,} | {mission.recall:.2f} | {right / max(1, len(wanted)):.2f} "
            f"| {broke.recall:.2f} of {broke.true:,} |"
        )


def examples(year: Year, each: int) -> Iterator[str]:
    """Mistakes where the truth was observable, some of each kind, with the path."""
    score = year.score
    kinds: dict[str, list[Case]] = defaultdict(list)
    words = score.truth.words
    for case in score.cases:
        if not observable(case.veils, "mission"):
            continue
        true, said = score.outcomes(case)
        mission = words[score.truth.mission[case.intention]] if score.wanted(case) else ""
        found = words[score.published.mission[case.journey]]
        if not score.wanted(case) and not case.journey:
            continue
        if mission != found:
            kinds[f"mission {mission or NONE} -> {found or NONE}"].append(case)
        elif not observable(case.veils, "outcome"):
            continue
        elif true != said:
            kinds[f"outcome {mission}: {true} -> {said}"].append(case)
        elif observable(case.veils, "broke_at"):
            named = words[score.truth.broke_at[case.intention]]
            found = words[score.published.broke_at[case.journey]]
            if named != found:
                kinds[f"broke_at {mission}: {named or NONE} -> {found or NONE}"].append(case)
    paths: dict[int, list[int]] = defaultdict(list)
    wanted = {case.charged for cases in kinds.values() for case in cases[:each]}
    for serial, intention in enumerate(score.truth.intention_of):
        if intention in wanted:
            paths[intention].append(serial)
    for kind, cases in sorted(kinds.items(), key=lambda one: -len(one[1])):
        yield f"\n{len(cases)} x {kind}"
        for case in cases[:each]:
            yield from _story(score, case, paths[case.charged])


def _story(score: Score, case: Case, path: list[int]) -> Iterator[str]:
    truth, published = score.truth, score.published
    yield f"  wish {case.charged}, journey {case.journey}:"
    for serial in path:
        at = datetime.fromtimestamp(truth.at[serial], UTC)
        mark = " BROKEN" if published.judged[serial] == 2 else ""
        yield (
            f"    {at:%m-%d %H:%M:%S} {truth.words[truth.touched[serial]]:24} journey "
            f"{published.journey_of[serial]} customer {published.customer_of[serial]}{mark}"
        )
