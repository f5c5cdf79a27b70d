"""Keys: which identifier a touchpoint is keyed by, and which others it shows."""

from typing import Final

from pipeline.stitching.claims import class_of
from pipeline.stitching.ids import customer_of
from pipeline.stitching.rules import IdentityRules
from schemas.identifiers import DIRECTIVES, blocked
from schemas.records import Touchpoint

REMEMBERED_MAX: Final = 50_000
"""Sets of identifiers whose reading is kept, since a customer shows the same ones again; then it
starts afresh."""


def read(touchpoint: Touchpoint, rules: IdentityRules) -> tuple[str, tuple[str, ...]]:
    """The identifier a touchpoint is keyed by, and the stronger ones it shows, strongest first.

    Both as `type:value`, without values that identify nobody. The key is `schemas.identifiers`'
    `primary`: a device before all else, then the session, then whatever there is.
    """
    identifiers = touchpoint.identifiers
    seen = tuple(identifiers.items())
    known = rules.remembered.get(seen)
    if known is None:
        if len(rules.remembered) >= REMEMBERED_MAX:
            rules.remembered.clear()
        known = rules.remembered[seen] = _device_apart(_linking(identifiers, rules), rules)
    device, shown = known
    if device:
        return known
    if touchpoint.session_hint:
        return f"@session:{touchpoint.source}/{touchpoint.session_hint}", shown
    if shown:
        return shown[-1], shown[:-1]
    for name in sorted(identifiers):
        if name not in DIRECTIVES and blocked(identifiers[name], rules.blocked) is None:
            return f"{name}:{identifiers[name]}", ()
    return f"@event:{touchpoint.source}/{touchpoint.id}", ()


def _device_apart(shown: tuple[str, ...], rules: IdentityRules) -> tuple[str, tuple[str, ...]]:
    """The device among identifiers that link, empty where none is, and the others."""
    if shown and class_of(shown[-1], rules) == "device":
        return shown[-1], shown[:-1]
    return "", shown


def _linking(identifiers: dict[str, str], rules: IdentityRules) -> tuple[str, ...]:
    """Those that may link, strongest first."""
    found = [
        (rules.ranks[name], f"{name}:{value}")
        for name, value in identifiers.items()
        if name in rules.ranks and blocked(value, rules.blocked) is None
    ]
    return tuple(shown for _, shown in sorted(found))


def route_of(
    customer: str, touchpoint: Touchpoint, rules: IdentityRules
) -> tuple[str, tuple[str, ...]]:
    """What a touchpoint is keyed by, and the identifier by which it came to this customer."""
    key, shown = read(touchpoint, rules)
    if shown and customer_of(shown[0]) == customer:
        return key, (shown[0],)
    return key, (key,)
