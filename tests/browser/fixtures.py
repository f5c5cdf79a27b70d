"""One Chromium for all tests of a folder; without one they are skipped and say what is missing."""

from collections.abc import Iterator

import pytest

from tests.browser import chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[str]:
    path = chromium.found()
    if path is None:
        pytest.skip(f"no Chromium ({', '.join(chromium.NAMES)}): apt-get install chromium")
    with chromium.running(path) as address:
        yield address
