"""Standing: whether what the console shows can be believed, in one sentence.

A pipeline that stalls, a log that cannot be read, a console that lags behind and a silent world are
four different things, and none of them is "all fine".
"""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from pipeline.console.feeding import Fed
from pipeline.console.store import moment
from pipeline.reporting.wording import counted, duration

Level = Literal["fine", "quiet", "catching-up", "starting", "empty", "stalled", "failed"]

UNHEARD_AFTER: Final = timedelta(seconds=10)
"""The pipeline says every second how it stands; after so long without, it does not answer (P)."""

STALLED_AFTER: Final = timedelta(seconds=60)
"""Touchpoints that wait so long while none is processed show that the pipeline stands still (P)."""

QUIET_AFTER: Final = timedelta(minutes=15)
"""After so long without a touchpoint, what is shown is called old (P)."""

BEHIND_MAX: Final = 5_000
"""Records that the console may lag behind without saying so: a second's work (P)."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A listener or worker that was asked how it stands.

    Attributes:
        address: Of its operations port.
        works: Whether it is a worker.
        partitions: That it owns.
        lag: Records that wait for it.
        received: Touchpoints that it took in since it began.
        problem: What is wrong with it; empty where nothing is.
    """

    address: str
    works: bool = False
    partitions: int = 0
    lag: int = 0
    received: int = 0
    problem: str = ""


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """How the processes that listen and stitch stand, as they say themselves, every few seconds.

    Attributes:
        at: When they said so.
        ready, reason: Whether it accepts and processes; why not.
        ailing: What is wrong with some of several processes; empty where nothing is.
        backlog: Touchpoints that are durable and not processed.
        processed_at: When a touchpoint was last processed; None: none since it began.
        lag: Seconds that the oldest of the backlog has waited; of several processes, at least.
        lags: Records that wait, by topic; of workers.
        appended: Records by topic.
        received: Touchpoints by channel, since it began.
        rejected: Refused items by reason, since it began.
        accounts: By source: accepted, results, dead letters, repeats, identity only, erased,
            in flight, unaccounted for.
        processes: Those that were asked, where it is not the one beside which the console runs.
    """

    at: datetime
    ready: bool
    reason: str = ""
    ailing: str = ""
    backlog: int = 0
    processed_at: datetime | None = None
    lag: float = 0.0
    lags: dict[str, int] = {}
    appended: dict[str, int] = {}
    received: dict[str, int] = {}
    rejected: dict[str, int] = {}
    accounts: dict[str, tuple[int, ...]] = {}
    processes: tuple[Process, ...] = ()

    def with_lag(self, seconds: float) -> "Vitals":
        """The same, with how long the oldest has waited."""
        return msgspec.structs.replace(self, lag=seconds)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The answer.

    Attributes:
        level: `fine` where what is shown is true of now.
        sentence: What is the matter; empty where nothing is.
        as_of: When the newest event happened.
        quiet_for: How long ago that was.
    """

    level: Level
    sentence: str = ""
    as_of: datetime | None = None
    quiet_for: timedelta = timedelta(0)

    @property
    def trusted(self) -> bool:
        """Whether "nothing is broken" may be said."""
        return self.level == "fine"


def standing_of(latest: int | None, fed: Fed, vitals: Vitals | None, now: datetime) -> Standing:
    """How far the pages can be believed.

    Args:
        latest: When the newest event happened, in milliseconds.
        fed: How far the store is.
        vitals: What the pipeline last said of itself; None where it is another process's.
        now: The wall clock.
    """
    as_of = None if latest is None else moment(latest)
    silence = timedelta(0) if as_of is None else max(timedelta(0), now - as_of)

    def stands(level: Level, sentence: str) -> Standing:
        return Standing(level=level, sentence=sentence, as_of=as_of, quiet_for=silence)

    if (stopped := _stopped(vitals, now)) is not None:
        return stands("stalled", stopped)
    if fed.failure and latest is not None:
        return stands("failed", f"The results cannot be read: {fed.failure}.")
    if fed.failure:
        return stands("failed", f"There are no results to read yet: {fed.failure}.")
    if not fed.caught_up:
        waits = f", {counted(fed.behind, 'record')} to go" if fed.behind else ""
        return stands("starting", f"The console is reading the results{waits}.")
    if as_of is None:
        return stands("empty", "No touchpoint has come in yet.")
    if fed.behind > BEHIND_MAX:
        return stands(
            "catching-up", f"The console is behind: {counted(fed.behind, 'record')} to go."
        )
    if silence > QUIET_AFTER:
        ago = duration(silence.total_seconds())
        return stands("quiet", f"No touchpoint has come in for {ago}: this is how it stood then.")
    return stands("fine", "")


def _stopped(vitals: Vitals | None, now: datetime) -> str | None:
    """What is wrong with the pipeline itself; None where nothing is, or it is not ours to know."""
    if vitals is None:
        return None
    unheard = now - vitals.at
    if unheard > UNHEARD_AFTER:
        return f"The pipeline has not answered for {duration(unheard.total_seconds())}."
    if not vitals.ready:
        return f"The pipeline does not work: {vitals.reason}."
    if vitals.ailing:
        return f"Not all of the pipeline works: {vitals.ailing}."
    idle = vitals.processed_at is None or now - vitals.processed_at > STALLED_AFTER
    if vitals.backlog and idle and vitals.lag > STALLED_AFTER.total_seconds():
        waits = counted(vitals.backlog, "touchpoint")
        return f"The pipeline stands still: {waits} wait, for {duration(vitals.lag)} by now."
    return None
