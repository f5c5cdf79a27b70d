"""How a law is written: a function of a story; tried a few hundred times, or under torture more."""

from collections.abc import Callable
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.properties.stories import Story, stories

EXAMPLES: Final = 300
"""Stories a law is tried on by `make test`; always the same ones, so that it is not by chance."""

TORTURE: Final = 20
"""How many times as many `make torture` tries, other ones each time."""

Law = Callable[..., None]
LAWS: Final[dict[str, tuple[Law, tuple[st.SearchStrategy[object], ...]]]] = {}
"""Every law by its name, and what it is tried on."""


def law(
    *drawn: st.SearchStrategy[object], story: st.SearchStrategy[Story] | None = None
) -> Callable[[Law], Law]:
    """Make a test of a law about a story, and of whatever else is `drawn` for it."""
    tried = (stories() if story is None else story, *drawn)

    def written(rule: Law) -> Law:
        LAWS[rule.__name__] = (rule, tried)
        return attempt(rule, tried, EXAMPLES, derandomize=True)

    return written


def attempt(
    rule: Law,
    tried: tuple[st.SearchStrategy[object], ...],
    examples: int,
    *,
    derandomize: bool,
) -> Law:
    """The law as a test that takes no arguments."""
    # A story takes a while to draw, and its many small numbers look large: no cause for alarm.
    allowed = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
    profile = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=derandomize,
        suppress_health_check=allowed,
        print_blob=not derandomize,
    )
    return profile(given(*tried)(rule))
