"""The rules: everything the core is told about the business, as one frozen value.

`pipeline.catalogue` reads it from `seeds/`; the defaults here are the shipped numbers. Each
number names its source; those marked (P) are our own proposals, to be tuned on labelled incidents.
"""

from datetime import timedelta
from typing import Literal

import msgspec

from pipeline.stitching.inventory import Inventory
from pipeline.stitching.missions import Missions
from pipeline.stitching.norms import Norms
from schemas.identifiers import CLASSES, IdentifierClass


class SessionRule(msgspec.Struct, frozen=True, kw_only=True):
    """When a session of one channel ends.

    Attributes:
        gap: The longest silence inside it; a silence of exactly the gap continues it.
        background_gap: The gap after the app went to the background, where the emitter says so.
        length_max: The longest it may last.
        hint: Whether the same supplied session id is the same session whatever the silence
            (`honour`), or the gap splits it too (`split`).
    """

    gap: timedelta = timedelta(minutes=30)
    background_gap: timedelta | None = None
    length_max: timedelta = timedelta(hours=24)
    hint: Literal["honour", "split"] = "honour"


# 30 min: the default of GA4, Adobe Analytics, Matomo and Snowplow; 24 h: PostHog's and Mixpanel's.
# App: 5 min in the background, as Amplitude's and RudderStack's mobile libraries. Chatbot ids often
# name the person, not the conversation (Rasa's sender_id), hence `split`. A call is its call id.
SESSION_RULES: dict[str, SessionRule] = {
    "web": SessionRule(),
    "app": SessionRule(background_gap=timedelta(minutes=5)),
    "chatbot": SessionRule(hint="split"),
    "ivr": SessionRule(),
    "agent": SessionRule(),
    "survey": SessionRule(),
}


class IdentityRules(msgspec.Struct, frozen=True, kw_only=True):
    """What identifiers may do.

    Attributes:
        classes: Type to class, strongest first; the order is the rank. Unknown types are weak.
        blocked: Values that identify nobody, besides the built-in list; case-folded.
        identifiers_max: Identifiers that one may own directly. Source: Adobe's 50 a graph.
        strong_max: Strong identifiers among them (P).
        device_max: Devices among them, used within `shared_window` (P).
        shared_customers_max: Unique customers of one device, e-mail or phone within
            `shared_window`; more make it shared (P).
        shared_window: How far back a device's customers count (P).
        shared_claim: How long a login counts on a shared device: a session's gap (P).
    """

    classes: dict[str, IdentifierClass] = msgspec.field(default_factory=lambda: dict(CLASSES))
    blocked: frozenset[str] = frozenset()
    identifiers_max: int = 50
    strong_max: int = 5
    device_max: int = 10
    shared_customers_max: int = 3
    shared_window: timedelta = timedelta(days=30)
    shared_claim: timedelta = timedelta(minutes=30)
    ranks: dict[str, int] = {}
    remembered: dict[tuple[tuple[str, str], ...], tuple[str, tuple[str, ...]]] = {}

    def __post_init__(self) -> None:
        """Derive `ranks`, 0 for the strongest type that links; `remembered` is `keys`' own.

        Classes are ordered strongest first, so that a class is a range of ranks.
        """
        order = list(IdentifierClass)
        linking = sorted(
            (name for name, kind in self.classes.items() if kind != "weak"),
            key=lambda name: order.index(self.classes[name]),
        )
        msgspec.structs.force_setattr(self, "ranks", {name: at for at, name in enumerate(linking)})


class VerdictRules(msgspec.Struct, frozen=True, kw_only=True):
    """The thresholds of verdicts, all (P) unless a source is named.

    Attributes:
        fallbacks_max: Fallbacks in a row before a hand-off breaks. Source: Rasa's two-stage
            fallback, where the third failure is final.
        fallbacks_before_end_max: The same where the bot then ends.
        repeated_intent_min: The same intent, by the same kind of message, so often in a session
            without a slot newly filled.
        no_match_min: No-match or no-input at one node. Source: VoiceXML platforms give up or
            transfer at the third (Plum Voice, Cisco UCCX).
        menu_repeat_min: The same menu node so often.
        transfers_min: Transfers in one contact that are effort.
        dead_clicks_min: Dead clicks at one touchpoint.
        validation_errors_min: Validation errors in one field of a form, where the emitter names
            it; else at one touchpoint.
        call_length_min: Shorter calls are kept, not judged. Source: Webex's example threshold.
        machine_touchpoints: More touchpoints than this …
        machine_window: … within this are a machine. Source: Adobe Analytics, 100 in 100 s.
        ces_broken_max, nps_broken_max, csat_broken_max: Answers that say broken.
        ces_excellent_min, nps_excellent_min, csat_excellent_min: Answers that say excellent.
            Source for NPS: detractors to 6, promoters from 9 (Microsoft Dynamics).
        leak_strong: A call so soon after another channel, for the same mission, breaks the contact
            before it, whatever that one reached.
        leak_normal: The same, as a soft sign of trouble: with another one it breaks.
        call_continues: A call so soon after another continues it. Source: a quarter of those who
            call again do so within 10 min (Talkdesk).
        called_again: A call so soon after another, without a new step: that one did not help.
            Source: the longer of the usual windows of first contact resolution (callcentrehelper).
        came_back: The same channel so soon again, without a new step: a soft sign.
        ivr_time_times: A menu reached later in a call than so many times the 95th percentile …
        ivr_time_min: … and no sooner than this is too long.
    """

    fallbacks_max: int = 3
    fallbacks_before_end_max: int = 2
    repeated_intent_min: int = 3
    no_match_min: int = 3
    menu_repeat_min: int = 3
    transfers_min: int = 2
    dead_clicks_min: int = 2
    validation_errors_min: int = 3
    call_length_min: timedelta = timedelta(seconds=5)
    machine_touchpoints: int = 100
    machine_window: timedelta = timedelta(seconds=100)
    ces_broken_max: float = 3
    nps_broken_max: float = 6
    csat_broken_max: float = 2
    ces_excellent_min: float = 7
    nps_excellent_min: float = 9
    csat_excellent_min: float = 5
    leak_strong: timedelta = timedelta(minutes=30)
    leak_normal: timedelta = timedelta(hours=24)
    call_continues: timedelta = timedelta(minutes=10)
    called_again: timedelta = timedelta(days=7)
    came_back: timedelta = timedelta(hours=24)
    ivr_time_times: float = 2.0
    ivr_time_min: timedelta = timedelta(seconds=120)


