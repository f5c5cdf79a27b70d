"""The records that cross a topic, as frozen structs.

They are the whole vocabulary that listeners and pipeline share. `schemas/contracts/` holds the
JSON Schema of each, written from here; a test fails when the two differ. What people and vendors
write is validated elsewhere (`schemas/inbound.py`); what stands here is trusted once decoded.

Times are aware and in UTC. A field may be added with a default, never changed or removed.
"""

from datetime import datetime
from typing import Final, Literal

import msgspec

Channel = Literal["web", "app", "chatbot", "ivr", "agent", "survey"]
SessionState = Literal["open", "closed", "absorbed"]
Outcome = Literal["completed", "frustrated", "abandoned", "open", "absorbed"]
Judgement = Literal["broken", "functional", "excellent"]
IdentityMove = Literal["linked", "merged", "unlinked", "erased"]
Scale = Literal["ces", "nps", "csat"]
AlertState = Literal["firing", "resolved", "retracted"]

CHANNELS: Final[tuple[Channel, ...]] = ("web", "app", "chatbot", "ivr", "agent", "survey")


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A value that crosses a topic. Unknown fields of a newer version are ignored."""


class Rating(Record, frozen=True):
    """A customer's own answer. CES runs 1-7 (7 very easy), NPS 0-10, CSAT 1-5."""

    scale: Scale
    value: float


def ref_of(source: str, id_: str) -> str:
    """What names a touchpoint among all of them: ids are their sources' own, and two give `1`."""
    return f"{source}/{id_}"


class Touchpoint(Record, frozen=True):
    """One interaction, as one channel saw it.

    Attributes:
        id: The emitter's id, or one derived from the content. Repeats are absorbed by it, within
            a source: two sources may give one id to two touchpoints.
        source: The source that the write key names.
        channel: The road it came by.
        name: What happened, as the emitter calls it.
        occurred_at: When it happened, by the emitter's clock, corrected where that is wrong.
        received_at: When the listener had it.
        location: Page path, screen, intent or menu node.
        identifiers: Type to value; personal values only as keyed hashes.
        session_hint: The emitter's session, conversation or call id.
        signals: Channel-neutral facts such as `rage_click` or `http_5xx`.
        intent: What the customer wants, as the emitter understood it.
        rating: The customer's own answer to a question about this interaction.
        properties: Whatever else the emitter sent: one JSON object, kept as its bytes.
        sequence: The emitter's number of it within its session, counting up. Where it is given, it
            decides the order there, before the time.
    """

    id: str
    source: str
    channel: Channel
    name: str
    occurred_at: datetime
    received_at: datetime
    location: str | None = None
    identifiers: dict[str, str] = {}
    session_hint: str | None = None
    signals: tuple[str, ...] = ()
    intent: str | None = None
    rating: Rating | None = None
    properties: msgspec.Raw = msgspec.Raw(b"{}")
    sequence: int | None = None

    @property
    def ref(self) -> str:
        """What names it among all touchpoints."""
        return ref_of(self.source, self.id)


class Link(Record, frozen=True):
    """One identifier was shown to be owned by a stronger one. Topic `links`, key `identifier`.

    Attributes:
        identifier: Whom it concerns, as `type:value`.
        anchor: The stronger identifier it was shown with, as `type:value`.
        at: The event time from which it holds.
        origin: The identifier and span of time that show it; the device that met both; or what
            is held. Of two links with the same origin and anchor one replaces the other.
        reason: `shown_together`, `alias` or `device_met_both`; `holds` tells an owner of what it
            owns by now, `cap` tells that it owns too much.
        touchpoint: The id of the touchpoint that showed it.
        revoked: The link no longer holds.
        source: The source of that touchpoint.
    """

    identifier: str
    anchor: str
    at: datetime
    origin: str
    reason: Literal["shown_together", "alias", "device_met_both", "holds", "cap"]
    touchpoint: str
    revoked: bool = False
    source: str = ""


class IdentityChange(Record, frozen=True):
    """Something was learnt, or unlearnt, about who is who. Topic `identity-changes`.

    Attributes:
        customer: Whom it concerns: the customer an identifier now belongs to, or no longer
            belongs to, or who is absorbed.
        change: `linked`, `merged` (into `into`), `unlinked`, `erased`.
        at: Event time of the change.
        reason: The rule that decided.
        identifier: The identifier that was linked or unlinked.
        into: The survivor of a merge.
        touchpoint: The id of the touchpoint that showed it.
        source: The source of that touchpoint.
    """

    customer: str
    change: IdentityMove
    at: datetime
    reason: str
    identifier: str | None = None
    into: str | None = None
    touchpoint: str | None = None
    source: str = ""


