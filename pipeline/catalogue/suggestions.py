"""Did you mean: the known word that a mistaken one comes closest to."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

LIKENESS_MIN: Final = 0.6
"""The least likeness, 0 to 1, that is worth suggesting. Source: difflib's own default."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, whatever its case; None where none is alike."""
    by_folded = {one.casefold(): one for one in sorted(known, reverse=True)}
    found = get_close_matches(word.casefold(), by_folded, n=1, cutoff=LIKENESS_MIN)
    return by_folded[found[0]] if found else None
