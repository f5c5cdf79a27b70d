"""One Chromium for all tests; without one they are skipped and say what is missing."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.fixtures import browser as browser
from tests.browser.site import Site, served


@pytest_asyncio.fixture(loop_scope="session")
async def site(browser: Browser) -> AsyncIterator[Site]:
    async with served(browser) as made:
        yield made
