"""Globs compared: does one match everything that another matches?

`*`, `?` and `[…]` as `fnmatch` reads them. Both are walked side by side as automata, over the
characters they name and one that stands for all others.
"""

import re
from fnmatch import translate
from typing import Final

Token = re.Pattern[str] | None
"""One character's pattern; None for `*`."""

RANGE_MAX: Final = 256
"""Characters of one `[a-z]`; a glob with a larger range is compared with nothing."""

STEPS_MAX: Final = 20_000
"""Pairs of states walked; beyond it the answer is no, which claims nothing."""

_TOKEN: Final = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)


def covers(wide: str, narrow: str) -> bool:
    """Whether `wide` matches every text that `narrow` matches; False where that is too much work.

    A pattern that matches nothing is covered by any.
    """
    characters = _characters(wide) | _characters(narrow)
    if len(characters) > 2 * RANGE_MAX:
        return False
    other = next(chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in characters)
    alphabet = sorted(characters | {other})
    tokens = _tokens(wide), _tokens(narrow)
    start = _closed({0}, tokens[0]), _closed({0}, tokens[1])
    waiting, seen = [start], {start}
    while waiting:
        at_wide, at_narrow = waiting.pop()
        if len(tokens[1]) in at_narrow and len(tokens[0]) not in at_wide:
            return False
        for character in alphabet:
            after = (
                _moved(at_wide, tokens[0], character),
                _moved(at_narrow, tokens[1], character),
            )
            if after[1] and after not in seen:
                if len(seen) >= STEPS_MAX:
                    return False
                seen.add(after)
                waiting.append(after)
    return True


def _pieces(glob: str) -> list[str]:
    return _TOKEN.findall(glob)


def _tokens(glob: str) -> list[Token]:
    return [None if one == "*" else re.compile(translate(one)) for one in _pieces(glob)]


def _characters(glob: str) -> set[str]:
    """Every character that a glob tells from others."""
    found: set[str] = set()
    for piece in _pieces(glob):
        found.update(piece)
        for low, high in re.findall(r"(.)-(.)", piece[1:-1]) if len(piece) > 1 else ():
            span = range(ord(low), ord(high) + 1)
            found.update(map(chr, span[: 2 * RANGE_MAX + 1]))
    return found


def _closed(states: set[int], tokens: list[Token]) -> frozenset[int]:
    """With every state that a `*` lets one reach for nothing."""
    reached = set(states)
    for state in sorted(states):
        at = state
        while at < len(tokens) and tokens[at] is None:
            at += 1
            reached.add(at)
    return frozenset(reached)


def _moved(states: frozenset[int], tokens: list[Token], character: str) -> frozenset[int]:
    after = set()
    for state in states:
        if state == len(tokens):
            continue
        token = tokens[state]
        if token is None:
            after.add(state)
        elif token.match(character):
            after.add(state + 1)
    return _closed(after, tokens)
