"""Revisions: before and after a fold, which records changed, and what is published because of it.

A result keeps the id it was opened with, and its revision only rises. `stamp` writes the last
revisions onto the interactions that opened the results, so that they survive a new fold and
travel with the interactions when these are handed to another customer.
"""

from collections.abc import Sequence
from typing import TypeVar

from pipeline.stitching import ids, journeys, outcomes, sessions
from pipeline.stitching.change import Message
from pipeline.stitching.journeys import OpenJourney
from pipeline.stitching.kept import CustomerState
from pipeline.stitching.picture import Picture, Touched
from pipeline.stitching.rules import Rules
from pipeline.stitching.sessions import SESSION_STAMP, OpenSession
from schemas.controls import Interaction
from schemas.records import JourneyOutcome, Session, Verdict
from schemas.topics import JOURNEY_OUTCOMES, SESSIONS, VERDICTS

T = TypeVar("T")

Before = dict[str, Session | Verdict | JourneyOutcome]
"""What was published and stands, by id, of verdicts by `ref`, with revision 0 so that contents can
be compared."""


def publish_touched(
    customer: str,
    picture: Picture,
    tail: Sequence[Interaction],
    touched: Touched,
    rules: Rules,
) -> list[Message]:
    """The short path: what a step touched goes out, each with its next revision."""
    results: list[Message] = []
    for one in _once(touched.interactions):
        results.append(_verdict(customer, picture, one, rules))
    if touched.sessions:
        for session in _once(touched.sessions):
            results.append(_session(customer, session, tail))
    if touched.journeys:
        for journey in _once(touched.journeys):
            if journey.ended or journey.live:
                results.append(_outcome(customer, journey, tail, rules))
    return results


def before(customer: str, picture: Picture, tail: Sequence[Interaction], rules: Rules) -> Before:
    """The published records of a picture, for comparison after the next fold."""
    known: Before = {}
    for session in picture.sessions:
        if session.revision:
            record = outcomes.session_record(session, 0, customer, tail)
            known[record.session_id] = record
    for journey in picture.journeys:
        if journey.revision:
            outcome = outcomes.outcome_record(journey, 0, customer, tail, rules)
            known[outcome.journey_id] = outcome
    for one in tail:
        if one.revision:
            known[f"verdict {one.ref}"] = _verdict_of(customer, picture, one, 0, rules)
    return known


def stamp(state: CustomerState) -> None:
    """Write each published result's last revision onto the interaction that opened it.

    Where that interaction has been let go of, the base that goes on for it is told.
    """
    picture, base = state.picture, state.base
    by_id: dict[str, list[Interaction]] = {}
    for one in state.tail:
        by_id.setdefault(one.id, []).append(one)
    for session in picture.sessions:
        alike = by_id.get(session.opener, ())
        opener = next((one for one in alike if sessions.opened(one, session)), None)
        if session.revision and opener is not None:
            opener.stamps = {**(opener.stamps or {}), SESSION_STAMP: session.revision}
        elif base is not None and session.serial < len(base.sessions):
            known = base.sessions[session.serial]
            known.revision, known.live = session.revision, session.live
    for journey in picture.journeys:
        alike = by_id.get(journey.opener, ())
        opener = next((one for one in alike if journeys.opened(one, journey)), None)
        if journey.revision and opener is not None:
            opener.stamps = {**(opener.stamps or {}), journey.mission: journey.revision}
        elif base is not None and journey.serial < len(base.journeys):
            known_journey = base.journeys[journey.serial]
            known_journey.revision, known_journey.live = journey.revision, journey.live


def carry_over(former: Interaction, one: Interaction, known: Before) -> None:
    """Of two copies of an interaction, `one` stays: it goes on counting where either had come to.

    What both had published under the same id goes out again, higher than either.
    """
    if former.revision:
        if one.revision:
            known.pop(f"verdict {one.ref}", None)
        one.revision = max(one.revision, former.revision)
    for name, revision in (former.stamps or {}).items():
        own = (one.stamps or {}).get(name, 0)
        if own:
            derived = ids.session_of(one) if name == SESSION_STAMP else ids.journey_of(name, one)
            known.pop(derived, None)
        if abs(revision) > abs(own):
            one.stamps = {**(one.stamps or {}), name: revision}


