"""The page and the text: complete, escaped, and asking for nothing from anywhere."""

import re
from datetime import timedelta
from html.parser import HTMLParser

import msgspec
import pytest

from pipeline.reporting.markup import Markup, element
from pipeline.reporting.page import page_of
from pipeline.reporting.report import Money
from pipeline.reporting.text import WIDTH, text_of
from pipeline.reporting.wording import ENDINGS, REASONS, duration, money, percent, reason
from pipeline.stitching.inventory import Entry, Inventory
from pipeline.stitching.journeys import REASONS as JOURNEY_REASONS
from pipeline.stitching.missions import Missions
from pipeline.stitching.rules import Rules
from pipeline.stitching.signals import HARD, HARD_ON_STEP, SOFT
from tests.builders import INVENTORY, PAY_BILL, RULES, touchpoint
from tests.unit.reporting.reports import pays, reported

HOSTILE = '<script src="https://evil.example/x.js">alert(1)</script>'


class Seen(HTMLParser):
    """Every element and attribute of a page, checked to be closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data


def seen(page: str) -> Seen:
    parser = Seen()
    parser.feed(page)
    parser.close()
    assert parser._open == []
    return parser


def broken() -> list:
    lost = [o for n in range(8) for o in pays(f"b{n}", "10:00", "http_5xx", until="pay-online")]
    return [*lost, *(one for n in range(20) for one in pays(f"w{n}"))]


def test_the_page_runs_no_script_and_fetches_nothing():
    page = page_of(reported(broken()), RULES)
    found = seen(page)

    assert not {"script", "link", "img", "iframe", "object", "form", "a"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name == "src"]
    assert "url(" not in page
    assert "@import" not in page
    assert "//" not in re.sub(r"<!doctype html>", "", page)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in found.attributes


def test_whatever_people_wrote_is_text_on_the_page():
    entries = tuple(
        msgspec.structs.replace(one, name=HOSTILE, owner=HOSTILE)
        for one in INVENTORY.entries.values()
    )
    mission = msgspec.structs.replace(PAY_BILL, title=HOSTILE)
    rules = Rules(inventory=Inventory(entries), missions=Missions((mission,)))

    found = seen(page_of(reported(broken(), rules), rules))

    assert "script" not in found.tags
    assert HOSTILE in found.text


def test_page_and_text_name_the_touchpoint_to_mend_and_the_mission_it_costs():
    report = reported(broken())

    for shown in (page_of(report, RULES), text_of(report, RULES)):
        assert "Mend “Paying” first: there 8 customers did not get what they came for" in (
            " ".join(shown.split())
        )


def test_no_line_of_the_text_is_wider_than_a_terminal():
    assert max(map(len, text_of(reported(broken()), RULES).splitlines())) <= WIDTH


def test_an_empty_report_says_so():
    report = reported([])

    assert report.headline == "Nothing to report: no interaction was recorded in this time."
    assert report.headline in " ".join(text_of(report, RULES).split())
    assert report.headline in seen(page_of(report, RULES)).text


def test_without_an_ended_journey_nobody_claims_how_it_went():
    rules = Rules(inventory=INVENTORY, missions=Missions(()))

    report = reported([touchpoint("10:00", name="view-bill")], rules)

    assert report.headline.startswith("No journey has ended yet")


def test_a_report_of_nothing_broken_says_how_many_got_what_they_came_for():
    report = reported([*pays("anna"), *pays("ben")])

    assert report.headline == "Of 2 journeys, 2 (100 %) got the customer what they came for."
    assert report.explanation == "No touchpoint broke so that it cost one."


def test_what_was_lost_without_anything_broken_is_told_as_that():
    minds = msgspec.structs.replace(PAY_BILL, repeat_within=timedelta(days=1))
    rules = msgspec.structs.replace(RULES, missions=Missions((minds,)))

    report = reported([*pays("anna", "10:00"), *pays("anna", "12:00")], rules)

    assert report.frustrated == 1
    assert report.improve == ("paid",)
    assert "Nothing is known to have broken, but customers came again" in report.explanation
    assert "had to come again" in text_of(report, rules)


def test_every_ending_has_words():
    assert set(ENDINGS) == set(JOURNEY_REASONS.values()) - {"completing_touchpoint"}


def test_what_is_often_overlooked_is_told_where_it_is_missing_or_silent():
    visit = Entry(id="technician-visit", name="the technician", channel="agent")
    rules = Rules(
        inventory=Inventory((*INVENTORY.entries.values(), visit)), missions=Missions((PAY_BILL,))
    )

    text = " ".join(text_of(reported(pays("anna"), rules), rules).split())

    assert "field service: in the inventory, but nobody reports it" in text
    assert "references: not in the inventory of touchpoints" in text
    assert "billing:" not in text


def test_children_are_escaped_unless_they_are_markup():
    shown = element("p", "<b>", Markup("<i></i>"), title='"&')

    assert shown == '<p title="&quot;&amp;">&lt;b&gt;<i></i></p>'


def test_every_sign_of_trouble_has_words_that_a_customer_would_use():
    assert set(REASONS) >= HARD | HARD_ON_STEP | SOFT
    assert reason("a_rule_to_come") == "a rule to come"


@pytest.mark.parametrize(
    ("part", "shown"),
    [(0.0, "0 %"), (0.001, "<1 %"), (0.29, "29 %"), (0.999, ">99 %"), (1, "100 %")],
)
def test_a_share_is_not_rounded_to_none_or_all(part, shown):
    assert percent(part).replace("\N{NO-BREAK SPACE}", " ") == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "at once"),
        (1, "1 s"),
        (59, "59 s"),
        (90, "1.5 min"),
        (3600, "1 h"),
        (40_000, "11 h"),
        (200_000, "2.3 d"),
    ],
)
def test_a_duration_is_as_exact_as_one_remembers_it(seconds, shown):
    assert duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == shown


def test_money_carries_its_interval_where_asked():
    one = Money(amount=1386.0, currency="EUR", low=1000.4, high=1800.0)

    assert money(one).replace("\N{NO-BREAK SPACE}", " ") == "1,386 EUR"
    assert money(one, interval=True).endswith("(1,000 to 1,800)")
