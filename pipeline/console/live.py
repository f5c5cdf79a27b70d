"""Live: what changes on a page is sent to all who look at it, by server-sent events.

Each page is made once for each change, however many look; sent is what differs from what the reader
has. Where making them takes long, it is done more seldom.
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from time import monotonic
from typing import Final

from pipeline.console.frame import notice
from pipeline.console.pieces import Section
from pipeline.console.rendering import Key, Rendered, Renderer

LOOK_EVERY: Final = 1.0
"""Seconds between two looks for changes."""

EFFORT_MAX: Final = 0.2
"""The share of time that making pages may take; the rest is waited (P)."""

VIEWERS_MAX: Final = 500
"""Readers that are kept informed at once (P)."""

BEAT: Final = 15.0
"""Seconds after which something is sent in any case, so that whoever left is noticed."""

_logger: Final = logging.getLogger("touchpoints.console")


class Full(Exception):
    """As many look as can be kept informed."""


class Live:
    """Keeps readers informed.

    Args:
        renderer: Makes the pages.
        emitters_url: Where touchpoints are sent.
    """

    def __init__(self, renderer: Renderer, emitters_url: str) -> None:
        self._renderer = renderer
        self._emitters_url = emitters_url
        self._readers: dict[Key, set[asyncio.Queue[bytes]]] = defaultdict(set)
        self._sent: dict[Key, tuple[int, dict[str, str]]] = {}
        self.viewers = 0

    async def follow(self, key: Key, seq: int) -> AsyncIterator[bytes]:
        """What the reader of a page is sent, for ever.

        Args:
            key: The page.
            seq: The change as of which they have it.

        Raises:
            Full: Too many look.
        """
        if self.viewers >= VIEWERS_MAX:
            raise Full
        queue: asyncio.Queue[bytes] = asyncio.Queue(4)
        self.viewers += 1
        self._readers[key].add(queue)
        try:
            yield b"retry: 2000\n\n"
            rendered = await self._renderer.rendered(key)
            sections = self._sections(rendered)
            self._sent.setdefault(key, (rendered.seq, sections))
            if rendered.seq != seq:
                yield _event(sections, sections)
            while True:
                try:
                    async with asyncio.timeout(BEAT):
                        yield await queue.get()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self.viewers -= 1
            self._readers[key].discard(queue)
            if not self._readers[key]:
                del self._readers[key]
                self._sent.pop(key, None)

    async def run(self) -> None:
        """Look for changes and send them, for ever."""
        while True:
            started = monotonic()
            try:
                if await self._renderer.look():
                    for key in list(self._readers):
                        await self._renew(key)
            except Exception:
                _logger.exception("the console could not renew its pages")
            took = monotonic() - started
            await asyncio.sleep(max(LOOK_EVERY, took / EFFORT_MAX - took))

    async def _renew(self, key: Key) -> None:
        rendered = await self._renderer.rendered(key)
        sections = self._sections(rendered)
        _, before = self._sent.get(key, (0, {}))
        self._sent[key] = (rendered.seq, sections)
        changed = {id_: html for id_, html in sections.items() if before.get(id_) != html}
        if not changed and before.keys() == sections.keys():
            return
        event = _event(sections, changed)
        for queue in list(self._readers.get(key, ())):
            if queue.full():  # whoever reads so slowly gets all of it at once
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(_event(sections, sections))
            else:
                queue.put_nowait(event)

    def _sections(self, rendered: Rendered) -> dict[str, str]:
        if rendered.page is None:
            return {}
        shown: tuple[Section, ...] = (
            notice(rendered.standing, self._emitters_url),
            *rendered.page.sections,
        )
        return {f"s-{one.name}": str(one.content) for one in shown}


def _event(sections: dict[str, str], changed: dict[str, str]) -> bytes:
    told = {"order": list(sections), "changed": changed}
    return b"event: sections\ndata: " + json.dumps(told).encode() + b"\n\n"
