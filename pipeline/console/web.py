"""The console over HTTP: pages, downloads, the event stream, and who may have them.

Reads only. Every answer forbids scripts and styles but our own, and whatever an emitter sent is
text in it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from pipeline.console import downloads
from pipeline.console.access import SESSION_COOKIE, SESSION_MAX, Access, Locked, User
from pipeline.console.audit import Audit
from pipeline.console.frame import document
from pipeline.console.live import GZIP_HEAD, Full, Live
from pipeline.console.pages import journeys
from pipeline.console.pages.doors import login_page, refusal_page
from pipeline.console.pieces import Page, below
from pipeline.console.rendering import Key, Rendered, Renderer
from pipeline.console.standing import Standing
from pipeline.reporting.page_style import STYLE

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Sent with everything."""

STATIC: Final = Path(__file__).parent / "static"

TYPES: Final = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""What is sent as it stands."""

USER: Final = web.RequestKey("user", User)

HOME: Final = "/"
LOGIN: Final = "/login"

BODY_MAX: Final = 16 * 1024
"""Bytes of a form."""

QUERY_MAX: Final = 512
"""Characters of a filter that are looked at."""

Named = Callable[[str], str]
"""An identifier as it was typed, as the topics have it. Raises ValueError where it is none."""

Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Console:
    """All that the console's answers are made with.

    Attributes:
        renderer: Makes the pages.
        access: Who may look.
        audit: Writes down who looked at whom.
        identifier_of: Hashes what is typed.
        emitters_url: Where touchpoints are sent; empty where it is not known.
    """

    renderer: Renderer
    access: Access
    audit: Audit
    identifier_of: Named
    emitters_url: str = ""


def application(console: Console) -> web.Application:
    """The console's routes."""
    made = _Answers(console)
    routes = web.Application(middlewares=[made.guarded, made.known], client_max_size=BODY_MAX)
    routes.cleanup_ctx.append(made.alive)
    add = routes.router.add_route
    routes.router.add_get("/healthz", made.healthz)
    routes.router.add_get("/live", made.stream)
    routes.router.add_get("/static/{name}", made.static)
    routes.router.add_get("/login", made.login_form)
    add("POST", "/login", made.login)
    add("POST", "/logout", made.logout)
    routes.router.add_get("/journeys", made.search)
    add("POST", "/journeys", made.find)
    routes.router.add_get("/journeys/{customer}", made.story)
    routes.router.add_get("/{path:.*}", made.page)
    return routes


