"""Touchpoints that companies often overlook, and how an inventory shows that it has them.

CRM research quoted in the field names billing, field service, sales quotes, the handling of
references, internal workflow that the customer waits for, and how customers are segmented. The
last two are no touchpoints of their own. The words are our own choice, matched at the start of a
word of an id or a name.
"""

import re
from collections.abc import Iterable
from typing import Final

from pipeline.stitching.inventory import Entry

BILLING: Final = "billing"
FIELD_SERVICE: Final = "field service"

OVERLOOKED: Final = {
    BILLING: ("bill", "invoice", "statement", "charge"),
    FIELD_SERVICE: ("field", "technician", "engineer", "installer", "visit", "appointment"),
    "sales quotes": ("quote", "quotation", "offer", "estimate"),
    "references": ("reference", "referral", "recommend", "testimonial"),
}
"""What is often overlooked, and the words that show it."""

EXPECTED: Final = (BILLING, FIELD_SERVICE)
"""What every company has, so that an inventory without it has overlooked it (P)."""


def overlooked_in(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """By kind, the ids of the entries that are of it; in the order of the inventory."""
    found: dict[str, list[str]] = {kind: [] for kind in OVERLOOKED}
    for entry in entries:
        words = re.findall(r"[a-z]+", f"{entry.id} {entry.name}".lower())
        for kind, starts in OVERLOOKED.items():
            if any(word.startswith(starts) for word in words):
                found[kind].append(entry.id)
    return found
