"""The tests' vocabulary: touchpoints by the clock, rules small enough to know by heart, engines.

Times are of one invented day unless said otherwise; nothing here reads a clock.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from pipeline.runtimes.engine import Engine
from pipeline.runtimes.memory import MemoryStates
from pipeline.stitching.change import Message
from pipeline.stitching.inventory import Entry, Inventory, Sign
from pipeline.stitching.missions import Mission, Missions, Objectives, Phase
from pipeline.stitching.norms import Norms, StepNorm
from pipeline.stitching.rules import Rules, VerdictRules
from pipeline.topology import STAGES
from schemas.controls import Fault, Presence, Usual
from schemas.records import JourneyOutcome, Rating, Session, Touchpoint, Verdict
from tests.oracle.contents import Contents, Judged, Sat, Went, reasons_of

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)

INVENTORY = Inventory(
    (
        Entry(id="view-bill", name="looking at a bill", channel="web", signs=(Sign(name="bill*"),)),
        Entry(
            id="pay-online",
            name="paying",
            channel="web",
            moment_of_truth=True,
            expects_success=True,
        ),
        Entry(
            id="paid",
            name="a receipt",
            channel="web",
            signs=(Sign(location="/paid"),),
            expects_success=True,
        ),
        Entry(id="pay-in-app", name="paying in the app", channel="app", moment_of_truth=True),
        Entry(id="paid-in-app", name="a receipt in the app", channel="app", brand_moment=True),
        Entry(id="ask-bot", name="asking a bot", channel="chatbot", signs=(Sign(intent="bill*"),)),
        Entry(id="main-menu", name="the menu when I ring", channel="ivr", signs=(Sign(name="m*"),)),
        Entry(id="talk", name="talking to a person", channel="agent", brand_moment=True),
        Entry(id="complain", name="complaining", channel="agent"),
        Entry(id="asked", name="being asked", channel="survey", signs=(Sign(name="*"),)),
    )
)
PAY_BILL = Mission(
    name="pay-bill",
    intents=("bill", "payment"),
    starts=("view-bill", "pay-in-app"),
    completes=("paid", "paid-in-app"),
    frustrates=("complain",),
    phases=(
        Phase(name="look", steps=("view-bill",)),
        Phase(name="pay", steps=("pay-online", "pay-in-app", "paid", "paid-in-app")),
    ),
    patience=timedelta(hours=2),
    objectives=Objectives(
        completion_rate_min=0.8,
        duration_max=timedelta(minutes=10),
        touchpoints_max=4,
        effort_min=5.5,
    ),
    value=38.5,
    currency="EUR",
)
GET_HELP = Mission(
    name="get-help",
    intents=("help",),
    starts=("ask-bot", "main-menu", "view-bill"),
    completes=("talk",),
    frustrates=("complain",),
    phases=(Phase(name="ask", steps=("ask-bot", "main-menu")), Phase(name="told", steps=("talk",))),
    patience=timedelta(minutes=30),
    resumes=timedelta(hours=3),
    looks=frozenset({"ask-bot", "main-menu"}),
    preludes=frozenset({"pay-online"}),
    repeat_within=timedelta(hours=2),
    planned_changes=frozenset({("chatbot", "agent")}),
)
READ_UP = Mission(
    name="read-up",
    starts=("pay-online",),
    completes=("asked",),
    patience=timedelta(hours=1),
)
RULES = Rules(
    inventory=INVENTORY,
    missions=Missions((PAY_BILL, GET_HELP, READ_UP)),
    mission_verdicts={
        "read-up": VerdictRules(csat_excellent_min=4, came_back=timedelta(minutes=90)),
    },
    norms=Norms(
        steps={
            ("pay-online", "pay-bill"): StepNorm(time_best=5.0, effort_best=6.0),
            ("paid", "pay-bill"): StepNorm(time_best=5.0, effort_best=6.0),
            ("paid-in-app", "pay-bill"): StepNorm(time_best=5.0, effort_best=6.0),
            ("main-menu", "get-help"): StepNorm(time_best=300.0, effort_best=5.0),
        },
        nodes={"main": 600.0},
    ),
    test_sources=frozenset({"test-robot"}),
    segment_property="plan",
)
NO_MISSIONS = Rules(inventory=Inventory(()), missions=Missions(()))


def at(clock: str, day: int = 0) -> datetime:
    """`10:00` or `10:00:30` of the invented day, or so many days after it."""
    hours, minutes, *seconds = clock.split(":")
    second = float(seconds[0]) if seconds else 0.0
    return MIDNIGHT + timedelta(days=day, hours=int(hours), minutes=int(minutes), seconds=second)


def touchpoint(clock: str, *signals: str, day: int = 0, **fields: Any) -> Touchpoint:
    """A touchpoint of one visitor's browser, arriving as it happens, unless said otherwise.

    Fields are `Touchpoint`'s own; identifiers are given by type (`user_id="u-1"`), `arrives` is
    the clock of its arrival. Its id, when not given, is told by when and what it is.
    """
    given = {name: fields.pop(name) for name in list(fields) if name in IDENTIFIER_TYPES}
    occurred_at = at(clock, day)
    arrives = fields.pop("arrives", None)
    received_at = occurred_at if arrives is None else at(arrives, day)
    rating = fields.pop("rating", None)
    channel, name = fields.setdefault("channel", "web"), fields.setdefault("name", "page_view")
    fields.setdefault("id", f"{clock} {channel} {name} {' '.join(given.values())}".strip())
    fields.setdefault("source", "shop")
    fields.setdefault("received_at", received_at)
    return Touchpoint(
        occurred_at=occurred_at,
        identifiers=given or {"anonymous_id": "browser"},
        signals=signals,
        rating=None if rating is None else Rating(scale=rating[0], value=rating[1]),
        **fields,
    )


IDENTIFIER_TYPES = (
    "user_id", "account_id", "crm_id", "email", "phone", "device_id", "network_user_id",
    "anonymous_id", "caller_number", "ip", "previous_id", "unlinked_from",
)  # fmt: skip


def arriving(touchpoints: Sequence[Touchpoint], after: datetime | None = None) -> list[Touchpoint]:
    """The same, received in this order within the minute after the last of them occurred."""
    start = after or max((one.occurred_at for one in touchpoints), default=MIDNIGHT)
    return [
        msgspec.structs.replace(one, received_at=start + timedelta(milliseconds=n))
        for n, one in enumerate(touchpoints)
    ]


def engine(rules: Rules = RULES) -> Engine:
    """An engine that keeps everything in memory."""
    return Engine({stage.name: MemoryStates() for stage in STAGES}, rules)


def restarted(running: Engine, rules: Rules = RULES) -> Engine:
    """Another engine that goes on from what the first one would have on disk, and nothing else."""
    stores: dict[str, MemoryStates] = {}
    for stage in STAGES:
        stores[stage.name] = MemoryStates()
        for key, state in running._stores[stage.name].states.items():  # type: ignore[attr-defined]
            kept = stage.decode(stage.encode(state))
            stores[stage.name].put(key, kept, stage.due_at(kept, rules))
    resumed = Engine(stores, rules)
    resumed.restore(running.snapshot())
    resumed.outbox.extend(running.outbox)
    return resumed


@dataclass
class Results:
    """The last revision of every result, by id, and all that was sent on the way.

    Of verdicts by `ref`: ids are their sources' own.
    """

    sent: list[Message]
    judged: dict[str, Verdict] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    journeys: dict[str, JourneyOutcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for message in self.sent:
            record: Any = message.record
            if message.topic == "verdicts":
                _keep(self.judged, record.ref, record)
            elif message.topic == "sessions":
                _keep(self.sessions, record.session_id, record)
            elif message.topic == "journey-outcomes":
                _keep(self.journeys, record.journey_id, record)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """The verdicts by id, where that is enough to tell touchpoints apart."""
        by_id = {one.id: one for one in self.judged.values()}
        assert len(by_id) == len(self.judged), "two sources gave one id: ask for `judged`"
        return by_id

    @property
    def live_sessions(self) -> dict[str, Session]:
        """Those that no other took over."""
        return {id_: one for id_, one in self.sessions.items() if one.state != "absorbed"}

    @property
    def live_journeys(self) -> dict[str, JourneyOutcome]:
        """Those that no other took over."""
        return {id_: one for id_, one in self.journeys.items() if one.outcome != "absorbed"}

    def records(self, topic: str) -> list[Any]:
        """All that was sent on a topic, in order, but for what touchpoints tell each other."""
        asides = (Fault, Presence, Usual)
        sent = (one.record for one in self.sent if one.topic == topic)
        return [record for record in sent if not isinstance(record, asides)]

    def dead_letters(self) -> list[str]:
        """The reasons of all dead letters."""
        return [letter.reason for letter in self.records("dead-letters")]

    def revisions(self) -> list[tuple[str, str, int]]:
        """What was sent of results, in order: topic, id (of a verdict its `ref`) and revision."""
        named = {"verdicts": "ref", "sessions": "session_id", "journey-outcomes": "journey_id"}
        results = [(sent.topic, sent.record) for sent in self.sent if sent.topic in named]
        told: list[tuple[str, Any]] = list(results)
        return [(topic, getattr(one, named[topic]), one.revision) for topic, one in told]

    def members(self, of: str, by: str = "id") -> dict[str, frozenset[str]]:
        """Touchpoints by their verdict's `session_id`, `journey_id`, …: ids, or `ref`s."""
        groups: dict[str, set[str]] = {}
        for one in self.judged.values():
            if getattr(one, of) is not None:
                groups.setdefault(getattr(one, of), set()).add(getattr(one, by))
        return {name: frozenset(ids) for name, ids in groups.items()}


