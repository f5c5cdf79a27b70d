"""One Chromium for all tests; without one they are skipped and say what is missing."""

from collections.abc import AsyncIterator

import pytest

from tests.browser import chromium
from tests.browser.fixtures import browser as browser
from tests.browser.site import Site, served


@pytest.fixture
async def site(browser: str) -> AsyncIterator[Site]:
    async with chromium.connected(browser) as connection, served(connection) as made:
        yield made
        complaints = [one for tab in made.tabs for one in tab.complaints()]
        assert complaints == []
