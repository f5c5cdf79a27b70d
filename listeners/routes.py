"""HTTP: one line a route, limits, and errors as status codes. HTTP stops here.

Success is exactly 200 with a JSON object, since several SDKs send again on any other 2xx; every
error carries `code` and `message`, since one of them reads both; errors carry CORS headers too,
since a browser shows a page nothing without them.
"""

import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from listeners.bodies import too_large
from listeners.credentials import key_of
from listeners.dialects import DIALECTS, Question, Route, summaries
from listeners.emitter_script import emitter_script
from listeners.errors import (
    ListenerError,
    Reason,
    Refused,
    TooFast,
    TooLarge,
    TooSlow,
    Unauthorised,
    Unavailable,
    Unreadable,
)
from listeners.exchange import Answer, Delivery
from listeners.expectation import expectation
from listeners.listener import Listener
from listeners.settings import ListenerSettings
from listeners.telemetry import Telemetry
from schemas.openapi import document

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATUS: Final[dict[type[ListenerError], int]] = {
    Unreadable: 400,
    Unauthorised: 401,
    TooSlow: 408,
    TooLarge: 413,
    TooFast: 429,
    Unavailable: 503,
}
"""The only place where errors become status codes."""

NO_STATUSES: Final[Mapping[int, int]] = {}

BODY_GRACE: Final = 5.0
"""Seconds before a body's rate is looked at: a phone may need them to find its network."""

LINGERING: Final = 2.0
"""Seconds that what is left of a refused body is read and thrown away, so that the emitter reads
the answer and no reset."""

SHUTDOWN: Final = 5.0
"""Seconds that requests under way have at the end."""

PREFLIGHT_SECONDS: Final = "600"
"""How long a browser need not ask again. With 0 the last event of a page is lost."""

_HEADER_NAMES: Final = re.compile(r"[A-Za-z0-9\-_, ]{1,1024}")
_SENDER: Final = re.compile(r"[A-Za-z0-9.\-:/]{1,253}")
_HOST: Final = re.compile(r"[A-Za-z0-9.\-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:]{2,39}\](:\d{1,5})?")
_ASKED: Final = ("GET", "HEAD")
_JSON: Final = "application/json"
_FAILED: Final[dict[int, tuple[str, str]]] = {
    404: ("not_found", "expected one of the paths of /openapi.json; found another"),
    405: ("method_not_allowed", "expected a method of the Allow header; found another"),
    413: (Reason.BODY_TOO_LARGE, "expected a smaller body"),
}
_log: Final = logging.getLogger("touchpoints.listeners")


def application(
    listener: Listener, settings: ListenerSettings, telemetry: Telemetry
) -> web.Application:
    """All routes of the listeners, each with and without a trailing slash.

    Serve it by `runner`, which sets the limits that belong to the connection.
    """
    http = _Http(listener, settings, telemetry)
    app = web.Application(
        middlewares=[http.errors], client_max_size=settings.body_bytes_max, logger=_log
    )
    routes: list[tuple[tuple[str, ...], str, Handler]] = [
        (_ASKED, "/healthz", http.healthz),
        (_ASKED, "/readyz", http.readyz),
        (_ASKED, "/openapi.json", http.openapi),
        (_ASKED, "/emitter.js", emitter_script),
    ]
    for name, dialect in DIALECTS.items():
        routes += [(one.methods, one.path, http.receiver(name, one)) for one in dialect.routes]
        routes += [(one.methods, one.path, http.teller(one)) for one in dialect.questions]
        routes += [(("POST",), path, http.discard) for path in dialect.discards]
    for methods, path, handler in routes:
        for spelling in (path, path + "/"):
            resource = app.router.add_resource(spelling)
            for method in methods:
                resource.add_route(method, handler, expect_handler=expectation)
            resource.add_route("OPTIONS", http.preflight, expect_handler=expectation)
    app.on_cleanup.append(lambda _: listener.close())
    return app


def runner(app: web.Application, settings: ListenerSettings) -> web.AppRunner:
    """The application with the limits of a connection."""
    return web.AppRunner(app, **connection(settings))


def connection(settings: ListenerSettings) -> dict[str, Any]:
    """What a runner of the application needs: idle time, headers' sizes, nothing inflated."""
    return {
        "access_log": None,
        "keepalive_timeout": settings.keep_alive.total_seconds(),
        "max_line_size": settings.header_bytes_max,
        "max_field_size": settings.header_bytes_max,
        "max_headers": settings.headers_max,
        "lingering_time": LINGERING,
        "shutdown_timeout": SHUTDOWN,
        "auto_decompress": False,
    }


