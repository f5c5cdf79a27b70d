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


def test_what_a_touchpoint_needs_needs_others_in_its_turn():
    pay = Entry(id="pay", name="paying", channel="web", needs=("log-in", "provider"))
    log_in = Entry(id="log-in", name="logging in", channel="web", needs=("directory",))
    provider = Entry(id="provider", name="the provider", channel="web", needs=("directory",))
    directory = Entry(id="directory", name="the directory", channel="web")

    needed_by = Inventory((pay, log_in, provider, directory)).needed_by

    assert needed_by == {
        "log-in": ("pay",),
        "provider": ("pay",),
        "directory": ("pay", "log-in", "provider"),
    }