def publish_changed(
    customer: str,
    known: Before,
    picture: Picture,
    tail: Sequence[Interaction],
    rules: Rules,
) -> list[Message]:
    """The long path: after a new fold, every record that differs goes out, and only those.

    Sessions that were swallowed, and journeys that no longer are, get a last word. An open
    session that stays open is not sent again, an open journey only where it was said to have ended.
    """
    results: list[Message] = []
    for one in tail:
        was = known.get(f"verdict {one.ref}")
        if was is None or was != _verdict_of(customer, picture, one, 0, rules):
            results.append(_verdict(customer, picture, one, rules))
    for session in picture.sessions:
        old = known.get(session.id)
        if isinstance(old, Session):
            if not session.closed and old.state == "open":
                continue
            if old == outcomes.session_record(session, 0, customer, tail):
                continue
        results.append(_session(customer, session, tail))
    for journey in picture.journeys:
        if not journey.ended and not journey.live:
            continue
        before_it = known.get(journey.id)
        if isinstance(before_it, JourneyOutcome):
            if not journey.ended and before_it.outcome == "open":
                continue
            if before_it == outcomes.outcome_record(journey, 0, customer, tail, rules):
                continue
        results.append(_outcome(customer, journey, tail, rules))
    results.extend(last_words(customer, picture, tail))
    return results


def opened_journeys(one: Interaction) -> bool:
    """Whether a journey that it opened was published: it may lend its id to one that goes on."""
    return one.stamps is not None and any(name != SESSION_STAMP for name in one.stamps)


def last_words(customer: str, picture: Picture, tail: Sequence[Interaction]) -> list[Message]:
    """What interactions opened that no live result carries on: each is absorbed, once."""
    results: list[Message] = []
    for one in tail:
        for name, revision in (one.stamps or {}).items():
            if revision < 0:
                continue
            if name == SESSION_STAMP:
                session = picture.sessions[one.session]
                if sessions.opened(one, session):
                    continue
                record = outcomes.absorbed_session(one, revision + 1, customer, session)
                results.append(Message(SESSIONS, record.session_id, record))
            else:
                journey = picture.journeys[one.journey] if one.journey >= 0 else None
                same = journey is not None and journey.mission == name
                if same and journey is not None and journeys.opened(one, journey):
                    continue
                survivor = journey if same else None
                outcome = outcomes.absorbed_journey(name, one, revision + 1, customer, survivor)
                results.append(Message(JOURNEY_OUTCOMES, outcome.journey_id, outcome))
            one.stamps = {**(one.stamps or {}), name: -(revision + 1)}
    return results


def _verdict_of(
    customer: str, picture: Picture, one: Interaction, revision: int, rules: Rules
) -> Verdict:
    session = picture.sessions[one.session]
    journey = picture.journeys[one.journey] if one.journey >= 0 else None
    return outcomes.verdict_record(one, revision, customer, session, journey, rules)


def _verdict(customer: str, picture: Picture, one: Interaction, rules: Rules) -> Message:
    one.revision += 1
    record = _verdict_of(customer, picture, one, one.revision, rules)
    return Message(VERDICTS, record.touchpoint, record)


def _session(customer: str, session: OpenSession, tail: Sequence[Interaction]) -> Message:
    session.revision += 1
    session.live = True
    record = outcomes.session_record(session, session.revision, customer, tail)
    return Message(SESSIONS, record.session_id, record)


def _outcome(
    customer: str, journey: OpenJourney, tail: Sequence[Interaction], rules: Rules
) -> Message:
    journey.revision += 1
    journey.live = True
    record = outcomes.outcome_record(journey, journey.revision, customer, tail, rules)
    return Message(JOURNEY_OUTCOMES, record.journey_id, record)


def _once(items: list[T]) -> list[T]:
    if len(items) < 2:
        return items
    return list({id(item): item for item in items}.values())
