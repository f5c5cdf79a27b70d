"""What the operations port answers by itself: metrics and health. Loopback by default."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

Readiness = Callable[[], tuple[bool, str]]
"""Whether the pipeline works, and if not, why."""

Pages = Callable[[web.Request], Awaitable[web.StreamResponse]]
"""What answers for pages."""

Deliverable = Callable[[], Awaitable[tuple[bool, str]]]
"""Whether records could be made durable now, and if not, why."""


def application(registry: CollectorRegistry, readiness: Readiness, pages: Pages) -> web.Application:
    """The operations port of a process that runs the pipeline.

    Args:
        registry: Whose metrics `/metrics` shows.
        readiness: Whether the pipeline works; what `/healthz` answers.
        pages: Answers everything else: the console.
    """

    async def healthz(_: web.Request) -> web.Response:
        return _state(*readiness())

    routes = web.Application()
    routes.router.add_get("/metrics", _metrics(registry))
    routes.router.add_get("/healthz", healthz)
    routes.router.add_route("*", "/{path:.*}", pages)
    return routes


def without_pipeline(registry: CollectorRegistry, deliverable: Deliverable) -> web.Application:
    """The operations port of a process that only listens.

    Args:
        registry: Whose metrics `/metrics` shows.
        deliverable: What `/readyz` answers; `/healthz` says that the process is up.
    """

    async def healthz(_: web.Request) -> web.Response:
        return _state(True, "")

    async def readyz(_: web.Request) -> web.Response:
        return _state(*await deliverable())

    routes = web.Application()
    routes.router.add_get("/metrics", _metrics(registry))
    routes.router.add_get("/healthz", healthz)
    routes.router.add_get("/readyz", readyz)
    return routes


def _metrics(registry: CollectorRegistry) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    return metrics


def _state(ready: bool, reason: str) -> web.Response:
    status = 200 if ready else 503
    return web.json_response({"ready": ready, "reason": reason}, status=status)
