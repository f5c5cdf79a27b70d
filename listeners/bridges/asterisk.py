"""The bridge from Asterisk: reads its manager interface and posts what it says to a listener.

    python -m listeners.bridges.asterisk --manager 127.0.0.1:5038 --user touchpoints \
        --listener https://in.example.com/ivr/asterisk --name pbx-1

The manager's secret stands in TOUCHPOINTS_BRIDGE_SECRET, the write key in TOUCHPOINTS_BRIDGE_KEY.
It needs Python 3.11 and no package, so the one file may be copied to the machine of the exchange.

Events are held in memory until the listener has answered 200, each under an id of its own, so that
a batch sent again is the same. While the listener is away up to `HELD_MAX` are held; then it reads
no more, and what the exchange does not keep is lost, as is what is held when the process is killed.
What happens while the connection to the exchange is down is not told by it afterwards.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import random
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Final, NamedTuple

WANTED: Final = frozenset(
    {
        *("Newchannel", "Newexten", "DTMFEnd", "Hangup", "CEL", "AgentConnect", "AgentComplete"),
        *("QueueCallerJoin", "QueueCallerLeave", "QueueCallerAbandon"),
    }
)
"""Events that are posted."""

PROMPTS: Final = frozenset(
    {"background", "backgrounddetect", "read", "readexten", "speechbackground", "ivrdemo"}
)
"""Applications that play a menu and listen. Other steps of the dial plan are not posted."""

BATCH_MAX: Final = 100
"""Events of one request."""

HELD_MAX: Final = 10_000
"""Events that are held while the listener is away."""

GATHERING: Final = 0.5
"""Seconds that a batch waits for more."""

PAUSE_MAX: Final = 30.0
"""Seconds between attempts, at most; it begins at one and doubles, less a random part."""

PATIENCE: Final = 10.0
"""Seconds that a request and a login may take, and the last batch at the end."""

LINE_MAX: Final = 65_536

_log = logging.getLogger("touchpoints.bridge")

Event = dict[str, str]


class Settings(NamedTuple):
    """Where to read, where to post, and as whom."""

    host: str
    port: int
    user: str
    secret: str
    listener: str
    key: str
    name: str


class LoginRefused(Exception):
    """The manager does not know the user, or the secret is another."""


class NotTaken(Exception):
    """The listener did not answer 200.

    Attributes:
        retry_after: Seconds that it asked for.
        final: Whether the same request will never be taken.
    """

    def __init__(self, status: int | str, *, retry_after: float = 0.0, final: bool = False) -> None:
        self.retry_after = retry_after
        self.final = final
        super().__init__(f"it answers {status}")


def is_wanted(event: Event) -> bool:
    """Whether an event is posted: of the dial plan only menus and what was chosen in them."""
    kind = event.get("Event")
    if kind != "Newexten":
        return kind in WANTED
    first = event.get("Priority", "1") == "1" and len(event.get("Exten", "")) == 1
    chosen = first and event.get("Exten") != "s"
    return chosen or event.get("Application", "").lower() in PROMPTS


async def blocks(reader: asyncio.StreamReader) -> AsyncIterator[Event]:
    """The manager's messages: lines of `Key: value` until an empty one."""
    found: Event = {}
    while line := await reader.readline():
        text = line.decode(errors="replace").rstrip("\r\n")
        if not text:
            if found:
                yield found
            found = {}
            continue
        name, colon, value = text.partition(":")
        if colon and not text.startswith("Asterisk Call Manager"):
            found[name.strip()] = value.strip()