class Counts(Record, frozen=True):
    """How many verdicts of each kind."""

    broken: int = 0
    functional: int = 0
    excellent: int = 0


class Reason(Record, frozen=True):
    """A rule that fired, and the value that made it fire."""

    rule: str
    value: str | float | int | None = None


class Session(Record, frozen=True):
    """One customer's touchpoints on one channel without a silence longer than the gap.

    Attributes:
        session_id: Derived from the touchpoint that opened it; kept by every revision.
        revision: 1, 2, …; the highest is the truth.
        state: `absorbed` is the last word on a session that another one, `absorbed_by`, took over.
        count: How many touchpoints.
        microjourney: The touchpoints of the inventory in order, neighbours that repeat once,
            cut after `MICROJOURNEY_LENGTH_MAX`.
        verdicts: How many interactions were judged broken, functional, excellent.
    """

    session_id: str
    revision: int
    state: SessionState
    customer: str
    channel: Channel
    started_at: datetime
    ended_at: datetime
    count: int
    microjourney: tuple[str, ...]
    verdicts: Counts
    absorbed_by: str | None = None
    machine: bool = False


class Verdict(Record, frozen=True):
    """How one interaction went, in the context of its mission.

    Attributes:
        id: The touchpoint's own id; what names the verdict is that and `source`.
        revision: 1, 2, …; the highest is the truth.
        touchpoint: Its id in the inventory; `other` where the inventory does not know it.
        verdict: None where nothing is judged: a machine, a call too short, a test source, a survey
            that refers to no interaction.
        reasons: The rules that fired, with their values.
        occurred_at: When it happened. Where the emitter numbers its session, the times of that are
            dealt out in the order of the numbers.
        moment_of_truth: Here customer or company decides whether to go on, the inventory says.
        brand_moment: Here a positive surprise binds most, the inventory says.
        source: The touchpoint's own; empty in records of before it was told.
    """

    id: str
    revision: int
    touchpoint: str
    channel: Channel
    customer: str
    session_id: str
    journey_id: str | None
    mission: str | None
    phase: str | None
    step: str | None
    verdict: Judgement | None
    reasons: tuple[Reason, ...]
    occurred_at: datetime
    moment_of_truth: bool = False
    brand_moment: bool = False
    source: str = ""

    @property
    def ref(self) -> str:
        """What names the touchpoint among all touchpoints, and so the verdict."""
        return ref_of(self.source, self.id)


class JourneyOutcome(Record, frozen=True):
    """How one customer's journey towards one mission ended.

    Attributes:
        journey_id: Derived from the mission and the touchpoint that opened it.
        revision: 1, 2, …; the highest is the truth.
        outcome: `completed`, `frustrated` or `abandoned`. Two more words take back what was said
            too early: `open` (a late touchpoint shows that it has not ended yet) and `absorbed`
            (it turned out to be part of journey `absorbed_by`).
        reason: The rule that decided: `completing_touchpoint`, `gave_up`, `answered_badly`,
            `changed_channel`, `silence_after_broken`, `contacted_again` or `silence`.
        ended_at: The last touchpoint of the journey, not the moment patience ran out.
        phases: The phases reached, in the mission's order.
        microjourney: The path as touchpoints of the inventory, neighbours that repeat once.
        effort: 7 very easy to 1 very hard, inferred from behaviour.
        moments_of_truth: Those on the path, by their id in the inventory.
        broke_at: The touchpoint that cost the mission, where it was not completed.
        value: What the mission is worth, in `currency`: what was at stake.
        count: How many touchpoints.
        restarts: How often a step was begun again after it was left.
        objectives: Of the mission's objectives, by their key in the catalogue, whether this
            journey met it. Absent where it cannot be told: a time or a number of touchpoints is
            missed once it is exceeded, and met only by a journey that completed within it.
        effort_asked: The customer's own answer on the same scale, the last one (CES).
        brand_moments: Those on the path, by their id in the inventory.
        segment: The customer's segment, as the last touchpoint told that sent one; see
            `[segments]` of the catalogue.
    """

    journey_id: str
    revision: int
    mission: str
    customer: str
    outcome: Outcome
    reason: str
    started_at: datetime
    ended_at: datetime
    phases: tuple[str, ...]
    microjourney: tuple[str, ...]
    channels: tuple[Channel, ...]
    effort: float
    verdicts: Counts
    moments_of_truth: tuple[str, ...] = ()
    broke_at: str | None = None
    value: float | None = None
    currency: str | None = None
    absorbed_by: str | None = None
    count: int = 0
    restarts: int = 0
    objectives: dict[str, bool] = {}
    effort_asked: float | None = None
    brand_moments: tuple[str, ...] = ()
    segment: str | None = None


