"""One Chromium for all tests of a folder; without one they are skipped and say what is missing."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser import launching


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Whatever asks for it shares one event loop: `tests/conftest.py` sees to that."""
    path = launching.found()
    if path is None:
        pytest.skip(f"no Chromium ({', '.join(launching.NAMES)}): apt-get install chromium")
    async with launching.launched(path) as browser:
        yield browser
