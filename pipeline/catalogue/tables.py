"""The tables that the catalogue's TOML files consist of, as pydantic models, and their values.

One model a file: `InventoryFile`, `MissionFile`, `RulesFile`. Each says which keys there are and
gives the value that the core is told. Defaults that are numbers stand in
`pipeline.stitching.rules`; what is absent here leaves them as they are. `docs/catalogue.md` is
the same as prose.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)

from pipeline.catalogue.documents import Table
from pipeline.catalogue.durations import PATTERN, Duration, DurationOrZero, duration_of
from pipeline.catalogue.thresholds import (
    AlertsTable,
    MissionVerdictsTable,
    VerdictsTable,
)
from pipeline.stitching.inventory import OTHER, Entry, Inventory, Sign
from pipeline.stitching.missions import Mission, Missions, Objectives, Phase
from pipeline.stitching.norms import Norms
from pipeline.stitching.rules import (
    SESSION_RULES,
    AlertRules,
    IdentityRules,
    Rules,
    SessionRule,
    VerdictRules,
)
from schemas.identifiers import CLASSES, IdentifierClass
from schemas.records import CHANNELS, Channel

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def _id(written: str) -> str:
    if not _ID.fullmatch(written):
        msg = f'expected letters, digits, "-", "_" and "." only; found "{written}"'
        raise ValueError(msg)
    if written == OTHER:
        msg = f'expected another word: "{OTHER}" is what the inventory does not know'
        raise ValueError(msg)
    return written


def _currency(written: str) -> str:
    if not _CURRENCY.fullmatch(written):
        msg = f'expected a currency by its three letters, such as "EUR"; found "{written}"'
        raise ValueError(msg)
    return written


def _planned_change(written: str) -> str:
    before, _, after = written.partition(">")
    if before not in CHANNELS or after not in CHANNELS or before == after:
        channels = ", ".join(CHANNELS)
        msg = f'expected two channels such as "web>agent", of {channels}; found "{written}"'
        raise ValueError(msg)
    return written


def _ahead(written: object) -> timedelta:
    if not isinstance(written, str) or not written.startswith("+"):
        shown = f'"{written}"' if isinstance(written, str) else str(written)
        msg = f'expected a plus sign and a duration, such as "+3h"; found {shown}'
        raise ValueError(msg)
    return duration_of(written[1:])


# What a validator of our own asks for, editors learn by a pattern.
Id = Annotated[
    str, AfterValidator(_id), WithJsonSchema({"type": "string", "pattern": f"^{_ID.pattern}$"})
]
Currency = Annotated[
    str,
    AfterValidator(_currency),
    WithJsonSchema({"type": "string", "pattern": f"^{_CURRENCY.pattern}$"}),
]
Ahead = Annotated[
    timedelta,
    BeforeValidator(_ahead),
    WithJsonSchema({"type": "string", "pattern": rf"^\+{PATTERN}$", "minLength": 3}),
]
Filled = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
PlannedChange = Annotated[
    str,
    AfterValidator(_planned_change),
    WithJsonSchema(
        {"type": "string", "enum": [f"{a}>{b}" for a in CHANNELS for b in CHANNELS if a != b]}
    ),
]
ExpectedOutcome = Literal["completed", "frustrated", "abandoned", "open", "none"]


class SignTable(Table):
    """One way to recognise a touchpoint; at least one glob."""

    name: Filled | None = None
    location: Filled | None = None
    intent: Filled | None = None

    @model_validator(mode="after")
    def _not_everything(self) -> "SignTable":
        if self.name is None and self.location is None and self.intent is None:
            msg = "expected at least one of name, location, intent; found none"
            raise ValueError(msg)
        return self


class TouchpointTable(Table):
    """`[[touchpoint]]` of the inventory."""

    id: Id
    name: Filled
    channel: Channel
    owner: str = ""
    moment_of_truth: bool = False
    brand_moment: bool = False
    expects_success: bool = False
    needs: list[str] = Field(default_factory=list)
    recognise: list[SignTable] = Field(default_factory=list)

    def entry(self) -> Entry:
        """The value."""
        return Entry(
            id=self.id,
            name=self.name,
            channel=self.channel,
            owner=self.owner,
            signs=tuple(Sign(**sign.model_dump()) for sign in self.recognise),
            moment_of_truth=self.moment_of_truth,
            brand_moment=self.brand_moment,
            expects_success=self.expects_success,
            needs=tuple(self.needs),
        )


class InventoryFile(Table):
    """`inventory.toml`."""

    touchpoint: list[TouchpointTable] = Field(default_factory=list)

    def inventory(self) -> Inventory:
        """The value; entries are tried in the order of the file."""
        return Inventory(tuple(table.entry() for table in self.touchpoint))


class PhaseTable(Table):
    """`[[phase]]` of a mission."""

    name: Filled
    steps: Annotated[list[str], Field(min_length=1)]


class ObjectivesTable(Table):
    """`objectives` of a mission."""

    completion_rate_min: Annotated[float, Field(ge=0, le=1)] | None = None
    duration_max: Duration | None = None
    touchpoints_max: Count | None = None
    effort_min: Annotated[float, Field(ge=1, le=7)] | None = None


class ExampleTable(Table):
    """`[[example]]` of a mission; `examples` reads the lines of its touchpoints."""

    name: Filled
    touchpoints: Annotated[list[str], Field(min_length=1)]
    until: Ahead | None = None
    outcome: ExpectedOutcome
    reason: Filled | None = None
    broke_at: Filled | None = None
    verdicts: list[Literal["broken", "functional", "excellent", "-"]] | None = None
    journeys: Annotated[int, Field(ge=0)] | None = None


class MissionFile(Table):
    """`missions/*.toml`."""

    name: Id
    title: str = ""
    value: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    currency: Currency = "EUR"
    intents: list[Filled] = Field(default_factory=list)
    starts: Annotated[list[str], Field(min_length=1)]
    completes: Annotated[list[str], Field(min_length=1)]
    frustrates: list[str] = Field(default_factory=list)
    patience: Duration
    resumes: Duration | None = None
    looks: list[str] = Field(default_factory=list)
    preludes: list[str] = Field(default_factory=list)
    repeat_within: Duration | None = None
    planned_changes: list[PlannedChange] = Field(default_factory=list)
    objectives: ObjectivesTable = ObjectivesTable()
    effort_divisor: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3.0
    verdicts: MissionVerdictsTable = MissionVerdictsTable()
    phase: list[PhaseTable] = Field(default_factory=list)
    example: list[ExampleTable] = Field(default_factory=list)

    def mission(self) -> Mission:
        """The value, without its examples."""
        changes = (change.partition(">") for change in self.planned_changes)
        return Mission(
            name=self.name,
            title=self.title,
            intents=tuple(self.intents),
            starts=tuple(self.starts),
            completes=tuple(self.completes),
            frustrates=tuple(self.frustrates),
            phases=tuple(Phase(name=one.name, steps=tuple(one.steps)) for one in self.phase),
            patience=self.patience,
            resumes=self.resumes,
            looks=frozenset(self.looks),
            preludes=frozenset(self.preludes),
            planned_changes=frozenset((before, after) for before, _, after in changes),
            objectives=Objectives(**self.objectives.model_dump()),
            value=self.value,
            currency=None if self.value is None else self.currency,
            repeat_within=self.repeat_within,
            effort_divisor=self.effort_divisor,
        )


class SessionTable(Table):
    """`[sessions.web]` and so on for each channel."""

    gap: Duration | None = None
    background_gap: Duration | None = None
    length_max: Duration | None = None
    hint: Literal["honour", "split"] | None = None

    def rule(self, default: SessionRule) -> SessionRule:
        """The default with what is given here in its place."""
        given = self.model_dump(exclude_none=True, exclude={"source", "channel"})
        return msgspec.structs.replace(default, **given)


class SourceSessionTable(SessionTable):
    """`[[sessions.source]]`: one source on one channel."""

    source: Filled
    channel: Channel


class SessionsTable(Table):
    """`[sessions]`."""

    web: SessionTable = SessionTable()
    app: SessionTable = SessionTable()
    chatbot: SessionTable = SessionTable()
    ivr: SessionTable = SessionTable()
    agent: SessionTable = SessionTable()
    survey: SessionTable = SessionTable()
    source: list[SourceSessionTable] = Field(default_factory=list)

    def by_channel(self) -> dict[str, SessionRule]:
        """The rule of every channel."""
        tables: dict[str, SessionTable] = {name: getattr(self, name) for name in CHANNELS}
        return {name: table.rule(SESSION_RULES[name]) for name, table in tables.items()}

    def by_source(self) -> dict[tuple[str, str], SessionRule]:
        """The rules of sources, each on top of its channel's."""
        channels = self.by_channel()
        return {(one.source, one.channel): one.rule(channels[one.channel]) for one in self.source}


