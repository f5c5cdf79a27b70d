"""`GET /emitter.js`: the browser emitter, so that a website includes it by one script tag.

It is public: any page may load it, also with `crossorigin` and an `integrity` of its own. What a
page may send is decided by its key and its origin, as ever.
"""

import gzip
from hashlib import sha256
from importlib.resources import files
from typing import Final

from aiohttp import web

MAX_AGE: Final = 3600
"""Seconds for which a browser need not ask whether it has changed (P)."""

_SOURCE: Final = files("listeners.emitters").joinpath("touchpoints.js").read_bytes()
_ZIPPED: Final = gzip.compress(_SOURCE, 9, mtime=0)
_TAG: Final = f'"{sha256(_SOURCE).hexdigest()[:32]}"'
_HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": f"public, max-age={MAX_AGE}",
    "Cross-Origin-Resource-Policy": "cross-origin",  # else pages with COEP cannot load it
    "ETag": _TAG,
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


async def emitter_script(request: web.Request) -> web.Response:
    """The script, gzipped for whoever takes that; 304 for whoever has it."""
    known = request.headers.get("If-None-Match", "")
    if known == "*" or _TAG in (one.strip().removeprefix("W/") for one in known.split(",")):
        return web.Response(status=304, headers=_HEADERS)
    zipped = "gzip" in request.headers.get("Accept-Encoding", "")
    return web.Response(
        body=_ZIPPED if zipped else _SOURCE,
        content_type="text/javascript",
        charset="utf-8",
        headers=_HEADERS | ({"Content-Encoding": "gzip"} if zipped else {}),
    )
