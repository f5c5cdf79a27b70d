"""The laws again, on many more stories and never the same: run by `make torture`."""

import pytest

from tests.properties import test_crossing, test_laws  # noqa: F401  # fill LAWS
from tests.properties.laws import EXAMPLES, LAWS, TORTURE, attempt


@pytest.mark.torture
@pytest.mark.parametrize("name", sorted(LAWS))
def test_the_law_holds_in_very_many_stories(name: str) -> None:
    rule, tried = LAWS[name]

    attempt(rule, tried, EXAMPLES * TORTURE, derandomize=False)()