class Votes(Record, frozen=True):
    """Running totals of one series and minute in one stitch partition: totals, not increments.

    The one that comes last is the truth. A customer casts one vote a session and series, broken
    where any of their interactions there broke.

    Attributes:
        touchpoint: By its id in the inventory; `source shop` for all that the source `shop` sends,
            by which each session casts one vote.
        mission: The series' mission; None for the touchpoint over all missions and none.
        minute: When the minute begins.
        partition: The stitch partition whose totals these are; the sum over all is what counts.
        votes: How many.
        broken: How many of them are broken.
        customers: How many broken ones are of customers not broken here within 60 min before.
        reasons: How many broken votes each rule fired for.
        touchpoints: Some that broke, by their ids.
        at: The event time that the partition had come to when it sent this.
        variants: By release or variant, as `release=5.2.0`: votes and broken ones of the ten
            minutes, counted from the full hour, in which `minute` lies; at most eight.
        sources: By which sources the touchpoint was heard of in these ten minutes; of more than
            eight the first by name; named for the touchpoint over all missions alone.
    """

    touchpoint: str
    mission: str | None
    minute: datetime
    partition: int
    votes: int
    broken: int
    customers: int
    reasons: dict[str, int] = {}
    touchpoints: tuple[str, ...] = ()
    at: datetime | None = None
    variants: dict[str, tuple[int, int]] = {}
    sources: tuple[str, ...] = ()


AlertKind = Literal["broken", "silent", "slow_leak"]
"""What is the matter: customers meet it and it breaks for them; nobody reaches it any more; it has
been breaking more often than it used to for days."""


class Alert(Record, frozen=True):
    """A touchpoint that breaks, or no longer does. The highest version of an id is the truth.

    Attributes:
        id: Derived from the series and the minute in which it first fired; kept until it ends.
        version: 1, 2, …; the highest is the truth.
        state: `firing`; `resolved`: it broke, and works again; `retracted`: votes that were
            corrected show that it never broke.
        touchpoint: By its id in the inventory; `source shop` where all that a source
            sends has gone quiet.
        mission: For which mission it breaks; None: whatever customers come for.
        severity: `page` where a person has to act now, `ticket` where tomorrow will do.
        since: When the break began, as far as the votes tell.
        at: Event time of this version.
        usual_share: The share of votes that is broken usually, at this hour.
        present_share: The share since `since`, of the last hour or of the last 20 votes; once
            resolved, that of the last minutes.
        votes: How many votes that is the share of; of silence, how many were to be expected.
        customers: Of how many different customers the broken ones of them are.
        evidence, threshold: The logarithm of the evidence that it is broken, and of what it takes
            to fire; a run of one hard reason fires with less. Of a slow leak: how many times the
            usual share it is for certain, and has to be.
        sentence: All of this in one sentence for a person.
        reasons: The rules that fired most often since then, with how often.
        touchpoints: Some that broke, by their ids.
        missions: The missions at stake, most broken votes first.
        within: The alert that fired before this one, and still does, of the same touchpoint or of
            one that this one needs: they are one incident, and one page is enough.
        flaps: How often it fired again within half an hour of being resolved.
        resolved_at: When it was resolved.
        kind: What is the matter.
        shared: The release or variant that what broke shares and what worked does not, by the
            property that names it, as in `{"release": "5.2.0"}`; most telling first.
    """

    id: str
    version: int
    state: AlertState
    touchpoint: str
    mission: str | None
    severity: Literal["page", "ticket"]
    since: datetime
    at: datetime
    usual_share: float
    present_share: float
    votes: int
    customers: int
    evidence: float
    threshold: float
    sentence: str
    reasons: dict[str, int] = {}
    touchpoints: tuple[str, ...] = ()
    missions: tuple[str, ...] = ()
    within: str | None = None
    flaps: int = 0
    resolved_at: datetime | None = None
    kind: AlertKind = "broken"
    shared: dict[str, str] = {}


MICROJOURNEY_LENGTH_MAX: Final = 100
"""Touchpoints that a result's path names; longer paths are cut there."""
