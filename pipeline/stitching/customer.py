"""stitch: one customer's open touchpoints, and what follows when one more arrives or time passes.

`observe` takes the short path for what comes in order and folds again for what does not; both
give the same. What other customers send is `handovers`' work.

A state that is passed in is spent: use the one that comes back.
"""

from datetime import datetime, timedelta
from typing import Final

from pipeline.stitching import handovers, revisions, votes
from pipeline.stitching.change import Change, Message
from pipeline.stitching.handovers import pass_on
from pipeline.stitching.kept import CustomerState, is_kept
from pipeline.stitching.looking import claim
from pipeline.stitching.order import follow, order_of
from pipeline.stitching.picture import Touched, pass_time
from pipeline.stitching.rules import Rules
from pipeline.stitching.sealing import is_too_late, seal, settled_at
from pipeline.stitching.unions import append, refold, shows_late, spoke_too_soon, unite
from schemas.controls import Control, Handover, Interaction

ERASED_REMEMBERED: Final = timedelta(days=8)
"""How long a customer remembers having been erased: a day longer than anything stays on the topics
that it may still come from."""


def observe(state: CustomerState, one: Interaction, rules: Rules) -> Change[CustomerState]:
    """One more interaction arrived. Agrees with folding the whole set, whatever the order.

    A repeat of one that is kept changes nothing. A customer that another one absorbed passes it
    on. Whether it comes too late is `is_too_late`'s to say, before.
    """
    if state.forwarding is not None:
        owner, one.path = state.forwarding.place(state.customer, one.at, one.path)
        if owner != state.customer:
            return Change(state, pass_on(state, {owner: [one]}, rules))
    tail = state.tail
    if tail:
        last = tail[-1]
        if one.at < last.at or (one.at == last.at and order_of(one) <= order_of(last)):
            return unite(state, [one], rules)
        if one.sequence >= 0 and not follow(tail, (one,), rules):
            return unite(state, [one], rules)
        if state.catalogue != rules.fingerprint or spoke_too_soon(state, one, rules):
            return unite(state, [one], rules)
        if claim(one, rules) is not None and shows_late(state, [one], rules):
            return unite(state, [one], rules)
        for other in tail:
            if other.id == one.id and other.source == one.source:
                return Change(state, [])
    return Change(state, append(state, [one], rules))


class Arriving:
    """Several messages to one customer, taken in their order and folded at once.

    Agrees with taking each by itself in what stands at the end, but says of a result only what
    holds then: what is opened and closed within them goes out once.

    Args:
        state: The customer's; spent from then on.
        rules: The catalogue's.

    Attributes:
        results: What is to be published so far.
    """

    def __init__(self, state: CustomerState, rules: Rules) -> None:
        self.results: list[Message] = []
        self._state, self._rules = state, rules
        self._waiting: dict[str, Interaction] = {}

    def is_too_late(self, at: datetime, until: datetime | None) -> bool:
        """As `sealing.is_too_late`, with all that came before."""
        if not is_too_late(self._state, at, until, self._rules):
            return False
        self._fold()  # it may open the journey that keeps the window open
        return is_too_late(self._state, at, until, self._rules)

    def touchpoint(self, one: Interaction) -> None:
        """One more interaction arrived."""
        state = self._state
        if state.forwarding is not None:
            owner, one.path = state.forwarding.place(state.customer, one.at, one.path)
            if owner != state.customer:
                self.results += handovers.pass_on(state, {owner: [one]}, self._rules)
                return
        self._wait(one)

    def told(self, control: Control) -> None:
        """A control record arrived. Raises TypeError for one that customers do not know."""
        if isinstance(control, Handover):
            stays, onward = handovers.taken(self._state, control, self._rules)
            self.results += onward
            for one in stays:
                self._wait(one)
            return
        self._fold()  # it speaks of what is there
        change = handovers.receive(self._state, control, self._rules)
        self._state = change.state
        self.results += change.results

    def settled(self) -> Change[CustomerState]:
        """All have been taken."""
        self._fold()
        return Change(self._state, self.results)

    def _wait(self, one: Interaction) -> None:
        if one.ref in self._waiting:
            self._fold()  # of the same interaction twice, one may have been published elsewhere
        self._waiting[one.ref] = one

    def _fold(self) -> None:
        if self._waiting:
            change = unite(self._state, list(self._waiting.values()), self._rules)
            self._waiting = {}
            self._state = change.state
            self.results += change.results


def expire(
    state: CustomerState, until: datetime, rules: Rules
) -> Change[CustomerState] | Change[None]:
    """Event time passed: silence has consequences, and what no longer can change is let go.

    Returns:
        The state that follows, None when nothing has to be kept of the customer.
    """
    if state.until is None or until > state.until:
        state.until = until
    if state.catalogue != rules.fingerprint and state.tail:
        return refold(state, rules, state.tail)
    touched = Touched()
    pass_time(state.picture, state.tail, state.until, rules, touched)
    results = revisions.publish_touched(state.customer, state.picture, state.tail, touched, rules)
    if touched.former and rules.votes:
        results += votes.touched_ballots(state.tail, state.picture, touched)
    quiet = not state.picture.open and not state.picture.walked
    if quiet or len(state.tail) >= state.looked:
        seal(state, rules)
    if state.forwarding is not None:
        state.forwarding.forget(until)
    if state.erased is not None and until >= state.erased + ERASED_REMEMBERED:
        state.erased = None
    if not is_kept(state):
        return Change(None, results)
    return Change(state, results)


def due_at(state: CustomerState, rules: Rules) -> datetime | None:
    """When `expire` is next worth calling: at the first silence to run out, then at sealing."""
    due: datetime | None = None
    picture = state.picture
    for serial in picture.open:
        session = picture.sessions[serial]
        at = session.last + session.gap
        if due is None or at < due:
            due = at
    for serial in picture.walked:
        journey = picture.journeys[serial]
        at = journey.last + rules.missions.patience_of(journey.mission)
        if due is None or at < due:
            due = at
    if due is None and picture.sessions:
        return settled_at(picture, rules)
    if due is None and state.forwarding is not None:
        due = state.forwarding.due_at
    if due is None and state.erased is not None:
        return state.erased + ERASED_REMEMBERED
    return due