class IdentityTable(Table):
    """`[identity]`."""

    classes: dict[str, Literal["unique", "strong", "device", "weak"]] = Field(default_factory=dict)
    blocked: list[Filled] = Field(default_factory=list)
    identifiers_max: Count | None = None
    strong_max: Count | None = None
    device_max: Count | None = None
    shared_customers_max: Count | None = None
    shared_window: Duration | None = None
    shared_claim: Duration | None = None

    def rules(self) -> IdentityRules:
        """The defaults with what is given here in their place; classes and values are added."""
        given = self.model_dump(exclude_none=True, exclude={"classes", "blocked"})
        return IdentityRules(
            classes=self._ranked(),
            blocked=frozenset(value.strip().casefold() for value in self.blocked),
            **given,
        )

    def _ranked(self) -> dict[str, IdentifierClass]:
        """All types, strongest first; those added come after the built-in ones of their class."""
        added = {name: IdentifierClass(word) for name, word in self.classes.items()}
        kept = {name: its for name, its in CLASSES.items() if added.get(name, its) is its}
        return {
            name: one
            for one in IdentifierClass
            for name, its in {**kept, **added}.items()
            if its is one
        }


class RevisionsTable(Table):
    """`[revisions]`."""

    window: Duration | None = None
    out_of_order: DurationOrZero | None = None
    idle: Duration | None = None
    touchpoints_max: Count | None = None


