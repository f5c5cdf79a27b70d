"""The frame around a page: navigation, what cannot be believed just now, footer."""

from typing import Final

from pipeline.console.pieces import Page, Section, link, time_of
from pipeline.console.standing import Standing
from pipeline.reporting.markup import Markup, element, joined

PLACES: Final = (
    ("now", "Now", "/"),
    ("missions", "Missions", "/missions"),
    ("touchpoints", "Touchpoints", "/touchpoints"),
    ("journeys", "Journeys", "/journeys"),
    ("report", "Report", "/report"),
    ("pipeline", "Pipeline", "/pipeline"),
)
"""The navigation: id, name, address."""

SIGNS: Final = {
    "quiet": "\N{WHITE CIRCLE}",
    "catching-up": "\N{HOURGLASS}\N{VARIATION SELECTOR-15}",
    "starting": "\N{HOURGLASS}\N{VARIATION SELECTOR-15}",
    "empty": "\N{WHITE CIRCLE}",
    "stalled": "\N{BLACK UP-POINTING TRIANGLE}",
    "failed": "\N{BLACK UP-POINTING TRIANGLE}",
}


def document(
    page: Page,
    standing: Standing,
    *,
    seq: int = 0,
    emitters_url: str = "",
    user: str = "",
    operator: bool = True,
    csrf: str = "",
    inside: bool = True,
) -> str:
    """The whole document.

    Args:
        page: What is shown.
        standing: How far it can be believed.
        seq: Tells the event stream what the reader has already.
        emitters_url: Where touchpoints are sent; empty where this console does not know.
        user: Who is logged in; empty where nobody has to.
        operator: Whether single journeys may be shown.
        csrf: The token of the form that logs out.
        inside: Whether the reader may look around; False before they have logged in.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{page.title} - Touchpoints"),
        element("link", rel="stylesheet", href="/static/report.css"),
        element("link", rel="stylesheet", href="/static/console.css"),
        element("link", rel="icon", href="/static/icon.svg", type="image/svg+xml"),
        # Before anything is painted, so that no line moves when its time is put into another zone.
        element("script", src="/static/console.js", defer="", blocking="render"),
    )
    main = element(
        "main",
        element("h1", page.title, class_="unseen"),
        *(_placed(one) for one in (notice(standing, emitters_url), *page.sections)),
        id="main",
        tabindex="-1",
        class_=f"at-{page.place}",
    )
    body = element(
        "body",
        element("a", "Skip to the content", href="#main", class_="skip"),
        _top(page, user, operator, csrf) if inside else _door(),
        main,
        element("footer", _foot(standing)),
        data_live=str(seq) if page.live else None,
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def notice(standing: Standing, emitters_url: str) -> Section:
    """What is the matter with the figures; nothing where they can be believed."""
    if standing.level == "empty":
        return Section("notice", _welcome(emitters_url))
    if not standing.sentence:
        return Section("notice", Markup(""))
    as_of = (
        element("span", "What is shown is as of ", time_of(standing.as_of), ".")
        if standing.as_of is not None and standing.level != "starting"
        else ""
    )
    return Section(
        "notice",
        element(
            "p",
            element("span", SIGNS[standing.level], aria_hidden="true", class_="sign"),
            element("span", element("strong", standing.sentence), " ", as_of),
            class_=f"notice {standing.level}",
        ),
    )


def _welcome(emitters_url: str) -> Markup:
    """The empty system: how to send the first touchpoint."""
    url = emitters_url or "http://127.0.0.1:8080"
    body = '{"channel":"web","name":"home","identifiers":{"anonymous_id":"a-1"}}'
    command = f"curl {url}/v1/touchpoints -d '{body}'"
    return element(
        "div",
        element("p", "No touchpoint has come in yet.", class_="headline"),
        element(
            "p",
            "Send the first one: within seconds Now says how it went, and Touchpoints lists it.",
            class_="explanation",
        ),
        _copyable(command, "first"),
        element("p", "Or send a day of a telecom's customers, with a break in it:"),
        _copyable(f"touchpoints demo --url {url}", "demo"),
        class_="welcome",
    )


def _copyable(command: str, name: str) -> Markup:
    return element(
        "div",
        element("pre", element("code", command), id=f"command-{name}", tabindex="0"),
        element(
            "button",
            "Copy",
            type="button",
            data_copies=f"command-{name}",
            hidden="",
        ),
        class_="command",
    )


def _placed(one: Section) -> Markup:
    polite = "polite" if one.name in ("notice", "headline") else None
    return element("section", one.content, id=f"s-{one.name}", aria_live=polite)


def _top(page: Page, user: str, operator: bool, csrf: str) -> Markup:
    items = [
        element("li", link(name, to, aria_current="page" if place == page.place else None))
        for place, name, to in PLACES
        if operator or place != "journeys"
    ]
    leave = (
        element(
            "form",
            element("input", type="hidden", name="csrf", value=csrf),
            element("button", f"Log out {user}", type="submit", class_="quiet"),
            method="post",
            action="/logout",
        )
        if user
        else ""
    )
    return element(
        "header",
        link("Touchpoints", "/", class_="brand"),
        element("nav", element("ul", *items), aria_label="Pages"),
        element("p", "", id="connection", role="status"),
        leave,
        class_="top",
    )


def _door() -> Markup:
    return element("header", link("Touchpoints", "/", class_="brand"), class_="top")


def _foot(standing: Standing) -> Markup:
    if standing.as_of is None:
        return Markup("")
    return joined("Newest touchpoint: ", time_of(standing.as_of, "full"))
