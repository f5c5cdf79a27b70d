"""Invented catalogues: missions that share steps, starts and intents, and thresholds of all sizes.

As a catalogue may be written, so nothing that `touchpoints check` refuses: no patience below a
session's gap, no step twice in one mission.
"""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import TypeVar

from pipeline.stitching.missions import Mission, Missions, Objectives, Phase
from pipeline.stitching.norms import Norms, StepNorm
from pipeline.stitching.rules import SESSION_RULES, Rules, SessionRule, VerdictRules
from tests.builders import INVENTORY
from tests.properties.stories import HOUR, MINUTE, SECOND

T = TypeVar("T")
NAMES = tuple(INVENTORY.entries)
INTENTS = ((), ("bill",), ("help",), ("read-up", "billing"))
CHANGES = (("web", "ivr"), ("web", "app"), ("chatbot", "agent"), ("ivr", "agent"), ("app", "web"))
AIMS = (
    Objectives(),
    Objectives(completion_rate_min=0.5, duration_max=10 * MINUTE, touchpoints_max=3),
    Objectives(duration_max=2 * SECOND, effort_min=5.0),
)


def catalogue(chance: Random) -> Rules:
    """Any that is likely to have been written by somebody, and many that are not."""
    missions = [_mission(f"m-{number}", chance) for number in range(chance.randint(1, 4))]
    usual = _verdicts(chance)
    return Rules(
        inventory=INVENTORY,
        missions=Missions(tuple(missions)),
        sessions=_sessions(chance),
        source_sessions={("kiosk", "web"): SessionRule(gap=MINUTE, hint="split")},
        verdicts=usual,
        mission_verdicts={one.name: _verdicts(chance) for one in missions if chance.random() < 0.3},
        norms=Norms(
            steps={
                (name, one.name): StepNorm(time_best=chance.choice((5.0, 300.0)), effort_best=5.0)
                for one in missions
                for name in chance.sample(NAMES, 4)
            },
            nodes={"main": 60.0},
        ),
        test_sources=frozenset({"test-robot"}),
        segment_property="plan",
    )


def _mission(name: str, chance: Random) -> Mission:
    starts = _some([one for one in NAMES if one != "asked"], 1, 3, chance)
    completes = _some(NAMES, 1, 2, chance)
    steps = chance.sample(NAMES, len(NAMES))
    patience = chance.choice((30 * MINUTE, HOUR, 2 * HOUR))
    return Mission(
        name=name,
        intents=chance.choice(INTENTS),
        starts=starts,
        completes=completes,
        frustrates=tuple(one for one in _some(NAMES, 0, 2, chance) if one not in completes),
        phases=tuple(
            Phase(name=f"p-{at}", steps=tuple(steps[3 * at : 3 * at + chance.randint(1, 3)]))
            for at in range(chance.randint(0, 3))
        ),
        patience=patience,
        resumes=chance.choice((None, patience + HOUR, 3 * HOUR, 24 * HOUR)),
        looks=frozenset(_some(starts, 0, len(starts), chance)),
        preludes=frozenset(_some(NAMES, 0, chance.choice((0, 2)), chance)),
        planned_changes=frozenset(_some(CHANGES, 0, 2, chance)),
        objectives=chance.choice(AIMS),
        value=chance.choice((None, 3.5)),
        repeat_within=chance.choice((None, None, HOUR, 2 * HOUR)),
        effort_divisor=chance.choice((3.0, 1.7)),
    )


def _some(among: Sequence[T], least: int, most: int, chance: Random) -> tuple[T, ...]:
    return tuple(chance.sample(among, chance.randint(least, most)))


def _sessions(chance: Random) -> dict[str, SessionRule]:
    def rule(**given: timedelta) -> SessionRule:
        length = chance.choice((24 * HOUR, 2 * HOUR, HOUR))
        return SessionRule(length_max=length, hint=chance.choice(("honour", "split")), **given)

    rules = dict(SESSION_RULES)
    if chance.random() < 0.4:
        rules["web"] = rule(gap=chance.choice((30 * MINUTE, 10 * MINUTE)))
        rules["app"] = rule(background_gap=chance.choice((5 * MINUTE, 2 * SECOND)))
    if chance.random() < 0.4:
        rules["ivr"], rules["chatbot"] = rule(), rule()
    return rules


def _verdicts(chance: Random) -> VerdictRules:
    few = (1, 2, 3)
    return VerdictRules(
        fallbacks_max=chance.choice(few),
        fallbacks_before_end_max=chance.choice(few),
        repeated_intent_min=chance.choice((2, 3)),
        no_match_min=chance.choice((2, 3)),
        menu_repeat_min=chance.choice((2, 3)),
        transfers_min=chance.choice(few),
        dead_clicks_min=chance.choice(few),
        validation_errors_min=chance.choice((2, 3)),
        csat_excellent_min=chance.choice((4, 5)),
        leak_strong=chance.choice((30 * MINUTE, 5 * MINUTE)),
        leak_normal=chance.choice((24 * HOUR, 2 * HOUR)),
        call_continues=chance.choice((10 * MINUTE, 2 * SECOND)),
        called_again=chance.choice((168 * HOUR, 2 * HOUR)),
        came_back=chance.choice((24 * HOUR, 90 * MINUTE)),
    )
