"""The ways in which people go about what they want, as data.

Written from a customer's side: what they would do, and how long they would take over it. Which
of it starts or completes a mission is the catalogue's business and does not stand here.
"""

from typing import Final, NamedTuple

from pipeline.demo.places import PLACES, Place

MINUTE: Final = 60.0
HOUR: Final = 3600.0
A_DAY: Final = 24 * HOUR

EMITTED: Final[dict[str, Place]] = {
    **PLACES,
    "technician-missed": Place("agent", "visit_missed", "field"),
    "get-quote": Place("agent", "quote_sent", "phone-sales"),
    "track-technician": Place("web", "Page Viewed", "/my/visits"),
}
"""How each touchpoint's emitter reports it."""


class Way(NamedTuple):
    """One way to get it.

    Attributes:
        liking: Whose fondness decides about it: app, web, phone or chat.
        weight: How usual it is, against the others of its wish.
        steps: Touchpoint and the median of the seconds before it. The last one is getting it.
    """

    liking: str
    weight: float
    steps: tuple[tuple[str, float], ...]


class Wish(NamedTuple):
    """What people want.

    Attributes:
        a_year: How often a customer wants it.
        leaves: At each step, how many leave for reasons of their own.
        returns: Of those, how many come back to it days later.
        rests: Seconds after getting it within which nobody wants it again.
    """

    mission: str
    a_year: float
    leaves: float
    returns: float
    rests: float
    ways: tuple[Way, ...]


def _way(liking: str, weight: float, *steps: str | float) -> Way:
    pairs: list[tuple[str, float]] = []
    wait = 0.0
    for step in steps:
        if isinstance(step, str):
            pairs.append((step, wait))
            wait = 25.0
        else:
            wait = step
    return Way(liking, weight, tuple(pairs))


_PAYS = ("log-in", 30.0, "view-bill-online", 60.0, "pay-online", 40.0, "payment-confirmed-online")
_ORDERS = ("log-in", 40.0, "fill-basket", 70.0, "order-online", 120.0, "order-confirmed")
_CHANGES = ("log-in", 40.0, "change-plan-online", 90.0, "plan-changed-online")
_VISIT = (1.2 * A_DAY, "technician-visit", 45 * MINUTE, "fault-fixed")

