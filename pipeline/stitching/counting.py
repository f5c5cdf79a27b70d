"""Counting: how often something has happened in a session by now, for rules that go by it."""

from hashlib import blake2b
from typing import Final

from pipeline.stitching.sessions import OpenSession

COUNTS_MAX: Final = 500
"""Places, fields and questions that are counted of one session (P); no person comes to so many, and
what one key may make a customer's state hold has to end. The first in time are counted; what is
none of them counts as once, or as often as the emitter says."""


def bump(session: OpenSession, what: str) -> int:
    """Count once more; how often it has been by now."""
    if session.counts is None:
        session.counts = {}
    times = session.counts[what] = session.counts.get(what, 0) + 1
    return times


def bump_at(session: OpenSession, what: str, *where: str, told: int = 1) -> int:
    """Count one place once more, up to `COUNTS_MAX` of them.

    `told` is how often it had been by then, for all the emitter knows. Words of any length stand
    in the count's name as a digest of 8 bytes.
    """
    words = "\0".join(where).encode(errors="surrogatepass")
    key = f"{what} {blake2b(words, digest_size=8).hexdigest()}"
    counts = session.counts
    if counts is None:
        counts = session.counts = {}
    if key not in counts and len(counts) >= COUNTS_MAX:
        return told
    times = counts[key] = max(counts.get(key, 0) + 1, told)
    return times