def _keep(known: dict[str, Any], name: str, record: Any) -> None:
    if name not in known or record.revision >= known[name].revision:
        known[name] = record


def process(
    arrivals: Iterable[Touchpoint],
    rules: Rules = RULES,
    between: Callable[[Engine, int], Engine] | None = None,
    running: Engine | None = None,
) -> Results:
    """Take arrivals one by one, then let all time pass; `between` may meddle before each."""
    running = running or engine(rules)
    for number, one in enumerate(arrivals):
        if between is not None:
            running = between(running, number)
        running.process(one)
    running.close()
    return Results(running.outbox)


def contents(results: Results) -> Contents:
    """What the results say, without ids and revisions, to be compared with the oracle's."""
    sessions = results.members("session_id", by="ref")
    journeys = results.members("journey_id", by="ref")
    return Contents(
        customers=frozenset(results.members("customer", by="ref").values()),
        verdicts={
            ref: Judged(
                touchpoint=one.touchpoint,
                channel=one.channel,
                mission=one.mission,
                phase=one.phase,
                step=one.step,
                verdict=one.verdict,
                reasons=reasons_of((reason.rule, reason.value) for reason in one.reasons),
                moment_of_truth=one.moment_of_truth,
                brand_moment=one.brand_moment,
            )
            for ref, one in results.judged.items()
        },
        sessions={
            sessions.get(id_, frozenset({id_})): Sat(
                channel=one.channel,
                started_at=one.started_at,
                ended_at=one.ended_at,
                count=one.count,
                microjourney=one.microjourney,
                verdicts=msgspec.structs.astuple(one.verdicts),
                state=one.state,
                machine=one.machine,
            )
            for id_, one in results.live_sessions.items()
        },
        journeys={
            journeys.get(id_, frozenset({id_})): Went(
                mission=one.mission,
                outcome=one.outcome,
                reason=one.reason,
                started_at=one.started_at,
                ended_at=one.ended_at,
                phases=one.phases,
                microjourney=one.microjourney,
                channels=one.channels,
                effort=one.effort,
                verdicts=msgspec.structs.astuple(one.verdicts),
                moments_of_truth=one.moments_of_truth,
                broke_at=one.broke_at,
                value=one.value,
                count=one.count,
                restarts=one.restarts,
                objectives=one.objectives,
                effort_asked=one.effort_asked,
                brand_moments=one.brand_moments,
                segment=one.segment,
            )
            for id_, one in results.live_journeys.items()
        },
    )
