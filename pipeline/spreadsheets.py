"""Text that a spreadsheet opens as text, whatever a customer wrote into it."""

from typing import Final

FORMULA: Final = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
    "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)
"""What text must not begin with, or a spreadsheet may run it (OWASP, CSV injection)."""


def guarded(text: str) -> str:
    """The text; with an apostrophe before it where it looks like a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text
