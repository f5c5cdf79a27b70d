"""Caps: how many identifiers one owner may hold, and what is said of one too many.

Which one is refused depends on the order of arrival, on purpose: the alternative is to take back a
link that was right until a further one came.
"""

from typing import Final

from pipeline.stitching.change import Message
from pipeline.stitching.claims import IdentifierState, class_of
from pipeline.stitching.ids import dead_letter_of
from pipeline.stitching.rules import IdentityRules
from schemas.identifiers import IdentifierClass
from schemas.letters import DeadLetter
from schemas.records import Link
from schemas.topics import DEAD_LETTERS, LINKS

REFUSED_MAX: Final = 64
"""Owners that an identifier remembers not to belong to (P); of more, the oldest is forgotten, and
all that it claimed. Only a value that very many people show who hold too much gets there."""

ONE_MORE: Final = "one more, of touchpoint "
"""What the letter of a refusal says before the touchpoint's id."""


def refuse(state: IdentifierState, owner: str) -> None:
    """Note that an owner may not own the identifier, since it owns too much."""
    if owner in state.refused:
        return
    state.refused.append(owner)
    if len(state.refused) > REFUSED_MAX:
        oldest = state.refused.pop(0)
        state.claims = [one for one in state.claims if one.anchor != oldest]


def hold(state: IdentifierState, key: str, told: Link, rules: IdentityRules) -> list[Message]:
    """Count an identifier that this one now owns; over the limit it is given back.

    One that it no longer owns, by an operator's word, counts no more.
    """
    name = told.origin
    if told.revoked:
        state.held.pop(name, None)
        return []
    if name in state.held:
        state.held[name] = max(state.held[name], told.at)
        return []
    since, kind = told.at - rules.shared_window, class_of(name, rules)
    held, alike = {}, 0
    for one, at in state.held.items():
        its = class_of(one, rules)
        if its == IdentifierClass.DEVICE and at < since:
            continue
        held[one] = at
        if its == kind and (kind != "unique" or one.partition(":")[0] == name.partition(":")[0]):
            alike += 1
    state.held = held
    limits = {"device": rules.device_max, "strong": rules.strong_max, "unique": 1}
    limit = limits.get(kind, rules.identifiers_max)
    if alike < limit and len(state.held) < rules.identifiers_max:
        state.held[name] = told.at
        return []
    refusal = Link(
        identifier=name,
        anchor=key,
        at=told.at,
        origin=key,
        reason="cap",
        touchpoint=told.touchpoint,
        source=told.source,
    )
    letter = DeadLetter(
        id=dead_letter_of("identify", "identifier_cap", f"{key} {name}".encode()),
        source="identify",
        reason="identifier_cap",
        where="identify",
        expected=f"at most {limit} {kind} identifiers of one customer",
        found=f"{ONE_MORE}{told.touchpoint}",
        received_at=told.at,
    )
    return [Message(LINKS, name, refusal), Message(DEAD_LETTERS, "identify", letter)]
