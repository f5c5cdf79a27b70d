"""Processes: what listeners and workers elsewhere say of themselves.

Beside `up` the console is told; on Kafka, and where it runs alone, it asks every process that the
settings name for its metrics and adds up what they say.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from socket import AF_INET, SOCK_STREAM
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from pipeline.console.standing import Process, Vitals
from pipeline.gauges import ENTRIES
from pipeline.reporting.wording import counted
from schemas.topics import TOUCHPOINTS

ASK_EVERY: Final = 3.0
"""Seconds between two rounds (P)."""

ANSWER_MAX: Final = 2.0
"""Seconds that a process may take to answer; then it does not."""

BYTES_MAX: Final = 8 * 2**20
"""Of metrics of one process: those of a catalogue of thousands take 1 MiB."""

_logger: Final = logging.getLogger("touchpoints.console")

Sample = tuple[str, Mapping[str, str], float]
"""Name, labels, value."""


class Processes:
    """Asks them all, over and over.

    Args:
        addresses: Of their operations ports, such as `http://10.0.0.5:8081`. A name that stands
            for several machines, as a service's does, is asked at each of them.
        take: Is given how they stand, after each round.
        clock: The wall clock.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        take: Callable[[Vitals], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._addresses = addresses
        self._take = take
        self._clock = clock
        self._processed: datetime | None = None
        self._waiting_since: datetime | None = None

    async def run(self) -> None:
        """Ask until cancelled."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_MAX)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
            while True:
                each = await asyncio.gather(*(machines_of(one) for one in self._addresses))
                addresses = list(dict.fromkeys(one for some in each for one in some))
                answers = await asyncio.gather(*(self._ask(session, one) for one in addresses))
                now = self._clock()
                said = dict(zip(addresses, answers, strict=True))
                try:
                    self._take(self._waited(vitals_of(said, now), now))
                except (KeyError, ValueError, OverflowError):
                    # Not ours, or another version's: pages say that nothing was heard.
                    _logger.exception("what %s said is not understood", ", ".join(addresses))
                await asyncio.sleep(ASK_EVERY)

    async def _ask(self, session: aiohttp.ClientSession, address: str) -> list[Sample] | str:
        """Its metrics; why there are none."""
        try:
            async with session.get(f"{address}/metrics", allow_redirects=False) as answer:
                if answer.status != 200:
                    return f"answers {answer.status}"
                text = await answer.content.read(BYTES_MAX)
                while part := await answer.content.read(BYTES_MAX - len(text)):
                    text += part
            return await asyncio.to_thread(samples_of, text.decode())
        except TimeoutError:
            return f"does not answer within {ANSWER_MAX:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"does not answer: {error}"

    def _waited(self, vitals: Vitals, now: datetime) -> Vitals:
        """With how long touchpoints wait at least: since something waits, and nothing moves on."""
        if not vitals.backlog or vitals.processed_at != self._processed:
            self._waiting_since = now
        self._processed = vitals.processed_at
        since = self._waiting_since or now
        return vitals.with_lag(max(vitals.lag, (now - since).total_seconds()))


async def machines_of(address: str) -> list[str]:
    """The addresses of all machines that one stands for; itself where that cannot be told.

    Over TLS a machine is known by its name, which stays.
    """
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname is None:
        return [address]
    asking = asyncio.get_running_loop().getaddrinfo(
        parts.hostname, parts.port or 80, family=AF_INET, type=SOCK_STREAM
    )
    try:
        async with asyncio.timeout(ANSWER_MAX):
            found = await asking
    except (TimeoutError, OSError):
        return [address]
    machines = sorted({place[0] for *_, place in found})
    if len(machines) < 2:
        return [address]
    return [f"http://{one}:{parts.port or 80}{parts.path}" for one in machines]


def samples_of(text: str) -> list[Sample]:
    """The samples that the console shows, of metrics in Prometheus' format.

    Raises:
        ValueError: It is something else.
    """
    wanted = frozenset(_WANTED)
    return [
        (sample.name.removeprefix("touchpoints_"), sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        if family.name.removeprefix("touchpoints_") in wanted
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]


_WANTED: Final = (
    "received",
    "rejected",
    "accounted",
    "unaccounted",
    "lag_records",
    "backlog_records",
    "stitching_lag_seconds",
    "last_processed_timestamp_seconds",
    "partitions_owned",
    "processing_halted",
    "publisher_ready",
)


def vitals_of(said: Mapping[str, list[Sample] | str], now: datetime) -> Vitals:
    """How the processes stand together.

    Args:
        said: By address, the metrics of a process, or why it told none.
        now: The wall clock.
    """
    every = [sample for answer in said.values() if not isinstance(answer, str) for sample in answer]
    processes = tuple(_process(address, answer) for address, answer in said.items())
    lags: dict[str, int] = {}
    for labels, value in _all(every, "lag_records"):
        lags[labels["topic"]] = lags.get(labels["topic"], 0) + int(value)
    processed = max(
        (value for _, value in _all(every, "last_processed_timestamp_seconds")), default=0
    )
    backlog = sum(value for _, value in _all(every, "backlog_records")) + lags.get(TOUCHPOINTS, 0)
    ailing = _ailing(processes, every)
    return Vitals(
        at=now,
        ready=True,
        ailing=ailing,
        backlog=int(backlog),
        lag=max((value for _, value in _all(every, "stitching_lag_seconds")), default=0.0),
        processed_at=datetime.fromtimestamp(processed, UTC) if processed else None,
        lags=lags,
        received=_sums(every, "received_total", "channel"),
        rejected=_sums(every, "rejected_total", "reason"),
        accounts=_accounts(every),
        processes=processes,
    )


def _all(every: Sequence[Sample], name: str) -> list[tuple[Mapping[str, str], float]]:
    return [(labels, value) for one, labels, value in every if one == name]


def _sums(every: Sequence[Sample], name: str, label: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for labels, value in _all(every, name):
        sums[labels[label]] = sums.get(labels[label], 0) + int(value)
    return sums


def _accounts(every: Sequence[Sample]) -> dict[str, tuple[int, ...]]:
    """The ledger by source, its entries in their order, and what is missing last."""
    counts: dict[str, dict[str, int]] = {}
    for labels, value in _all(every, "accounted"):
        account = counts.setdefault(labels["source"], {})
        account[labels["entry"]] = account.get(labels["entry"], 0) + int(value)
    missing = _sums(every, "unaccounted", "source")
    return {
        source: (*(account.get(entry, 0) for entry in ENTRIES), missing.get(source, 0))
        for source, account in counts.items()
    }


def _process(address: str, answer: list[Sample] | str) -> Process:
    if isinstance(answer, str):
        return Process(address=address, problem=answer)
    owned = _all(answer, "partitions_owned")
    problem = ""
    if any(value for _, value in _all(answer, "processing_halted")):
        problem = "has halted: too many touchpoints failed"
    elif any(not value for _, value in _all(answer, "publisher_ready")):
        problem = "cannot make records durable"
    return Process(
        address=address,
        works=bool(owned),
        partitions=int(sum(value for _, value in owned)),
        lag=int(sum(value for _, value in _all(answer, "lag_records"))),
        received=int(sum(value for _, value in _all(answer, "received_total"))),
        problem=problem,
    )


def _ailing(processes: Sequence[Process], every: Sequence[Sample]) -> str:
    """What is wrong with some of them, in half a sentence; empty where nothing is."""
    wrong = [one for one in processes if one.problem]
    if wrong:
        of = f"of {counted(len(processes), 'process')} " if len(processes) > 1 else ""
        return f"{of}{len(wrong)} {wrong[0].problem} ({wrong[0].address})"
    owned = _all(every, "partitions_owned")
    if owned and not any(value for _, value in owned):
        return "no worker owns a partition"
    return ""