class _Http:
    """The handlers; what they share is the listener."""

    def __init__(
        self, listener: Listener, settings: ListenerSettings, telemetry: Telemetry
    ) -> None:
        self._listener = listener
        self._telemetry = telemetry
        self._allows = listener.credentials.allows
        self._public_url = settings.public_url
        self._bytes_max = settings.body_bytes_max
        self._request_rate = settings.request_rate_max
        self._deadline = settings.body_deadline.total_seconds()
        self._rate_min = settings.body_rate_min
        self._openapi = msgspec.json.encode(document(summaries()))

    def receiver(self, name: str, route: Route) -> Handler:
        """The handler of one route that takes touchpoints."""
        answered = route.answer or DIALECTS[name].answer
        addressed = "twilio" in DIALECTS[name].schemes  # whose signature covers the address

        async def receive(request: web.Request) -> web.Response:
            headers = request.headers
            query = request.rel_url.raw_query_string
            try:
                body = await self._body(request)
                delivery = Delivery(
                    name,
                    route.call,
                    key_of(headers, request.query if query else {}),
                    headers.get("Origin"),
                    headers.get("Content-Encoding"),
                    request.remote or "",
                    headers,
                    query,
                    self._address(request) if addressed else "",
                )
                receipt = await self._listener.receive(body, delivery)
            except ListenerError as error:
                reason = error.reason if isinstance(error, Refused) else None
                close = reason in (Reason.BODY_TOO_SLOW, Reason.BODY_TOO_LARGE)
                return self._refusal(request, error, close=close, statuses=route.statuses)
            if receipt.answer is not None:
                return self._said(request, receipt.answer)
            if receipt.refused:
                return self._answer(request, 400, receipt.body())
            return self._said(request, answered(receipt))

        return receive

    def teller(self, question: Question) -> Handler:
        """The handler of one route that an SDK asks something by."""

        async def tell(request: web.Request) -> web.Response:
            key = request.match_info.get("key") or key_of(request.headers, request.query)
            if question.keyed:
                try:
                    self._listener.credentials.source_of(key, request.headers.get("Origin"))
                except Unauthorised as refused:
                    self._telemetry.touchpoint_rejected(refused.reason, "unknown")
                    return self._refusal(request, refused)
            if self._public_url is not None:
                scheme, _, host = self._public_url.partition("://")
            else:
                scheme, host = request.scheme, request.host
            if not _HOST.fullmatch(host):
                return self._failure(request, 400, "host_invalid", "expected a host and port")
            told = question.answer(key or "", scheme, host)
            return self._answer(request, 200, msgspec.json.encode(told))

        return tell

    def _address(self, request: web.Request) -> str:
        """The address as the sender wrote it, which is what some vendors sign."""
        return (self._public_url or f"{request.scheme}://{request.host}") + request.raw_path

    async def discard(self, request: web.Request) -> web.Response:
        """An SDK's metrics of itself: taken, counted, not kept."""
        try:
            await self._body(request)
        except ListenerError as error:
            return self._refusal(request, error, close=True)
        self._telemetry.request_discarded()
        return self._answer(request, 200, b'{"success":true,"status":1}')

    async def healthz(self, request: web.Request) -> web.Response:
        """Am I up."""
        return self._answer(request, 200, b'{"success":true,"status":1}')

    async def readyz(self, request: web.Request) -> web.Response:
        """Can I deliver: the publisher's answer."""
        try:
            await self._listener.ready()
        except Unavailable as error:
            return self._refusal(request, error)
        return self._answer(request, 200, b'{"success":true,"status":1}')

    async def openapi(self, request: web.Request) -> web.Response:
        """This interface, as an OpenAPI document."""
        return self._answer(request, 200, self._openapi)

    async def preflight(self, request: web.Request) -> web.Response:
        """A browser's question before it sends. A page that is not on the list learns nothing."""
        if asking := request.headers.get("WebHook-Request-Origin"):
            return self._webhook(asking)
        headers = self._cors(request)
        if "Access-Control-Allow-Origin" in headers:
            headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
            headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
            asked = request.headers.get("Access-Control-Request-Headers", "")
            if _HEADER_NAMES.fullmatch(asked):
                headers["Access-Control-Allow-Headers"] = asked
        return web.Response(status=204, headers=headers)

    def _webhook(self, asking: str) -> web.Response:
        """A sender's question whether we want its events; its key is looked at when it sends.

        Source: CloudEvents 1.0.2, HTTP web hooks, "abuse protection".
        """
        if not _SENDER.fullmatch(asking):
            return web.Response(status=400)
        rate = str(math.ceil(self._request_rate * 60)) if self._request_rate else "*"
        return web.Response(
            headers={
                "Allow": "POST",
                "WebHook-Allowed-Origin": asking,
                "WebHook-Allowed-Rate": rate,
            }
        )

    @property
    def errors(self) -> Middleware:
        """The middleware that answers in JSON what the framework refuses."""

        @web.middleware
        async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                return await handler(request)
            except web.HTTPException as error:
                code, message = _FAILED.get(error.status, ("refused", "expected another request"))
                response = self._failure(request, error.status, code, message)
                if "Allow" in error.headers:
                    response.headers["Allow"] = error.headers["Allow"]
                return response
            except ConnectionError:  # Gone in mid-body: nobody is left to answer, nothing is kept.
                response = self._failure(request, 400, "gone", "expected the rest of the body")
                response.force_close()
                return response
            except Exception:
                _log.exception("a request failed by our fault")
                return self._failure(request, 500, "internal", "the fault is ours")

        return errors

    async def _body(self, request: web.Request) -> bytes:
        """The body as sent, within its size, its deadline and its least rate.

        Raises:
            TooLarge: More bytes than allowed, announced or come.
            TooSlow: Past the deadline, or slower than allowed.
            Unreadable: Its framing or its compression broke off.
        """
        bytes_max = self._bytes_max
        try:
            if (request.content_length or 0) > bytes_max:
                raise self._counted(too_large(bytes_max))
            content = request.content
            if content.is_eof():
                body = content.read_nowait(-1)
                if len(body) > bytes_max:
                    raise self._counted(too_large(bytes_max))
                return body
            return await self._slow_body(request)
        except web.RequestPayloadError as error:
            raise self._counted(
                Unreadable(
                    reason=Reason.NOT_INFLATABLE,
                    message="expected a whole body; found one cut short or wrongly compressed",
                )
            ) from error

    async def _slow_body(self, request: web.Request) -> bytes:
        loop = asyncio.get_running_loop()
        started = loop.time()
        chunks: list[bytes] = []
        size = 0
        while True:
            due = started + self._deadline
            if self._rate_min:
                due = min(due, started + BODY_GRACE + size / self._rate_min)
            try:
                async with asyncio.timeout_at(due):
                    chunk = await request.content.readany()
            except TimeoutError as error:
                raise self._counted(
                    TooSlow(
                        reason=Reason.BODY_TOO_SLOW,
                        message=f"expected the body within {self._deadline:g} s and at "
                        f"{self._rate_min} bytes/s or more",
                    )
                ) from error
            if not chunk:
                return b"".join(chunks)
            size += len(chunk)
            if size > self._bytes_max:
                raise self._counted(too_large(self._bytes_max))
            chunks.append(chunk)

    def _counted(self, refused: Refused) -> Refused:
        self._telemetry.touchpoint_rejected(refused.reason, "unknown")
        return refused

    def _cors(self, request: web.Request) -> dict[str, str]:
        origin = request.headers.get("Origin")
        if origin is None:
            return {}
        if not self._allows(origin):
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "Retry-After",
        }

    def _answer(self, request: web.Request, status: int, body: bytes) -> web.Response:
        return web.Response(
            status=status, body=body, content_type=_JSON, headers=self._cors(request)
        )

    def _said(self, request: web.Request, answer: Answer) -> web.Response:
        headers = {**self._cors(request), **answer.headers}
        return web.Response(body=answer.body, content_type=answer.content_type, headers=headers)

    def _failure(self, request: web.Request, status: int, code: str, message: str) -> web.Response:
        body = msgspec.json.encode(
            {"success": False, "status": 0, "code": code, "message": message}
        )
        return self._answer(request, status, body)

    def _refusal(
        self,
        request: web.Request,
        error: ListenerError,
        *,
        close: bool = False,
        statuses: Mapping[int, int] = NO_STATUSES,
    ) -> web.Response:
        status = STATUS[type(error)]
        status = statuses.get(status, status)
        if isinstance(error, Refused):
            response = self._failure(request, status, error.reason, error.message)
        else:
            response = self._failure(
                request, status, Reason.UNAVAILABLE, "nothing can be made durable now; send again"
            )
        if isinstance(error, TooFast | Unavailable):
            seconds = max(1, math.ceil(error.retry_after.total_seconds()))
            response.headers["Retry-After"] = str(seconds)
        if status == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="touchpoints"'
        if close:
            response.force_close()
        return response
