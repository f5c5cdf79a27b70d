"""The pieces that pages are put together from: sections, tables, times, badges.

Whatever is not made here is text and is escaped (`pipeline.reporting.markup`). No style stands in
an element: what depends on a number is a class, or an attribute of SVG.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from pipeline.reporting.markup import Markup, element, joined
from pipeline.reporting.wording import tamed

T = TypeVar("T")

Value = str | int | float | bool | datetime | None
"""What stands in a table's cell, as it is downloaded."""

TEXT_MAX: Final = 300
"""Characters of what emitters chose that are shown; the rest is cut, and downloaded whole."""

COLUMNS_FEW: Final = 3
"""A table of so many columns is kept narrow, so that a line can be followed across it."""

WORDS: Final = {
    "broken": ("\N{BLACK UP-POINTING TRIANGLE}", "broken"),
    "functional": ("\N{BLACK CIRCLE}", "as expected"),
    "excellent": ("\N{BLACK DIAMOND}", "excellent"),
    "completed": ("\N{BLACK CIRCLE}", "got it"),
    "frustrated": ("\N{BLACK UP-POINTING TRIANGLE}", "frustrated"),
    "abandoned": ("\N{BLACK DOWN-POINTING TRIANGLE}", "left in silence"),
    "open": ("\N{WHITE CIRCLE}", "not over yet"),
    "absorbed": ("\N{WHITE CIRCLE}", "part of another journey"),
    "firing": ("\N{BLACK UP-POINTING TRIANGLE}", "broken now"),
    "resolved": ("\N{BLACK CIRCLE}", "works again"),
    "retracted": ("\N{WHITE CIRCLE}", "taken back"),
}
"""A sign and a word for every state, so that no colour is needed to tell them."""

FORMS: Final = {
    "minute": "%-d %b %H:%M",
    "full": "%-d %b %H:%M:%S",
    "clock": "%H:%M",
    "second": "%H:%M:%S",
}
"""How times are written in UTC; the script writes them likewise in the reader's zone."""


class Column(NamedTuple):
    """A column of a table: its key in downloads, its heading, and whether it holds numbers."""

    key: str
    title: str
    number: bool = False


class Cell(NamedTuple):
    """A cell: what is downloaded, and what is shown where that is something else."""

    value: Value
    shown: str | None = None


class Table(NamedTuple):
    """A table that can be looked at and downloaded.

    Attributes:
        name: In the address of its download.
        caption: What it holds, for who cannot see it.
        shown_max: Rows that are in sight at most; a download has all.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]
    shown_max: int = 50


class Later(Sequence[tuple[Cell, ...]]):
    """Rows that are made only where somebody downloads them.

    Args:
        things: What they are made of, a row each.
        row: Makes one.
    """

    def __init__(self, things: Sequence[T], row: Callable[[T], tuple[Cell, ...]]) -> None:
        self._things = things
        self._row = row

    def __len__(self) -> int:
        return len(self._things)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self._row(one) for one in self._things[at]]
        return self._row(self._things[at])


class Section(NamedTuple):
    """A part of a page that is renewed by itself; its name is its id."""

    name: str
    content: Markup


class Page(NamedTuple):
    """What is shown, without the frame around it.

    Attributes:
        place: The entry of the navigation that it belongs to.
        live: Whether it is renewed while somebody looks.
    """

    title: str
    place: str
    sections: tuple[Section, ...]
    tables: tuple[Table, ...] = ()
    live: bool = True


def address(path: str, **query: str | None) -> str:
    """A path with a query; None leaves a name out."""
    given = {name: value for name, value in query.items() if value is not None}
    return path + (f"?{urlencode(given)}" if given else "")


def below(path: str, name: str, part: str = "") -> str:
    """The address of one thing below a path, or of a part of it, whatever is in their names."""
    return f"{path}/{quote(name, safe='')}" + (f"#{quote(part, safe='')}" if part else "")


def linked(path: str) -> str:
    """A page's path as links have it; what follows its first part is one name."""
    place, _, name = path.removeprefix("/").partition("/")
    return below(f"/{quote(place)}", name) if name else f"/{quote(place)}"


def link(text: str, to: str, **attributes: str | None) -> Markup:
    """A link within the console."""
    return element("a", text, href=to, **attributes)


