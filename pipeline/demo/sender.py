"""The demo's emitter: posts native touchpoints to a listener, in order, and waits when told to."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

import aiohttp

from pipeline.errors import PipelineError

BATCH_MAX: Final = 500
"""Touchpoints in one request; the listener takes up to 2,500."""

ANSWER_TIMEOUT: Final = 30.0
"""Seconds to wait for the answer to one request."""

WAITS_MAX: Final = 60.0
"""Seconds that all waiting for one batch to be taken may last."""

WAIT_DEFAULT: Final = 1.0
"""Seconds to wait where an answer asks for it without saying how long."""

NOT_NOW: Final = frozenset({429, 503})
"""Answers that ask to come again later."""


class DemoFailed(PipelineError):
    """The demo's traffic could not be sent; the message says why and what to do."""


class NothingListens(DemoFailed):
    """There is no listener at the address."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(
            f"nothing listens at {url}. Start it with `touchpoints up` (or `make up`), or name "
            "another address with --port or --url"
        )


class Sent(NamedTuple):
    """What became of the items that were sent."""

    accepted: int
    refused: int


async def clock_of(url: str) -> datetime:
    """The listener's time, to the second: so that the day ends now by its clock, not by ours.

    Raises:
        NothingListens: There is no listener at the address.
        DemoFailed: Whatever is there does not say what time it is.
    """
    async with _session(None) as session:
        try:
            async with session.get(f"{url}/healthz") as answer:
                date = answer.headers.get("Date")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NothingListens(url) from error
    if answer.status != 200 or date is None:
        message = f"expected a listener at {url}; /healthz answered {answer.status}"
        raise DemoFailed(message)
    return parsedate_to_datetime(date)


async def send(
    lines: Sequence[bytes],
    url: str,
    key: str,
    progressed: Callable[[int], None] = lambda count: None,
) -> Sent:
    """Post all lines, batch after batch, each only once the one before is durable.

    Args:
        lines: Native touchpoints, one JSON object each.
        url: The listener's address, without a path.
        key: The write key.
        progressed: Told, after each batch, how many lines were sent so far.

    Raises:
        NothingListens: There is no listener at the address, or it went away.
        DemoFailed: The listener refused a batch, or stayed too busy for too long.
    """
    accepted = refused = 0
    async with _session(key) as session:
        for start in range(0, len(lines), BATCH_MAX):
            batch = lines[start : start + BATCH_MAX]
            answer = await _post(session, url, b"\n".join(batch) + b"\n")
            bad = _refused(answer)
            accepted += len(batch) - bad
            refused += bad
            progressed(start + len(batch))
    return Sent(accepted, refused)


def _session(key: str | None) -> aiohttp.ClientSession:
    headers = {"Content-Type": "application/x-ndjson"}
    if key is not None:
        headers["X-Write-Key"] = key
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT)
    return aiohttp.ClientSession(headers=headers, timeout=timeout)


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> dict[str, Any]:
    """Post one batch until it is taken; a repeat is harmless, since each touchpoint has its id."""
    waited = 0.0
    while True:
        try:
            async with session.post(f"{url}/v1/touchpoints", data=body) as answer:
                status, text = answer.status, await answer.text()
                said = answer.headers.get("Retry-After", "")
                if status == 200:
                    receipt: dict[str, Any] = await answer.json()
                    return receipt
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NothingListens(url) from error
        if status not in NOT_NOW:
            message = f"{url} refused a batch with {status}: {text[:300]}"
            raise DemoFailed(message)
        wait = float(said) if said.isdecimal() else WAIT_DEFAULT
        waited += wait
        if waited > WAITS_MAX:
            message = (
                f"{url} still answers {status} after {WAITS_MAX:.0f} s of waiting: {text[:300]}"
            )
            raise DemoFailed(message)
        await asyncio.sleep(wait)


def _refused(receipt: dict[str, Any]) -> int:
    """How many items of a batch the receipt says were refused."""
    return int(receipt.get("rejected", 0))
