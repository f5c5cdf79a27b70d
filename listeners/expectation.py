"""The `Expect` header: some senders wait to be told that a body is welcome before they send it."""

from typing import Final

from aiohttp import HttpVersion11, web

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_REFUSAL: Final = {
    "success": False,
    "status": 0,
    "code": "expectation_failed",
    "message": "expected Expect: 100-continue, or none; found another",
}


async def expectation(request: web.Request) -> web.Response | None:
    """Meet the one expectation that there is; an answer to any other, which ends the request.

    aiohttp's own handler repeats what was sent, and fails where that is not text.
    """
    if request.headers["Expect"].lower() != "100-continue":
        return web.json_response(_REFUSAL, status=417)
    if request.version == HttpVersion11:
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0  # What counts begins with the answer.
    return None
