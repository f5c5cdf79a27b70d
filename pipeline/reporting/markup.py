"""HTML without a template: whatever is not made here is text, and is escaped."""

from html import escape
from typing import Final

EMPTY: Final = frozenset({"meta", "br", "hr", "input", "link"})
"""Elements that have no end."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str | None) -> Markup:
    """An element; children that are not `Markup` are escaped, attributes always.

    Args:
        tag: Its name.
        children: In order; the empty ones leave nothing.
        attributes: By name, `class_` for `class`, `_` for `-`; None leaves one out.
    """
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in EMPTY:
        return Markup(f"<{tag}{given}>")
    return Markup(f"<{tag}{given}>{joined(*children)}</{tag}>")


def joined(*children: str) -> Markup:
    """Children one after the other, escaped where they are not `Markup`."""
    return Markup("".join(c if isinstance(c, Markup) else escape(c) for c in children))
