"""Errors of the contracts.

ValueError
└── ContractViolation   a record or a value breaks its contract: where, expected, found
"""

import traceback
from pathlib import Path
from typing import Final

FOUND_LENGTH_MAX: Final = 120
"""Characters of an offending value that an error shows; the rest is cut."""


class ContractViolation(ValueError):
    """A value is not what its contract says.

    Attributes:
        where: The place, as a JSON path (`$.channel`) or `file:line`.
        expected: What the contract asks for, in words.
        found: What stood there, in words, never longer than `FOUND_LENGTH_MAX`.
    """

    def __init__(self, *, where: str, expected: str, found: str) -> None:
        self.where = where
        self.expected = expected
        self.found = (
            found if len(found) <= FOUND_LENGTH_MAX else found[: FOUND_LENGTH_MAX - 1] + "…"
        )
        super().__init__(f"expected {expected}; found {self.found} at {where}")


def place_of(error: BaseException) -> str:
    """`KeyError at rasa.py:130`; without the message, which may repeat what was sent."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    return f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"
