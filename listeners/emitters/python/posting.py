"""One request to a listener, how its answer is read, and how long to wait after a failure."""

import http.client
import json
import random
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from listeners.emitters.python.waiting import Item

BATCH_CHARS_MAX: Final = 512_000
"""Characters of one request; a listener takes 4 MiB."""

BACKOFF_MAX: Final = 60.0
"""Seconds of our own between two attempts, at most (P)."""

RETRY_AFTER_MAX: Final = 300.0
"""Seconds that a listener may ask for, at most (P)."""

NEVER: Final = frozenset({400, 413})
"""Statuses of a body that will not be taken later either."""


class Answer(NamedTuple):
    """A listener's answer; status 0 where there was none."""

    status: int
    body: bytes = b""
    retry_after: float = 0.0


def fitting(batch: Sequence[Item]) -> Sequence[Item]:
    """The first of them that fit into one request; at least one."""
    size = 0
    for number, (_, text) in enumerate(batch):
        size += len(text)
        if size > BATCH_CHARS_MAX and number:
            return batch[:number]
    return batch


def pause(answer: Answer, failures: int) -> float:
    """Seconds before the next attempt: what the listener asks, then twice as long each time.

    Half of it is chance, so that those who failed together do not come back together.
    """
    backoff = min(BACKOFF_MAX, 2.0 ** min(failures - 1, 16)) * random.uniform(0.5, 1.0)
    return min(answer.retry_after, RETRY_AFTER_MAX) + backoff


def refused_of(body: bytes) -> int | None:
    """How many items a listener refused; None where it was none that answered."""
    try:
        return int(json.loads(body)["rejected"])
    except (ValueError, TypeError, KeyError):
        return None


class _Staying(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: that would be a GET without the body, and show the key to another."""

    def redirect_request(self, *_: Any) -> None:
        """Leave the answer as it is."""


def check(url: str, key: str) -> None:
    """Find at once what no request could be made of.

    Raises:
        ValueError: The address or the key; the key is not repeated.
    """
    parts = urllib.parse.urlsplit(url)
    good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    if not good or not url.isascii() or not url.isprintable() or " " in url:
        message = f'expected an address such as https://touchpoints.example.com; found "{url}"'
        raise ValueError(message)
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        message = "expected a key of ASCII characters without spaces and line ends; found others"
        raise ValueError(message)


def poster(url: str, key: str, timeout: float) -> Callable[[bytes], Answer]:
    """A function that sends one body; it never raises because of the network."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    opener = urllib.request.build_opener(_Staying)

    def post(body: bytes) -> Answer:
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        try:
            with opener.open(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                asked = error.headers.get("Retry-After", "")
                digits = asked.isascii() and asked.isdigit()
                return Answer(error.code, b"", float(asked) if digits else 0.0)
        except (OSError, http.client.HTTPException, ValueError):
            return Answer(0)

    return post