WISHES: Final = (
    Wish(
        "pay-bill", 3.2, 0.02, 0.5, 20 * A_DAY,
        (
            _way("app", 50, "open-app", "view-bill", 40.0, "pay-in-app", "payment-confirmed"),
            _way("app", 8, "pay-in-app", 30.0, "payment-confirmed"),
            _way("web", 28, *_PAYS),
            _way("phone", 6, "call-care", "pay-by-phone", 70.0, "paid-by-phone"),
            _way("phone", 4, "call-care", "billing-menu", "pay-by-phone", 70.0, "paid-by-phone"),
            _way("chat", 5, "chat", "ask-about-bill", 60.0, "log-in", "pay-online", 60.0,
                 "payment-confirmed-online"),
        ),
    ),
    Wish(
        "top-up", 4.0, 0.015, 0.3, 2 * A_DAY,
        (
            _way("app", 50, "open-app", "top-up-in-app", 35.0, "top-up-confirmed"),
            _way("app", 25, "open-app", "view-usage", "top-up-in-app", 35.0, "top-up-confirmed"),
            _way("phone", 25, "call-care", "top-up-by-phone", 80.0, "topped-up-by-phone"),
        ),
    ),
    Wish(
        "opening-hours", 0.7, 0.03, 0.05, 2 * HOUR,
        (
            _way("web", 30, "find-store", 30.0, "store-hours"),
            _way("web", 20, "home-page", "find-store", 30.0, "store-hours"),
            _way("app", 22, "open-app", "store-hours-in-app"),
            _way("chat", 14, "chat", "ask-opening-hours"),
            _way("phone", 14, "call-care", "hours-by-phone"),
        ),
    ),
    Wish(
        "find-manual", 0.5, 0.03, 0.1, 6 * HOUR,
        (
            _way("web", 50, "search-help", 50.0, "search-help", 40.0, "find-manual"),
            _way("web", 35, "home-page", "search-help", 50.0, "find-manual"),
            _way("web", 15, "find-manual"),
        ),
    ),
    Wish(
        "change-plan", 0.5, 0.10, 0.25, 20 * A_DAY,
        (
            _way("web", 25, "compare-plans", 120.0, "compare-plans", *_CHANGES),
            _way("web", 20, "compare-plans", 100.0, "compare-plans", 1.5 * A_DAY, *_CHANGES),
            _way("app", 20, "compare-plans", 4 * HOUR, "change-plan-in-app", 90.0, "plan-changed"),
            _way("app", 25, "view-usage", 60.0, "change-plan-in-app", 90.0, "plan-changed"),
            _way("chat", 10, "chat", "ask-about-plan", 90.0, *_CHANGES),
        ),
    ),
    Wish(
        "dispute-bill", 0.35, 0.02, 0.4, 15 * A_DAY,
        (
            _way("app", 35, "view-bill", "view-charge", 60.0, "query-charge", 20 * HOUR,
                 "credit-agreed"),
            _way("chat", 25, "chat", "ask-about-charge", 90.0, "chat-to-person", 120.0,
                 "talk-about-bill", 400.0, "credit-agreed"),
            _way("web", 15, "log-in", "view-bill-online", 120.0, "dispute-form", 1.5 * A_DAY,
                 "credit-agreed"),
            _way("phone", 25, "call-care", "billing-menu", "wait-for-person", 150.0,
                 "talk-about-bill", 400.0, "credit-agreed"),
        ),
    ),
    Wish(
        "report-fault", 0.4, 0.01, 0.3, 10 * A_DAY,
        (
            _way("app", 35, "open-app", "report-fault-in-app", 30 * MINUTE, "book-technician",
                 0.8 * A_DAY, "track-technician-in-app", 30 * MINUTE, "technician-visit",
                 45 * MINUTE, "fault-fixed"),
            _way("web", 15, "check-network", 60.0, "report-fault-online", HOUR, "book-technician",
                 *_VISIT),
            _way("web", 10, "log-in", "report-fault-online", HOUR, "book-technician", 0.8 * A_DAY,
                 "track-technician", *_VISIT),
            _way("phone", 30, "call-care", "report-fault-by-phone", 40.0, "wait-for-person", 150.0,
                 "talk-to-care", 240.0, "book-technician", *_VISIT),
            _way("chat", 10, "chat", "ask-about-fault", 60.0, "chat-to-person", 200.0,
                 "talk-to-care", 240.0, "book-technician", *_VISIT),
        ),
    ),
    Wish(
        "upgrade-phone", 0.6, 0.09, 0.25, 60 * A_DAY,
        (
            _way("web", 20, "browse-phones", 90.0, "compare-phones", 120.0, "read-phone-page",
                 200.0, *_ORDERS),
            _way("web", 12, "home-page", "browse-phones", 90.0, "read-phone-page", 1.8 * A_DAY,
                 "read-phone-page", 120.0, *_ORDERS),
            _way("web", 8, "log-in", "check-upgrade", 60.0, "read-phone-page", 200.0,
                 "fill-basket", 70.0, "order-online", 120.0, "order-confirmed"),
            _way("web", 25, "browse-phones", 90.0, "read-phone-page", 150.0, "log-in", 40.0,
                 "check-upgrade", 90.0, "find-store", 1.2 * A_DAY, "visit-shop", 20 * MINUTE,
                 "buy-in-shop"),
            _way("app", 10, "check-upgrade-in-app", 20 * MINUTE, "read-phone-page", 120.0,
                 *_ORDERS),
            _way("phone", 12, "call-care", "upgrade-by-phone", 30.0, "wait-for-person", 120.0,
                 "talk-to-sales", 400.0, "order-by-phone"),
            _way("phone", 6, "call-care", "upgrade-by-phone", 30.0, "wait-for-person", 120.0,
                 "talk-to-sales", 400.0, "get-quote", 2 * A_DAY, "order-by-phone"),
            _way("chat", 7, "chat", "ask-about-phone", 100.0, "read-phone-page", 200.0, *_ORDERS),
        ),
    ),
)  # fmt: skip

ONLOOKERS: Final = (
    ("view-bill", 0.35, _way("app", 1, "open-app", "view-bill")),
    ("view-usage", 1.2, _way("app", 1, "open-app", "view-usage")),
    ("home-page", 0.8, _way("web", 1, "home-page")),
    ("thank-you-gift", 0.3, _way("app", 1, "open-app", "thank-you-gift")),
    ("log-in", 0.3, _way("web", 1, "log-in")),
)
"""What people do that no mission of the catalogue describes, how often a year, and how."""

NEEDS_NAME: Final = frozenset(
    {
        "view-bill-online", "pay-online", "payment-confirmed-online", "change-plan-online",
        "plan-changed-online", "dispute-form", "check-upgrade", "track-technician",
    }
)  # fmt: skip
"""Pages that nobody sees without having logged in."""

FORMS: Final = frozenset({"pay-online", "order-online", "dispute-form", "change-plan-online"})
"""Where fields can refuse what is typed in."""

CALL_STEPS: Final = frozenset(
    {"talk-to-care", "talk-to-sales", "talk-about-bill", "order-by-phone", "get-quote"}
)
"""What an agent notes while on the phone, where a call is on."""

_MANY: Final = {
    "view-bill": "pay-bill",
    "view-bill-online": "pay-bill",
    "find-store": "opening-hours",
}
_NOTHING: Final = frozenset(
    {
        "open-app", "home-page", "log-in", "call-care", "chat", "billing-menu", "wait-for-person",
        "chat-to-person", "talk-to-care", "view-usage",
    }
)  # fmt: skip


def _speaks_for() -> dict[str, str]:
    wanted: dict[str, set[str]] = {}
    for wish in WISHES:
        for way in wish.ways:
            for touchpoint, _ in way.steps:
                wanted.setdefault(touchpoint, set()).add(wish.mission)
    return {
        **{t: next(iter(m)) for t, m in wanted.items() if len(m) == 1 and t not in _NOTHING},
        **_MANY,
    }


SPEAKS_FOR: Final = _speaks_for()
"""What each touchpoint tells of a wish: all who touch it want that, or by far most of them do."""