class AlertRules(msgspec.Struct, frozen=True, kw_only=True):
    """When a touchpoint counts as broken; all (P) unless a source is named.

    The numbers of the detector itself - its alternatives, its caps - stand in `evidence`; they
    were tuned together and are no matter of taste.

    Attributes:
        series: Live series that share the budget of false alarms: touchpoints, and missions at
            each. Where there are fewer, saying so finds a break a little sooner.
        false_alarms_a_day: How many false alarms all of them together may raise a day.
        usual_share: The share of broken votes that is expected of a touchpoint nothing is known
            about.
        usual_share_min: No touchpoint is believed to break more seldom than this.
        customers_min: So many different customers have to have met the break.
        page_share: From this share on, for certain, somebody is woken …
        page_times: … if it is also so many times the usual one.
        same_incident: Firing again so soon is the same incident.
        open: A minute is believed to be complete so long after it began.
        kept: How far back corrected votes still correct alerts.
        votes_every: Totals of a touchpoint are sent at most so often, by event time, but for the
            first of a minute to break; see `tallies.PROMPT_MAX`.
        variants: Properties by which broken votes may differ from sound ones: what was released,
            or tried, when it broke. A dot goes into an object: `context.app.version`.
    """

    series: int = 1000
    false_alarms_a_day: float = 1.0
    usual_share: float = 0.02
    usual_share_min: float = 0.002
    customers_min: int = 3
    page_share: float = 0.25
    page_times: float = 10.0
    same_incident: timedelta = timedelta(minutes=30)
    open: timedelta = timedelta(minutes=5)
    kept: timedelta = timedelta(hours=2)
    votes_every: timedelta = timedelta(seconds=1)
    variants: tuple[str, ...] = ("release", "variant", "app_version", "context.app.version")


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. Passed to every function of the core.

    Attributes:
        sessions: By channel; `source_sessions` by source and channel goes before it.
        mission_verdicts: By mission, where its own thresholds differ from `verdicts`.
        norms: How long steps and menus usually take.
        revision_window: How far behind the watermark a late touchpoint still corrects results:
            24 h (P); a journey's own window is longer by its mission's patience, back to its start.
        out_of_order: Disorder that is absorbed without a revision (P).
        idle: After so long without touchpoints the wall clock carries the watermark (P).
        touchpoints_max: Touchpoints of one customer that are kept for revision; of more, the older
            half is sealed. Bounds the state, and what one late touchpoint can cost (P).
        test_sources: Sources whose touchpoints are not judged.
        votes: Whether verdicts are counted as votes; not where nobody watches them.
        segment_property: The property of touchpoints that tells a customer's segment, with dots
            where it stands deeper; None: there are no segments.
        fingerprint: Tells one catalogue from another; a state folded under another is folded anew.
        kept_for: `sealing`'s own: how long a journey of a kind can change, once that was asked.
    """

    inventory: Inventory
    missions: Missions
    sessions: dict[str, SessionRule] = msgspec.field(default_factory=lambda: dict(SESSION_RULES))
    source_sessions: dict[tuple[str, str], SessionRule] = {}
    identity: IdentityRules = msgspec.field(default_factory=IdentityRules)
    verdicts: VerdictRules = VerdictRules()
    mission_verdicts: dict[str, VerdictRules] = {}
    norms: Norms = Norms()
    alerts: AlertRules = AlertRules()
    revision_window: timedelta = timedelta(hours=24)
    out_of_order: timedelta = timedelta(minutes=2)
    idle: timedelta = timedelta(seconds=60)
    touchpoints_max: int = 500
    test_sources: frozenset[str] = frozenset()
    votes: bool = True
    segment_property: str | None = None
    fingerprint: str = ""
    kept_for: dict[tuple[str, bool, bool], timedelta] = {}

    def __post_init__(self) -> None:
        """Begin `kept_for` anew, also where these rules are others with one thing replaced."""
        msgspec.structs.force_setattr(self, "kept_for", {})

    def verdicts_of(self, mission: str | None) -> VerdictRules:
        """The thresholds that hold for a mission, or for what serves none."""
        if mission is None:
            return self.verdicts
        return self.mission_verdicts.get(mission, self.verdicts)
