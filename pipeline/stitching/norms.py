"""Norms: how long a step and a menu usually take, as the catalogue knows it.

They are data, measured on a log of the past: a running percentile would depend on what arrived
before, and on which partition.
"""

from datetime import timedelta
from typing import Final

import msgspec

SEEN_MIN: Final = 100
"""So many have to have been seen before a percentile says anything (P)."""


class StepNorm(msgspec.Struct, frozen=True, kw_only=True):
    """The best quarter of those who reached a step on one mission.

    Attributes:
        time_best: Seconds from the journey's interaction before that a quarter did not exceed.
        effort_best: Effort of the journey until then, 7 very easy to 1 very hard, that a quarter
            reached or surpassed.
    """

    time_best: float
    effort_best: float


class Norms(msgspec.Struct, frozen=True, kw_only=True):
    """All of them; where one is missing, the rule that needs it does not fire.

    Attributes:
        steps: By touchpoint and mission.
        nodes: By menu node - its location, or else its touchpoint: seconds from the start of the
            call until it was reached that 95 in 100 calls did not exceed.
        measuring: Verdicts tell what norms are made of, as reasons that weigh nothing.
    """

    steps: dict[tuple[str, str], StepNorm] = {}
    nodes: dict[str, float] = {}
    measuring: bool = False

    def ask(self, touchpoint: str, mission: str, after: timedelta) -> bool:
        """Whether it matters with what effort a step was reached so long after what came before.

        Most are slower than their norm, or have none.
        """
        if self.measuring:
            return True
        norm = self.steps.get((touchpoint, mission))
        return norm is not None and after.total_seconds() <= norm.time_best
