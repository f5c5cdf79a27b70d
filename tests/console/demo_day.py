"""The demo's day as lines to send, in two halves around its break."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from pipeline.demo.day import day
from tests.integration.serving import Up

CUSTOMERS = 400

Lines = list[dict[str, Any]]


def day_around_its_break() -> tuple[Lines, Lines]:
    """Until its break is under way, and from then on."""
    now = datetime.now(UTC)  # noqa: TID251 - the server's clock, too
    told = day(1, now, CUSTOMERS)
    middle = told.broken.starts_at + (told.broken.ends_at - told.broken.starts_at) / 2
    lines = [json.loads(line) for line in told.lines]
    at = next(n for n, one in enumerate(lines) if one["occurred_at"] > f"{middle:%Y-%m-%dT%H:%M}")
    return lines[:at], lines[at:]


def whole_day() -> Lines:
    before, after = day_around_its_break()
    return before + after


async def send(up: Up, lines: Lines) -> None:
    for at in range(0, len(lines), 100):
        answer = await asyncio.to_thread(up.post, lines[at : at + 100])
        assert answer.status == 200
