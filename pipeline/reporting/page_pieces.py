"""The pieces that the page is put together from."""

from collections.abc import Sequence

from pipeline.reporting.inference import Rate
from pipeline.reporting.markup import Markup, element, joined
from pipeline.reporting.wording import percent, share


def section(title: str, about: str, *content: str) -> Markup:
    """A part of the page under its heading; `about` says how to read it."""
    return element("section", element("h2", title), element("p", about, class_="about"), *content)


def gauge(label: str, one: Rate, colour: str) -> Markup:
    """A share as a bar beside its number; nothing where nothing was counted."""
    if one.whole == 0:
        return Markup("")
    return element(
        "div",
        element("span", label),
        bar([(one.share, colour)]),
        element("span", percent(one.share), class_="number"),
        class_="gauge",
        title=f"{one.part:,} of {one.whole:,}: {share(one)}",
    )


def bar(parts: Sequence[tuple[float, str]]) -> Markup:
    """Shares of a whole side by side, each in its colour; drawn, so that no element has a style."""
    shapes, at = [], 0.0
    for part, colour in parts:
        if part:
            x, width = f"{at * 100:.2f}%", f"{part * 100:.2f}%"
            shapes.append(element("rect", x=x, width=width, height="100%", class_=colour))
            at += part
    return element("svg", *shapes, class_="bar", aria_hidden="true", focusable="false")


def folded(
    headings: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[str]],
    shown: int,
    summary: str,
) -> Markup:
    """A table of the first rows; the others are folded away, but printed.

    Args:
        headings: As `table` takes them.
        rows: Likewise.
        shown: How many are in sight.
        summary: What stands in the place of the others, behind their number.
    """
    rest = rows[shown:]
    if not rest:
        return table(headings, rows)
    others = element(
        "details", element("summary", f"{len(rest):,} {summary}"), table(headings, rest)
    )
    return joined(table(headings, rows[:shown]) if shown else "", others)


def beside(text: str, *parts: str) -> Markup:
    """A text with something beside it that is aligned from row to row."""
    return element("span", element("span", text), *parts, class_="beside")


def table(headings: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]) -> Markup:
    """A table that becomes a list of labelled lines on a narrow screen.

    Args:
        headings: Text and class of each column; the first column needs no label.
        rows: A cell each; one that is `Markup` stands as it is.
    """
    head = element("tr", *(element("th", text, class_=kind or None) for text, kind in headings))
    body = [
        element(
            "tr",
            *(
                element("td", cell, class_=kind or None, data_label=text if at else None)
                for at, ((text, kind), cell) in enumerate(zip(headings, row, strict=True))
            ),
        )
        for row in rows
    ]
    return element("table", element("thead", head), element("tbody", *body))


def tags(texts: Sequence[str]) -> list[Markup]:
    """Words in small frames, with a space after each."""
    return [joined(element("span", text, class_="tag"), " ") for text in texts]
