"""Doors: the form that logs in, and what stands where somebody may not go on."""

from typing import Final

from pipeline.console.pieces import Page, Section, link, section
from pipeline.reporting.markup import Markup, element, joined

REFUSED: Final = {
    403: (
        "Not for you",
        "Single customers are shown to operators only, and forms of this console alone are taken. "
        "If you came by a link, ask whoever runs the console for the role operator.",
    ),
    404: (
        "Nothing here",
        "There is no such page, or what it was about is no longer kept: the oldest goes first.",
    ),
}
"""What a person is told, by status: a heading, and what to do."""


def login_page(csrf: str, problem: str = "") -> Page:
    """The form that logs in, with what was wrong with the last try."""
    said = element("p", problem, class_="problem", role="alert") if problem else ""
    form = element(
        "form",
        _field("Name", "name", "text", "username"),
        _field("Password", "password", "password", "current-password"),
        element("input", type="hidden", name="csrf", value=csrf),
        element("button", "Log in", type="submit"),
        said,
        method="post",
        action="/login",
        class_="login",
    )
    return Page("Log in", "", (section("login", "Log in", "", form),), live=False)


def _field(label: str, name: str, kind: str, known_as: str) -> Markup:
    field = element("input", type=kind, name=name, autocomplete=known_as, required="", id=name)
    return element("label", element("span", label), field)


def refusal_page(status: int) -> Page | None:
    """What a person is told who may not, or asked for what there is not, and the way back."""
    if status not in REFUSED:
        return None
    title, why = REFUSED[status]
    told = joined(
        element("h2", title, class_="headline"),
        element("p", why, class_="explanation"),
        element(
            "p", link("See what breaks now", "/"), " or ", link("all touchpoints", "/touchpoints")
        ),
    )
    return Page(title, "", (Section("refused", told),), live=False)