class _Answers:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._renderer = console.renderer
        self._access = console.access
        self._live = Live(console.renderer, console.emitters_url)
        self._static = {name: (STATIC / name).read_bytes() for name in TYPES} | {
            "report.css": STYLE.encode()
        }

    async def alive(self, _: web.Application) -> AsyncIterator[None]:
        """Looks for changes while the application runs."""
        looking = asyncio.create_task(self._live.run())
        yield
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        self._renderer.close()

    @web.middleware
    async def guarded(self, request: web.Request, handler: Answers) -> web.StreamResponse:
        """Refuse what comes by another name or from another page; headers on every answer."""
        if not self._access.answers_for(request.headers.get("Host")):
            return self._plain(HTTPStatus.MISDIRECTED_REQUEST, "unknown host")
        if request.method not in ("GET", "HEAD", "POST"):
            return self._plain(HTTPStatus.METHOD_NOT_ALLOWED, "the console only reads")
        if request.method == "POST" and not self._access.same_origin(
            request.headers, request.headers.get("Host", "")
        ):
            return self._plain(HTTPStatus.FORBIDDEN, "sent from another page")
        try:
            answer = await handler(request)
        except web.HTTPException as error:
            if error.status >= HTTPStatus.BAD_REQUEST:
                return await self._refusal(request, error)
            error.headers.update(HEADERS)
            raise
        if not answer.prepared:
            answer.headers.update(HEADERS)
        return answer

    @web.middleware
    async def known(self, request: web.Request, handler: Answers) -> web.StreamResponse:
        """Let nobody in who has not logged in, where one has to."""
        user = self._access.user_of(request.cookies.get(SESSION_COOKIE))
        public = request.path in ("/login", "/healthz") or request.path.startswith("/static/")
        if user is None and not public:
            if request.path == "/live" or request.method == "POST":
                raise web.HTTPUnauthorized
            raise web.HTTPSeeOther(LOGIN)
        if user is not None:
            request[USER] = user
        return await handler(request)

    async def page(self, request: web.Request) -> web.StreamResponse:
        """Any page but a customer's."""
        user: User = request[USER]
        rendered = await self._renderer.rendered(key_of(request.path, request.query_string, user))
        return await self._answer(request, rendered)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The event stream of a page."""
        user: User = request[USER]
        try:
            address = urlsplit(request.query.get("page", "/"))
        except ValueError:
            raise web.HTTPNotFound from None
        if address.path.startswith("/journeys"):
            raise web.HTTPNotFound
        key = key_of(address.path, address.query, user)
        seq = request.query.get("seq", "0")
        events = self._live.follow(key, int(seq) if seq.isdecimal() and len(seq) < 16 else 0)
        try:
            first = await anext(events)
        except Full:
            return web.Response(
                status=503, text="too many look", headers={"Retry-After": "30", **HEADERS}
            )
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", **HEADERS})
        packs = "gzip" in request.headers.get("Accept-Encoding", "")
        if packs:
            answer.headers["Content-Encoding"] = "gzip"
        try:
            await answer.prepare(request)
            await answer.write(GZIP_HEAD + first.packed if packs else first.plain)
            async for event in events:
                if self._access.user_of(request.cookies.get(SESSION_COOKIE)) is None:
                    break
                await answer.write(event.packed if packs else event.plain)
        except ConnectionError:
            pass
        finally:
            await events.aclose()  # type: ignore[attr-defined]
        return answer

    async def search(self, request: web.Request) -> web.StreamResponse:
        """The form that finds a customer."""
        user = self._operator(request)
        page = journeys.search_page(self._access.token(user))
        return await self._document(request, page)

    async def find(self, request: web.Request) -> web.StreamResponse:
        """Find a customer by what was typed, and go to their story."""
        user = self._operator(request)
        form = await request.post()
        token = self._access.token(user)
        if not self._access.token_is(str(form.get("csrf", "")), user):
            raise web.HTTPForbidden
        typed = str(form.get("identifier", "")).strip()
        try:
            wanted = self._console.identifier_of(typed)
        except ValueError as error:
            wanted, problem = typed, str(error)
        else:
            problem = "Nothing is known of it: never seen, no longer kept, or erased."
        found = await self._renderer.find(wanted)
        for customer in dict.fromkeys(one.customer for one in found) or (None,):
            self._console.audit.write(user.name, "searched", customer)
        if not found:
            page = journeys.search_page(token, problem)
            return await self._document(request, page, status=404)
        if len(found) > 1:
            return await self._document(request, journeys.owners_page(token, found))
        raise web.HTTPSeeOther(below("/journeys", found[0].customer))

    async def story(self, request: web.Request) -> web.StreamResponse:
        """One customer's story; written down before it is shown."""
        user = self._operator(request)
        customer = request.match_info["customer"]
        key = key_of(request.path, request.query_string, user)
        self._console.audit.write(user.name, "read", customer)
        return await self._answer(request, await self._renderer.story(key, customer))

    async def login_form(self, request: web.Request) -> web.StreamResponse:
        """The form that logs in."""
        if self._access.open:
            raise web.HTTPSeeOther(HOME)
        return self._login_page("", 200)

    async def login(self, request: web.Request) -> web.StreamResponse:
        """Log in."""
        form = await request.post()
        name, password = str(form.get("name", "")), str(form.get("password", ""))
        if not self._access.token_is(str(form.get("csrf", "")), None):
            raise web.HTTPForbidden
        try:
            right = await asyncio.to_thread(self._access.check, name, password)
        except Locked:
            return self._login_page("Too many wrong passwords for this name. Try later.", 429)
        if not right:
            self._console.audit.write(name[:64], "was refused", None)
            return self._login_page("Name and password do not belong together.", 403)
        self._console.audit.write(name, "logged in", None)
        answer = web.HTTPSeeOther(HOME)
        answer.set_cookie(
            SESSION_COOKIE,
            self._access.begin(name),
            secure=True,
            httponly=True,
            samesite="Strict",
            path="/",
            max_age=int(SESSION_MAX),
        )
        raise answer

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """Log out."""
        user: User = request[USER]
        form = await request.post()
        if not self._access.token_is(str(form.get("csrf", "")), user):
            raise web.HTTPForbidden
        self._access.end(user)
        answer = web.HTTPSeeOther(LOGIN)
        answer.del_cookie(SESSION_COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        raise answer

    async def healthz(self, _: web.Request) -> web.StreamResponse:
        """Whether what is shown can be believed."""
        standing = await self._renderer.standing()
        well = standing.level not in ("stalled", "failed")
        body = {"ready": well, "reason": standing.sentence if not well else ""}
        return web.json_response(body, status=200 if well else 503)

    async def static(self, request: web.Request) -> web.StreamResponse:
        """Style and script."""
        name = request.match_info["name"]
        if name not in self._static:
            raise web.HTTPNotFound
        answer = web.Response(body=self._static[name], content_type=TYPES.get(name, "text/css"))
        answer.charset = "utf-8"
        answer.enable_compression()
        return answer

    async def _answer(self, request: web.Request, rendered: Rendered) -> web.StreamResponse:
        """A page, or a table of it as a file."""
        page = rendered.page
        if page is None:
            raise web.HTTPNotFound
        name, form = request.query.get("table"), request.query.get("format")
        if name is None or form is None:
            return await self._document(request, page, rendered)
        table = next((one for one in page.tables if one.name == name), None)
        if table is None or form not in ("csv", "json"):
            raise web.HTTPNotFound
        kept = {"Content-Disposition": f'attachment; filename="touchpoints-{name}.{form}"'}
        if form == "csv":
            text = await asyncio.to_thread(downloads.as_csv, table)
            return web.Response(text=text, content_type="text/csv", charset="utf-8", headers=kept)
        body = await asyncio.to_thread(downloads.as_json, table)
        return web.Response(body=body, content_type="application/json", headers=kept)

    async def _document(
        self,
        request: web.Request,
        page: Page,
        rendered: Rendered | None = None,
        status: int = 200,
    ) -> web.StreamResponse:
        user: User = request[USER]
        standing = await self._renderer.standing() if rendered is None else rendered.standing
        text = document(
            page,
            standing,
            seq=0 if rendered is None else rendered.seq,
            emitters_url=self._console.emitters_url,
            user=user.name,
            operator=user.operator,
            csrf=self._access.token(user),
        )
        answer = web.Response(text=text, content_type="text/html", status=status)
        answer.enable_compression()
        return answer

    def _login_page(self, problem: str, status: int) -> web.StreamResponse:
        page = login_page(self._access.token(None), problem)
        text = document(page, Standing(level="fine"), inside=False)
        return web.Response(text=text, content_type="text/html", status=status)

    def _operator(self, request: web.Request) -> User:
        user: User = request[USER]
        if not user.operator:
            raise web.HTTPForbidden
        return user

    async def _refusal(self, request: web.Request, error: web.HTTPException) -> web.StreamResponse:
        """What a person is told who may not, or asked for what there is not; others in a line."""
        page = refusal_page(error.status)
        reads = "text/html" in request.headers.get("Accept", "")
        if page is None or USER not in request or not reads:
            return self._plain(HTTPStatus(error.status), error.reason.lower())
        answer = await self._document(request, page, status=error.status)
        answer.headers.update(HEADERS)
        return answer

    def _plain(self, status: HTTPStatus, why: str) -> web.Response:
        return web.Response(status=status, text=f"{status.phrase}: {why}\n", headers=HEADERS)


def key_of(path: str, query: str, user: User) -> Key:
    """A page's key: filters that were typed, without what chooses a download."""
    found = {
        name: value[:QUERY_MAX]
        for name, value in parse_qsl(query[: 4 * QUERY_MAX])
        if name in ("window", "mission", "q")
    }
    return Key(path, tuple(sorted(found.items())), user.operator)
