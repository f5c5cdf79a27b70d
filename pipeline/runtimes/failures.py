"""What is kept of a touchpoint that the core failed on."""

from datetime import datetime
from typing import Final

from pipeline.stitching.ids import dead_letter_of
from schemas import codec
from schemas.errors import ContractViolation, place_of
from schemas.letters import CONTENT_BYTES_MAX, DeadLetter

PROCESSING_FAILED: Final = "processing_failed"
"""The reason code: a fault of the program, not of the record; to be sent again once mended."""

FAILURES_MAX: Final = 50
"""Failures, less the touchpoints that did not fail, at which the line stops (P): then it is not the
touchpoints. So many in a row, or sooner or later where more than half of them fail."""


def failures_after(failures: int, fine: int, failed: int) -> int:
    """The count to compare with `FAILURES_MAX`: it falls by those that do, never below nought."""
    return max(0, failures - fine) + failed


def dead_letter(value: bytes, stage: str, error: Exception, now: datetime) -> DeadLetter:
    """The dead letter of one touchpoint, with its bytes as they stand in the log.

    The error's message is left out: it may repeat what the customer sent.

    Args:
        value: The touchpoint's bytes, well-formed or not.
        stage: The stage that failed.
        error: What it raised.
        now: Stands for `received_at` where the bytes cannot be read.
    """
    try:
        touchpoint = codec.decode_touchpoint(value)
    except ContractViolation:
        source, received_at = "unknown", now
    else:
        source, received_at = touchpoint.source, touchpoint.received_at
    return DeadLetter(
        id=dead_letter_of(source, PROCESSING_FAILED, value),
        source=source,
        reason=PROCESSING_FAILED,
        where=stage,
        expected="a touchpoint that the stage can take in",
        found=place_of(error),
        received_at=received_at,
        content=value[:CONTENT_BYTES_MAX],
        truncated=len(value) > CONTENT_BYTES_MAX,
    )