class Bridge:
    """One exchange, one listener.

    Args:
        settings: See `Settings`.
        now: The time, aware.
        post: Sends one body; raises `NotTaken`.
        run: Names this run of the bridge, so that ids are not those of the last one.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], datetime],
        post: Callable[[bytes], None],
        run: str,
    ) -> None:
        self._settings = settings
        self._now = now
        self._post = post
        self._held: asyncio.Queue[Event] = asyncio.Queue(HELD_MAX)
        self._under_way = 0
        self._ids = (f"{settings.name}/{run}/{number}" for number in count(1))

    async def run(self) -> None:
        """Read and post until cancelled; then post what is held, as far as there is time."""
        reading = asyncio.create_task(self._keep_reading())
        posting = asyncio.create_task(self._keep_posting())
        try:
            done, _ = await asyncio.wait((reading, posting), return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()  # Neither ends but by what it raises.
        finally:
            reading.cancel()
            if not posting.done():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._held.join(), PATIENCE)
            posting.cancel()
            if lost := self._held.qsize() + self._under_way:
                _log.error("%d events are lost: the listener took no more", lost)

    async def _keep_reading(self) -> None:
        pause = 1.0
        while True:
            try:
                async for event in self._events():
                    pause = 1.0
                    if is_wanted(event):
                        await self._held.put(self._stamped(event))
                _log.warning("the manager closed the connection")
            except (OSError, TimeoutError, asyncio.LimitOverrunError, ValueError) as error:
                _log.warning("the manager is away: %r", error)
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, PAUSE_MAX)

    async def _events(self) -> AsyncIterator[Event]:
        """Log in, then everything that the manager says."""
        settings = self._settings
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(
                settings.host, settings.port, limit=LINE_MAX
            )
        try:
            login = {"Action": "Login", "Username": settings.user, "Secret": settings.secret}
            lines = "".join(f"{name}: {value}\r\n" for name, value in login.items())
            writer.write((lines + "\r\n").encode())
            await writer.drain()
            logged_in = False
            async for block in blocks(reader):
                if "Response" in block and not logged_in:
                    if block["Response"] != "Success":
                        raise LoginRefused(block.get("Message", "the manager refuses the login"))
                    logged_in = True
                    _log.info("reading the manager of %s", settings.host)
                elif "Event" in block:
                    yield block
        finally:
            writer.close()

    def _stamped(self, event: Event) -> Event:
        """The event under an id of its own, with a time."""
        stamp = f"{self._now().timestamp():.6f}"
        return {"id": next(self._ids), "Timestamp": stamp, **event}

    async def _keep_posting(self) -> None:
        while True:
            batch = await self._gathered()
            self._under_way = len(batch)
            await self._deliver(batch)
            self._under_way = 0
            for _ in batch:
                self._held.task_done()

    async def _gathered(self) -> list[Event]:
        """What is held, as soon as a batch is full or the first has waited."""
        batch = [await self._held.get()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHERING):
                while len(batch) < BATCH_MAX:
                    batch.append(await self._held.get())
        return batch

    async def _deliver(self, batch: Sequence[Event]) -> None:
        """Post until it is taken, or never will be."""
        pause = 1.0
        while True:
            told = {
                "bridge": self._settings.name,
                "sent_at": self._now().isoformat(),
                "events": batch,
            }
            try:
                return await asyncio.to_thread(self._post, json.dumps(told).encode())
            except NotTaken as error:
                if error.final:
                    _log.error("%d events are lost: %s", len(batch), error)
                    return None
                _log.warning("the listener is away: %s", error)
                await asyncio.sleep(max(error.retry_after, pause * random.uniform(0.5, 1)))
                pause = min(2 * pause, PAUSE_MAX)


def poster(listener: str, key: str) -> Callable[[bytes], None]:
    """A function that posts one body to a listener.

    A wrong key is tried again, for a person may mend it; only a body that cannot be read is lost.
    """

    def post(body: bytes) -> None:
        request = urllib.request.Request(listener, data=body, method="POST")
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", f"Bearer {key}")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                if answer.status != 200:
                    raise NotTaken(answer.status)
        except urllib.error.HTTPError as error:
            asked = error.headers.get("Retry-After", "")
            raise NotTaken(
                error.code,
                retry_after=float(asked) if asked.isdigit() else 0.0,
                final=error.code in (400, 413),
            ) from error
        except OSError as error:
            raise NotTaken(str(error)) from error

    return post


def settings_of(arguments: Sequence[str]) -> Settings:
    """Settings from the command line and the environment."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--manager", default="127.0.0.1:5038", help="host:port of the exchange")
    parser.add_argument("--user", required=True, help="who logs in to the manager")
    parser.add_argument("--listener", required=True, help="the address of /ivr/asterisk")
    parser.add_argument("--name", default="asterisk", help="names the exchange in ids")
    given = parser.parse_args(arguments)
    host, _, port = given.manager.rpartition(":")
    missing = [
        name for name in ("TOUCHPOINTS_BRIDGE_SECRET", "TOUCHPOINTS_BRIDGE_KEY")
        if not os.environ.get(name)
    ]  # fmt: skip
    if missing:
        parser.error(f"expected {' and '.join(missing)} in the environment")
    if not host or not port.isdigit():
        parser.error(f"expected host:port for --manager; found {given.manager}")
    return Settings(
        host=host,
        port=int(port),
        user=given.user,
        secret=os.environ["TOUCHPOINTS_BRIDGE_SECRET"],
        listener=given.listener,
        key=os.environ["TOUCHPOINTS_BRIDGE_KEY"],
        name=given.name,
    )


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        LoginRefused: The exchange does not let us in; a person must act.
    """
    bridge = Bridge(
        settings,
        now=lambda: datetime.now(UTC),
        post=poster(settings.listener, settings.key),
        run=f"{datetime.now(UTC):%Y%m%dT%H%M%S}",
    )
    running = asyncio.create_task(bridge.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


def main() -> int:
    """Run the bridge; exit code 1 where the exchange refuses the login."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        asyncio.run(serve(settings_of(sys.argv[1:])))
    except LoginRefused as refused:
        _log.error("the manager refuses the login: %s", refused)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
