import pytest

from pipeline.stitching.inventory import OTHER, Entry, Inventory, Sign

SHOP = Inventory(
    (
        Entry(id="receipt", name="", channel="web", signs=(Sign(location="/paid/*"),)),
        Entry(id="paying", name="", channel="web", signs=(Sign(name="pay*", location="/*"),)),
        Entry(id="any-page", name="", channel="web", signs=(Sign(name="page"), Sign(intent="x"))),
        Entry(id="paying-in-app", name="", channel="app"),
    )
)


@pytest.mark.parametrize(
    ("channel", "name", "location", "intent", "touchpoint"),
    [
        ("web", "pay", "/paid/7", None, "receipt"),
        ("web", "pay", "/cart", None, "paying"),
        ("web", "pay", None, None, OTHER),
        ("web", "page", None, None, "any-page"),
        ("web", "anything", None, "x", "any-page"),
        ("web", "Page", None, None, OTHER),
        ("app", "paying-in-app", None, None, "paying-in-app"),
        ("web", "paying-in-app", None, None, OTHER),
        ("ivr", "page", None, None, OTHER),
    ],
)
def test_the_first_entry_all_of_whose_patterns_match_names_a_touchpoint(
    channel: str, name: str, location: str | None, intent: str | None, touchpoint: str
) -> None:
    assert SHOP.touchpoint_of(channel, name, location, intent) == touchpoint
    assert SHOP.touchpoint_of(channel, name, location, intent) == touchpoint  # remembered
