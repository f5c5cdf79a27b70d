"""What the operations port answers: metrics, health, and a page that says what is running.

Read-only and loopback by default. Nothing that an emitter sent is shown here.
"""

from collections.abc import Awaitable, Callable
from html import escape
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from pipeline.books import Account, Books

Counts = Callable[[], dict[str, int]]
"""Topic → records appended so far."""

BooksOf = Callable[[], Books]
"""What the pipeline has kept count of."""

Readiness = Callable[[], tuple[bool, str]]
"""Whether the pipeline works, and if not, why."""

Deliverable = Callable[[], Awaitable[tuple[bool, str]]]
"""Whether records could be made durable now, and if not, why."""

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Sent with every page."""

STYLE: Final = """\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid #8884; border-radius: .4rem; }
"""


def application(
    registry: CollectorRegistry,
    counts: Counts,
    books: BooksOf,
    readiness: Readiness,
    emitters_url: str,
) -> web.Application:
    """The operations port's routes.

    Args:
        registry: Whose metrics `/metrics` shows.
        counts: Records by topic, for the page.
        books: The ledger, for the page.
        readiness: Whether the pipeline works.
        emitters_url: Where touchpoints are sent, for the page's example.
    """

    async def healthz(_: web.Request) -> web.Response:
        return _state(*readiness())

    async def style(_: web.Request) -> web.Response:
        return web.Response(text=STYLE, content_type="text/css")

    async def index(_: web.Request) -> web.Response:
        text = page(counts(), books(), *readiness(), emitters_url)
        return web.Response(text=text, content_type="text/html", headers=HEADERS)

    routes = web.Application()
    routes.router.add_get("/", index)
    routes.router.add_get("/style.css", style)
    routes.router.add_get("/metrics", _metrics(registry))
    routes.router.add_get("/healthz", healthz)
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


def ledger(books: Books) -> str:
    """The ledger's line: what became of every touchpoint, and whether any is missing."""
    total = Account()
    for account in books.accounts.values():
        total.add(account)
    missing = sum(abs(one.difference) for one in books.accounts.values())
    verdict = (
        "It balances." if not missing else f"{missing:,} are unaccounted for: see the runbook."
    )
    return (
        f"Ledger: {total.accepted:,} touchpoints accepted = {total.results:,} results + "
        f"{total.dead:,} dead letters + {total.repeated:,} repeats + {total.identity_only:,} that "
        f"tell of identity only + {total.in_flight:,} in flight. {verdict}"
    )


def page(counts: dict[str, int], books: Books, ready: bool, reason: str, emitters_url: str) -> str:
    """The page as HTML: state, ledger, records by topic, how to send the first touchpoint."""
    state = "The pipeline is running." if ready else f"The pipeline is not ready: {escape(reason)}"
    rows = "".join(
        f'<tr><td>{escape(topic)}</td><td class="number">{count:,}</td></tr>'
        for topic, count in counts.items()
    )
    body = '{"channel":"web","name":"home","identifiers":{"anonymous_id":"a-1"}}'
    command = f"curl {emitters_url}/v1/touchpoints \\\n  -d '{body}'"
    first = "" if counts.get("touchpoints") else "<p>Nothing has come in yet. Send something:</p>"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Touchpoints</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/style.css"></head>
<body><h1>Touchpoints</h1><p role="status">{state}</p>
<p>{escape(ledger(books))}</p>
<table><caption>Records appended so far</caption>
<thead><tr><th scope="col">Topic</th><th scope="col" class="number">Records</th></tr></thead>
<tbody>{rows}</tbody></table>
{first}<pre>{escape(command)}
touchpoints tail verdicts --from-start</pre>
<p><a href="/metrics">Metrics for Prometheus</a></p></body></html>
"""
