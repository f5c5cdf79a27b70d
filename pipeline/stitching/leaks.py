"""Slow leaks: a touchpoint that has been breaking more often for days, too little for an alarm.

The evidence of `evidence` asks whether it is broken now, and takes drift for normal. What rises
a little and stays is seen over hours and days instead: over six hours *and* three days the share
is, for certain, half as high again as it was before those days. Nobody is woken by it. All
numbers are (P); two windows and the long one's certainty are those of burn-rate alerting (Google,
The Site Reliability Workbook), where a ticket takes 6 h and 3 d.
"""

from typing import Final, Literal

import msgspec

from pipeline.stitching.baseline import SHRINK, Cell
from pipeline.stitching.minutes import wilson

BLOCK: Final = 3
"""Hours that are summed up together."""

SHORT: Final = 2
"""Blocks of the short window: six hours …"""

LONG: Final = 24
"""… and of the long one: three days."""

TIMES: Final = 1.5
"""How many times the usual share both have to exceed, for certain …"""

Z: Final = 3.09
"""… at the lower end of a one-sided 99.9 % interval."""

MENDED: Final = 1.25
"""Below so many times the usual share the short window counts as mended: midway (P)."""


class Leak(msgspec.Struct, array_like=True, gc=False):
    """What is kept of a series for this.

    Attributes:
        last: The first hour of the latest block.
        blocks: Votes and broken ones of the blocks of the last three days up to that one, latest
            last, without what was under alarm.
        before: All votes from before them, weighted by age.
    """

    last: int = 0
    blocks: list[tuple[int, int]] = []
    before: Cell = msgspec.field(default_factory=lambda: Cell(0))

    def add(self, hour: int, votes: int, broken: int) -> None:
        """Count an hour's votes; hours come in order."""
        at, blocks = hour // BLOCK * BLOCK, self.blocks
        if not blocks:
            blocks.append((0, 0))
        elif at > self.last:
            # As many empty blocks as there were without votes, but no more than a window holds.
            empty = min(LONG, (at - self.last) // BLOCK)
            for number in range(max(0, len(blocks) + empty - LONG)):
                age = (len(blocks) - 1 - number) * BLOCK
                self.before.add(self.last - age, *blocks[number])
            self.blocks = blocks = [*blocks, *[(0, 0)] * empty][-LONG:]
        self.last = max(self.last, at)
        blocks[-1] = blocks[-1][0] + votes, blocks[-1][1] + broken

    def over(self, blocks: int, hour: int) -> tuple[int, int]:
        """Votes and broken ones of the last blocks up to an hour."""
        passed = max(0, (hour - self.last) // BLOCK)
        recent = self.blocks[-(blocks - passed) :] if passed < blocks else []
        return sum(votes for votes, _ in recent), sum(broken for _, broken in recent)

    def usual(self, least: float) -> float:
        """The share that was usual before the last three days."""
        return max(least, self.before.broken / self.before.votes if self.before.votes else 0.0)

    def state(self, hour: int, least: float) -> Literal["leaks", "mended", "unclear"]:
        """How it looks at the end of an hour.

        Args:
            hour: Since 1970.
            least: No usual share below this is believed.
        """
        votes, broken = self.over(SHORT, hour)
        long_votes, long_broken = self.over(LONG, hour)
        usual = self.usual(least)
        known = self.before.votes >= max(SHRINK, long_votes)  # as surely as what is held against it
        most = TIMES * usual
        if known and broken > most * votes and long_broken > most * long_votes:
            lowest = min(wilson(votes, broken, Z), wilson(long_votes, long_broken, Z))
            if lowest > most:
                return "leaks"
        if votes and broken < MENDED * usual * votes:
            return "mended"
        return "unclear"
