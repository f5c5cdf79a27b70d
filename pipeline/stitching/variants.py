"""Variants: the release, or the side of an experiment, under which a touchpoint happened.

Emitters that send one send it as a property; which properties these are is the catalogue's to
say. What broken votes share of them and sound ones do not is a first guess at the cause.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from sys import intern
from typing import Any, Final

import msgspec

from pipeline.stitching.minutes import interval

VALUE_MAX: Final = 40
"""Characters of a value; a longer one names no release (P)."""

SHARED_MIN: Final = 0.8
"""So much of what broke has to share it (P): the rest may be the usual breakage."""

SURE: Final = 1.64
"""How certain it has to be that broken and sound votes differ: ends of one-sided 95 % intervals
(P)."""


def read(properties: msgspec.Raw, names: tuple[str, ...]) -> tuple[str, ...]:
    """What a touchpoint says of them, each as `name=value`.

    Args:
        properties: A JSON object.
        names: The properties to look for; see `AlertRules.variants`.
    """
    mentions, decode, paths = _reader(names)
    if not mentions(properties):
        return ()
    found: Any
    try:
        found = decode(properties)
    except msgspec.MsgspecError:  # something else stands where one of them was expected
        found = msgspec.json.decode(properties)
    told = []
    for name, path in paths:
        text = _text(_at(found, path))
        if text:
            told.append(intern(f"{name}={text}"))
    return tuple(told)


_Reader = tuple[
    Callable[[msgspec.Raw], object], Callable[[msgspec.Raw], Any], list[tuple[str, list[str]]]
]


@lru_cache(maxsize=8)
def _reader(names: tuple[str, ...]) -> _Reader:
    """Tells whether any is mentioned; reads these alone, skipping all others; where each stands."""
    paths = [(name, name.split(".")) for name in names]
    ends = b"|".join(re.escape(path[-1].encode()) for _, path in paths) or b"(?!)"
    shape = _shape([path for _, path in paths])
    return re.compile(b'"(?:' + ends + b')"').search, msgspec.json.Decoder(shape).decode, paths


def _shape(paths: list[list[str]]) -> type[msgspec.Struct]:
    """A struct of these fields only, inner ones for what has a dot."""
    firsts: dict[str, list[list[str]]] = {}
    for path in paths:
        firsts.setdefault(path[0], []).append(path[1:])
    fields: list[tuple[str, Any, Any]] = []
    for number, rests in enumerate(firsts.values()):
        inner = [rest for rest in rests if rest]
        plain = str | int | float | None
        only_inner = inner and len(inner) == len(rests)
        fields.append((f"f{number}", _shape(inner) | None if only_inner else plain, None))
    # A property may be called what no field can be.
    names = {f"f{number}": first for number, first in enumerate(firsts)}
    fields_by_name = {first: field for field, first in names.items()}
    return msgspec.defstruct("Variants", fields, namespace={"NAMES": fields_by_name}, rename=names)


def _at(found: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(found, msgspec.Struct):
            found = getattr(found, found.NAMES[part])  # type: ignore[attr-defined]
        elif isinstance(found, dict):
            found = found.get(part)
        else:
            return None
    return found


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value).strip()
    return text if len(text) <= VALUE_MAX else ""


def shared(
    broken: Mapping[str, int], broken_votes: int, sound: Mapping[str, int], sound_votes: int
) -> dict[str, str]:
    """What the broken votes share and the sound ones do not, by name; most telling first.

    Args:
        broken: How many broken votes were cast under each `name=value`.
        broken_votes: How many there are.
        sound: The same of sound ones.
        sound_votes: How many there are.

    Without sound votes there is nothing to differ from.
    """
    if not sound_votes or not broken_votes:
        return {}
    found: dict[str, tuple[float, str]] = {}
    for told, cast in broken.items():
        count = min(cast, broken_votes)  # blocks of minutes may reach further back than minutes do
        if count < SHARED_MIN * broken_votes:
            continue
        least = interval(broken_votes, count, SURE)[0]
        most = interval(sound_votes, min(sound.get(told, 0), sound_votes), SURE)[1]
        name, _, value = told.partition("=")
        if least > most and least - most > found.get(name, (0.0, ""))[0]:
            found[name] = (least - most, value)
    ranked = sorted(found.items(), key=lambda one: (-one[1][0], one[0]))
    return {name: value for name, (_, value) in ranked}
