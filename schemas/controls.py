"""Control records: what stages tell each other, about customers and about time.

Beside touchpoints, that topic carries these. Each is harmless when repeated: a hand-over is
a union of sets, a recall and a reroute say the whole truth about one identifier, with a version.
Between one sender and one receiver they have to keep their order; otherwise they may cross.
"""

from datetime import datetime

import msgspec

from schemas.records import Channel, Judgement, Reason, Record

Hop = tuple[str, int]
"""An identifier by which an interaction was passed on, and the version of its timeline then."""


class Interaction(msgspec.Struct, array_like=True, gc=False):
    """A touchpoint as the stitch stage keeps it: what it takes to fold it again, and what came out.

    Attributes:
        id: The touchpoint's.
        at: When it occurred; within a session in the order of the emitter's numbers, see
            `pipeline.stitching.order`.
        device: Its primary identifier: where no session id was supplied, the session's key.
        path: The hops by which it came to its customer, first to last.
        stamps: Last revision of each result that it opened - `session`, or a mission's name -
            negative where that result was absorbed; None where nothing had to be remembered.
        revision: Last revision of its verdict.
        touchpoint, session, journey, verdict, reasons, progress: Derived by the fold.
        segment: The customer's segment, where the touchpoint tells it.
        variants: Under which releases and variants it happened, each as `name=value`.
        fields: What a form refused, or a bot learnt; see `pipeline.stitching.fields`.
        sequence: The emitter's number of it within its session; -1 for none.
        clock: What the emitter's clock said, where the numbers say otherwise.
        dealt: The time that it was dealt among interactions of which some are no longer kept.
    """

    id: str
    at: datetime
    channel: Channel
    name: str
    location: str | None
    intent: str | None
    hint: str | None
    source: str
    signals: tuple[str, ...]
    rating: tuple[str, float] | None
    device: str
    path: tuple[Hop, ...]
    revision: int = 0
    stamps: dict[str, int] | None = None
    touchpoint: str = ""
    session: int = -1
    journey: int = -1
    verdict: Judgement | None = None
    reasons: tuple[Reason, ...] = ()
    progress: bool = False
    segment: str | None = None
    variants: tuple[str, ...] = ()
    fields: tuple[tuple[str, int], ...] = ()
    sequence: int = -1
    clock: datetime | None = None
    dealt: datetime | None = None

    @property
    def ref(self) -> str:
        """What names the touchpoint among all touchpoints; see `schemas.records.ref_of`."""
        return f"{self.source}/{self.id}"  # asked of each that arrives


class Control(Record, frozen=True, tag_field="control", tag=str.lower):
    """What one stage tells the customer it is addressed to."""


class Reroute(Control, frozen=True):
    """This identifier's touchpoints belong to these customers, each from a time on.

    Attributes:
        identifier: The identifier whose own customer is addressed.
        version: Of its timeline; the highest is the truth.
        owners: (from, customer), sorted; the first also owns what came before it. Empty: its own.
        keep: Whether touchpoints may still be addressed to its own customer, so that the
            forwarding must be remembered.
        at: Event time of what showed it.
        touchpoint, source: Its id and source.
    """

    identifier: str
    version: int
    owners: tuple[tuple[datetime, str], ...]
    keep: bool
    at: datetime
    touchpoint: str
    source: str = ""


class Recall(Control, frozen=True):
    """This identifier belongs to others by now: give up what came by it and is theirs.

    The identifier's are those interactions whose `path` holds it under an earlier version.

    Attributes:
        identifier: Whose timeline changed.
        version: Of its timeline; the highest is the truth.
        owners: As in a reroute.
        since: What is earlier stays where it is, since claims that old were forgotten.
        at: Event time of what showed it.
    """

    identifier: str
    version: int
    owners: tuple[tuple[datetime, str], ...]
    since: datetime | None
    at: datetime


class Handover(Control, frozen=True):
    """A set of interactions that now belong to the addressed customer."""

    giver: str
    interactions: tuple[Interaction, ...]


class Erase(Control, frozen=True):
    """A customer is to be forgotten: an operator's word to one of the identifiers concerned.

    The identifier passes it on to its own customer. What was received by then and comes later is
    the forgotten customer's still, and is dropped; what is received later is new.

    Attributes:
        identifier: Who is addressed, by its own key or its customer's.
        names: All identifiers that only the forgotten customer had.
        at: When it was ordered, by the wall clock.
    """

    identifier: str
    names: tuple[str, ...]
    at: datetime


class Reached(Control, frozen=True):
    """How far event time has come in one partition of the stage before.

    Goes to every partition of the stage that reads it, behind all that was sent until then. That
    stage's time is the earliest of what all partitions before it have reached: what one of them
    has still to send does not come late because another is ahead.

    Attributes:
        source: The number of the partition.
        sources: How many partitions there are.
        at: Event time that is no longer waited for.
    """

    source: int
    sources: int
    at: datetime


class Fault(Control, frozen=True):
    """A touchpoint that the addressed one needs is broken, or no longer is.

    Attributes:
        touchpoint: Which.
        alert: The id of its alert; None where none fires.
    """

    touchpoint: str
    alert: str | None


class Presence(Control, frozen=True):
    """Whether customers still come by a touchpoint: goes to where that is compared for all of them.

    Attributes:
        touchpoint: Which.
        heard: The minute of its latest vote, since 1970.
        window: In how many minutes silence would show; 0 while too little is known of it.
        silent: The minute since which it is silent, judged by itself; -1: it is not.
        expected: How many votes that window brings usually.
        evidence: Minus the logarithm of the chance of so few.
        at: The minute that event time had come to; 0 where that is `heard`.
        votes, broken: How many it has seen, weighted by age, outside of alarms.
        sources: By which sources it is heard of.
    """

    touchpoint: str
    heard: int
    window: int
    silent: int = -1
    expected: float = 0.0
    evidence: float = 0.0
    at: int = 0
    votes: float = 0.0
    broken: float = 0.0
    sources: tuple[str, ...] = ()


class Usual(Control, frozen=True):
    """What the other touchpoints of the addressed one's channel are like.

    Attributes:
        share: The share of their votes that is broken usually.
    """

    share: float