def time_of(at: datetime, form: str = "minute") -> Markup:
    """A time: UTC as it is sent, the viewer's own zone once their browser has read it.

    Args:
        at: Aware.
        form: `minute` (day and time), `full` (with seconds), `clock` (time alone), `second` (with
            seconds).
    """
    text = f"{at:{FORMS[form]}} UTC"
    return element("time", text, datetime=f"{at:%Y-%m-%dT%H:%M:%SZ}", data_form=form)


def badge(state: str) -> Markup:
    """A state by its sign and word."""
    sign, word = WORDS[state]
    return element(
        "span", element("span", sign, aria_hidden="true"), f" {word}", class_=f"badge {state}"
    )


def named(text: str) -> Markup:
    """What an emitter chose, as text: cut, and kept from turning the line around it."""
    return element("bdi", tamed(text, TEXT_MAX))


def section(name: str, title: str, about: str, *content: str, aside: str = "") -> Section:
    """A part under its heading; `about` says how to read it, `aside` stands beside the heading."""
    head = element("div", element("h2", title, id=f"h-{name}"), aside, class_="head")
    explained = element("p", about, class_="about") if about else ""
    return Section(name, joined(head, explained, *content))


def whole(*content: str) -> Markup:
    """A few words that stay on one line."""
    return element("span", *content, class_="whole")


def nothing(text: str) -> Markup:
    """What stands where there is nothing to show."""
    return element("p", text, class_="nothing")


def table_of(table: Table, here: str) -> Markup:
    """A table, with what downloads it; on a narrow screen a list of labelled lines."""
    if not table.rows:
        return Markup("")
    if not table.shown_max:
        return _downloads(table, here)
    head = element(
        "tr",
        *(
            element("th", one.title, scope="col", class_="number" if one.number else None)
            for one in table.columns
        ),
    )
    rows = [_row(table, row) for row in table.rows[: table.shown_max]]
    return element(
        "div",
        element(
            "table",
            element("caption", table.caption, class_="unseen"),
            element("thead", head),
            element("tbody", *rows),
        ),
        _downloads(table, here),
        class_="table" if len(table.columns) > COLUMNS_FEW else "table few",
    )


def _downloads(table: Table, here: str) -> Markup:
    more = len(table.rows) - table.shown_max
    hidden = f"{more:,} more rows in the download. " if table.shown_max and more > 0 else ""
    return element(
        "p",
        hidden,
        f"Download {table.caption} as ",
        link("CSV", _download(here, table.name, "csv"), download=""),
        " or ",
        link("JSON", _download(here, table.name, "json"), download=""),
        class_="downloads",
    )


def _row(table: Table, row: tuple[Cell, ...]) -> Markup:
    cells = []
    for at, (column, cell) in enumerate(zip(table.columns, row, strict=True)):
        shown = cell.shown if cell.shown is not None else plain(cell.value)
        kind = "number" if column.number else None
        if at == 0:
            cells.append(element("th", shown, scope="row", class_=kind))
        else:
            cells.append(element("td", shown, class_=kind, data_label=column.title))
    return element("tr", *cells)


def plain(value: Value) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return time_of(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return named(value) if value else "-"


def _download(here: str, name: str, form: str) -> str:
    path, _, query = here.partition("?")
    return f"{path}?{query}{'&' if query else ''}{urlencode({'table': name, 'format': form})}"


def figures(shown: Iterable[tuple[str, str]]) -> Markup:
    """Large numbers, each with what it counts."""
    return element(
        "dl",
        *(element("div", element("dd", figure), element("dt", what)) for figure, what in shown),
        class_="figures",
    )


def kept(name: str, value: str | None) -> Markup:
    """Part of a form that leaves another filter as it is."""
    return element("input", type="hidden", name=name, value=value) if value else Markup("")


def search(action: str, typed: str, *more: str) -> Markup:
    """A form that filters touchpoints by name, and by what else; works without a script."""
    return element(
        "form",
        element(
            "label",
            element("span", "Touchpoint"),
            element("input", type="search", name="q", value=typed, id="q"),
        ),
        *more,
        element("button", "Show", type="submit"),
        method="get",
        action=action,
        role="search",
        class_="filters",
    )


def choices(label: str, options: Iterable[tuple[str, str, bool]]) -> Markup:
    """Links of which one is chosen: text, address, whether it is."""
    return element(
        "nav",
        *(
            link(text, to, aria_current="true" if chosen else None, class_="choice")
            for text, to, chosen in options
        ),
        aria_label=label,
        class_="choices",
    )