class SourcesTable(Table):
    """`[sources]`."""

    test: list[Filled] = Field(default_factory=list)


class SegmentsTable(Table):
    """`[segments]`."""

    property: Filled | None = None


class RulesFile(Table):
    """`rules.toml`."""

    sessions: SessionsTable = SessionsTable()
    identity: IdentityTable = IdentityTable()
    verdicts: VerdictsTable = VerdictsTable()
    alerts: AlertsTable = AlertsTable()
    revisions: RevisionsTable = RevisionsTable()
    sources: SourcesTable = SourcesTable()
    segments: SegmentsTable = SegmentsTable()

    def rules(
        self, inventory: Inventory, missions: Missions, own: dict[str, dict[str, Any]], norms: Norms
    ) -> Rules:
        """The rules of the core, with inventory, missions, each mission's own thresholds, norms."""
        given = self.revisions.model_dump(exclude_none=True)
        if "window" in given:
            given["revision_window"] = given.pop("window")
        verdicts = VerdictRules(**self.verdicts.model_dump(exclude_none=True))
        alerts = self.alerts.model_dump(exclude_none=True)
        return Rules(
            inventory=inventory,
            missions=missions,
            sessions=self.sessions.by_channel(),
            source_sessions=self.sessions.by_source(),
            identity=self.identity.rules(),
            verdicts=verdicts,
            mission_verdicts={
                name: msgspec.structs.replace(verdicts, **thresholds)
                for name, thresholds in own.items()
                if thresholds
            },
            norms=norms,
            alerts=AlertRules(**alerts),
            test_sources=frozenset(self.sources.test),
            segment_property=self.segments.property,
            **given,
        )
