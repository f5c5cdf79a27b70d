"""Each test of the emitter ends with no page having broken its policy: one that does is noticed."""

import pytest

from tests.browser.launching import BLOCKED
from tests.browser.site import served


async def visited(browser, offence):
    async with served(browser) as site:
        tab = await site.visit()
        assert site.complaints() == []
        await tab.evaluate(f"setTimeout(() => {{ {offence} }})")
        await site.until(site.complaints)


@pytest.mark.parametrize(
    "offence",
    [
        "eval('1')",
        "document.body.innerHTML = '<p>'",
        "document.body.setAttribute('style', 'color: red')",
        "fetch('https://elsewhere.example/').catch(() => 0)",
        "document.createElement('script').text = '1'",
    ],
    ids=["evaluates", "writes markup", "styles", "asks elsewhere", "writes a script"],
)
async def test_a_page_that_breaks_its_policy_fails_its_test(browser, offence):
    with pytest.raises(AssertionError, match="|".join(BLOCKED)):
        await visited(browser, offence)
