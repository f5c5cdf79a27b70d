"""Unions: how a customer's set of interactions grows, by the short path or by folding again.

Both give the same results; the short one is for what is later than all that is there.
"""

from pipeline.stitching import looking, revisions, votes
from pipeline.stitching.change import Change, Message
from pipeline.stitching.kept import CustomerState
from pipeline.stitching.order import clock_of, follow, in_order, order_of, own_clock
from pipeline.stitching.picture import Touched, fold, forget, pass_time, step
from pipeline.stitching.rules import Rules
from pipeline.stitching.sealing import foundation, seal
from schemas.controls import Interaction


def append(state: CustomerState, ones: list[Interaction], rules: Rules) -> list[Message]:
    """The short path: interactions that are later than all others, in order."""
    state.catalogue = rules.fingerprint
    tail, picture = state.tail, state.picture
    touched = Touched()
    for one in ones:
        if tail:
            _share(one, tail[-1])
        tail.append(one)
        step(picture, tail, one, rules, touched)
    if state.until is not None and ones[-1].at < state.until:
        pass_time(picture, tail, state.until, rules, touched)
    results = revisions.publish_touched(state.customer, picture, tail, touched, rules)
    if rules.votes:
        results += votes.touched_ballots(tail, picture, touched)
    if touched.unmasked:
        return results + refold(state, rules, tail).results
    if len(tail) >= state.looked:
        seal(state, rules)
    return results


def _share(one: Interaction, last: Interaction) -> None:
    """Hold once what an interaction has in common with the one before it."""
    if one.hint == last.hint:
        one.hint = last.hint
    if one.device == last.device:
        one.device = last.device
    if one.path == last.path:
        one.path = last.path


def spoke_too_soon(state: CustomerState, one: Interaction, rules: Rules) -> bool:
    """Whether time had passed further than this, and silence ended a journey that now goes on."""
    if state.until is None or one.at >= state.until:
        return False
    return any(
        journey.ended and one.at - journey.last <= rules.missions.patience_of(journey.mission)
        for journey in state.picture.journeys
    )


def shows_late(state: CustomerState, ones: list[Interaction], rules: Rules) -> bool:
    """Whether later interactions than all others may take along what came before them."""
    if all(looking.claim(one, rules) is None for one in ones):
        return False
    picture, resuming = state.picture, rules.missions.resuming
    missions_of = {serial: picture.journeys[serial].mission for serial in picture.walked}
    if len(ones) > 1:  # one of them may resume it
        missions_of |= {
            one.serial: one.mission for one in picture.journeys if one.mission in resuming
        }
    return looking.shows_late(ones, state.tail, picture.sessions, missions_of, rules)


def unite(state: CustomerState, arrivals: list[Interaction], rules: Rules) -> Change[CustomerState]:
    """Take the union with a set of interactions; publish what differs.

    Of two with the same id and source the earlier counts, whichever came first: an emitter that
    sends again what it gave no time has a later one the second time.
    """
    for one in arrivals:
        own_clock(one)
    ids = {one.id for one in arrivals}
    known = {one.ref: one for one in state.tail if one.id in ids}
    fresh: dict[str, Interaction] = {}
    replaced: list[str] = []
    repeated: list[Interaction] = []
    for one in sorted(arrivals, key=order_of, reverse=True):
        kept = known.get(one.ref)
        if kept is None:
            fresh[one.ref] = one
        elif one.at < clock_of(kept):
            replaced.append(one.ref)
            fresh[one.ref] = one
        elif one.revision:
            repeated.append(one)  # it was published elsewhere, and has its last words to say
    same_catalogue = state.catalogue == rules.fingerprint or not state.tail
    if not fresh and not repeated and same_catalogue:
        return Change(state, [])
    ones = sorted(fresh.values(), key=order_of)
    later = not state.tail or (bool(ones) and order_of(ones[0]) > order_of(state.tail[-1]))
    simple = later and not any(revisions.opened_journeys(one) for one in ones)
    if (
        ones
        and same_catalogue
        and simple
        and not repeated
        and not spoke_too_soon(state, ones[0], rules)
        and not shows_late(state, ones, rules)
        and follow(state.tail, ones, rules)
    ):
        for one in ones:
            forget(one)
        results = append(state, ones, rules)
        return Change(state, results + revisions.last_words(state.customer, state.picture, ones))
    stands = before(state, rules)
    revisions.stamp(state)
    for name in replaced:
        revisions.carry_over(known[name], fresh[name], stands)
    for one in repeated:
        revisions.carry_over(one, known[one.ref], stands)
    remaining = state.tail
    if replaced:
        remaining = [one for one in state.tail if one.ref not in replaced]
    return fold_again(state, rules, remaining + ones, stands)


def refold(
    state: CustomerState, rules: Rules, interactions: list[Interaction]
) -> Change[CustomerState]:
    """The long path: fold another set of interactions from the start; publish what differs."""
    known = before(state, rules)
    revisions.stamp(state)
    return fold_again(state, rules, interactions, known)


def before(state: CustomerState, rules: Rules) -> revisions.Before:
    """What was published and stands; nothing of it is known to hold under another catalogue."""
    if not state.tail or state.catalogue != rules.fingerprint:
        return {}
    return revisions.before(state.customer, state.picture, state.tail, rules)


def fold_again(
    state: CustomerState, rules: Rules, interactions: list[Interaction], known: revisions.Before
) -> Change[CustomerState]:
    """The same, where `known` was published before the set changed."""
    latest = [*state.tail[-1:], *interactions] if rules.votes else []
    cast = votes.standing(state.tail, state.picture) if latest else votes.NO_VOTES
    state.tail = in_order(interactions, rules)
    state.catalogue = rules.fingerprint
    state.picture = fold(state.tail, state.until, rules, foundation(state, rules))
    results = revisions.publish_changed(state.customer, known, state.picture, state.tail, rules)
    if latest:
        stands = votes.standing(state.tail, state.picture)
        results += votes.ballots(cast, stands, max(one.at for one in latest))
    if len(state.tail) >= state.looked:
        seal(state, rules)
    return Change(state, results)
