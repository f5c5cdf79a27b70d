"""What customers do in a day, and how it ends: the stories of the demo, as data.

Each story is one journey towards one mission of `seeds/missions/`, with the outcome that the
missions' rules give it. Outside the break few interactions go wrong, a different one each time,
so that only the touchpoint that really breaks is worth an alert.
"""

from typing import Final, NamedTuple

from schemas.records import Outcome, Scale


class Beat(NamedTuple):
    """One touchpoint of a story.

    Attributes:
        touchpoint: Its id in the inventory.
        after: Seconds since the beat before, on average.
        signals: What went wrong.
        asked: A survey's scale and the lowest and highest answer.
    """

    touchpoint: str
    after: int
    signals: tuple[str, ...] = ()
    asked: tuple[Scale, int, int] | None = None


class Story(NamedTuple):
    """A journey that some customers of the day make.

    Attributes:
        share: How often, against the other stories of its mission.
    """

    mission: str
    outcome: Outcome
    share: int
    beats: tuple[Beat, ...]


_PAY_IN_APP: Final = (Beat("open-app", 0), Beat("view-bill", 15), Beat("pay-in-app", 40))
_PAY_ONLINE: Final = (Beat("log-in", 0), Beat("view-bill-online", 20), Beat("pay-online", 60))
_BASKET: Final = (Beat("read-phone-page", 120), Beat("fill-basket", 200), Beat("order-online", 60))

PAYS_IN_APP: Final = (
    Story("pay-bill", "completed", 74, (*_PAY_IN_APP, Beat("payment-confirmed", 30))),
    Story(
        "pay-bill",
        "completed",
        12,
        (
            *_PAY_IN_APP,
            Beat("payment-confirmed", 30),
            Beat("rate-payment", 400, asked=("ces", 5, 7)),
        ),
    ),
    Story(
        "pay-bill",
        "completed",
        2,
        (*_PAY_IN_APP, Beat("pay-in-app", 45, ("timeout",)), Beat("payment-confirmed", 60)),
    ),
    Story("pay-bill", "abandoned", 12, (Beat("open-app", 0), Beat("view-bill", 20))),
)
"""The bill in the app, on a good day."""

_FAILS: Final = (
    Beat("open-app", 0),
    Beat("view-bill", 15),
    Beat("pay-in-app", 40, ("http_5xx",)),
)

FAILS_IN_APP: Final = (
    Story("pay-bill", "frustrated", 28, (*_FAILS, Beat("pay-in-app", 50, ("http_5xx",)))),
    Story("pay-bill", "frustrated", 18, _FAILS),
    Story(
        "pay-bill",
        "frustrated",
        16,
        (
            *_FAILS,
            Beat("pay-in-app", 30, ("http_5xx", "rage_click")),
            Beat("call-care", 400),
            Beat("wait-for-person", 40, ("hangup",)),
        ),
    ),
    Story(
        "pay-bill",
        "completed",
        20,
        (
            *_FAILS,
            Beat("pay-in-app", 40, ("http_5xx",)),
            Beat("call-care", 500),
            Beat("pay-by-phone", 50),
            Beat("paid-by-phone", 90, ("hangup",)),
        ),
    ),
    Story(
        "pay-bill",
        "frustrated",
        4,
        (*_FAILS, Beat("call-care", 300), Beat("talk-to-care", 400, ("hangup",))),
    ),
    Story("pay-bill", "completed", 14, (*_PAY_IN_APP, Beat("payment-confirmed", 30))),
)
"""The bill in the app while paying there is broken: most fail, some ring, a few get through."""

OTHER: Final = (
    Story("pay-bill", "completed", 60, (*_PAY_ONLINE, Beat("payment-confirmed-online", 30))),
    Story("pay-bill", "abandoned", 12, _PAY_ONLINE[:2]),
    Story(
        "pay-bill",
        "completed",
        18,
        (Beat("call-care", 0), Beat("pay-by-phone", 40), Beat("paid-by-phone", 80, ("hangup",))),
    ),
    Story(
        "pay-bill",
        "completed",
        8,
        (
            Beat("chat", 0),
            Beat("ask-about-bill", 20),
            Beat("log-in", 60),
            Beat("pay-online", 50),
            Beat("payment-confirmed-online", 40),
            Beat("rate-chat", 200, asked=("csat", 3, 5)),
        ),
    ),
    Story(
        "pay-bill",
        "frustrated",
        2,
        (*_PAY_ONLINE, Beat("pay-online", 30, ("validation_error", "slow", "form_abandoned"))),
    ),
)
"""The bill on other roads."""

UPGRADE: Final = (
    Story(  # researches online, then buys in the store
        "upgrade-phone",
        "completed",
        22,
        (
            Beat("browse-phones", 0),
            Beat("compare-phones", 90),
            Beat("read-phone-page", 150),
            Beat("log-in", 60),
            Beat("check-upgrade", 30),
            Beat("find-store", 120),
            Beat("visit-shop", 5400),
            Beat("buy-in-shop", 1500),
            Beat("rate-shop", 1800, asked=("nps", 7, 10)),
        ),
    ),
    Story(  # reads, books a class, downloads the guide, then buys in the store
        "upgrade-phone",
        "completed",
        14,
        (
            Beat("read-phone-page", 0),
            Beat("log-in", 90),
            Beat("book-class", 200),
            Beat("download-guide", 120),
            Beat("attend-class", 9000),
            Beat("buy-in-shop", 3600),
        ),
    ),
    Story(  # rings up, is sent to the website, cannot order there, is gone
        "upgrade-phone",
        "frustrated",
        1,
        (
            Beat("call-care", 0),
            Beat("upgrade-by-phone", 30),
            Beat("wait-for-person", 40),
            Beat("sent-to-website", 300),
            Beat("log-in", 900),
            *_BASKET[:2],
            Beat("order-online", 70, ("rage_click", "dead_click")),
        ),
    ),
    Story(
        "upgrade-phone",
        "completed",
        26,
        (
            Beat("check-upgrade-in-app", 0),
            Beat("log-in", 600),
            *_BASKET,
            Beat("order-confirmed", 180),
        ),
    ),
    Story(
        "upgrade-phone",
        "completed",
        6,
        (
            Beat("call-care", 0),
            Beat("upgrade-by-phone", 30),
            Beat("talk-to-sales", 200),
            Beat("order-by-phone", 500, ("hangup",)),
        ),
    ),
    Story(  # looks around without saying who they are
        "upgrade-phone",
        "abandoned",
        25,
        (Beat("browse-phones", 0), Beat("compare-phones", 100), Beat("read-phone-page", 160)),
    ),
)

REST: Final = (
    Story(
        "top-up",
        "completed",
        80,
        (Beat("open-app", 0), Beat("top-up-in-app", 20), Beat("top-up-confirmed", 40)),
    ),
    Story("top-up", "completed", 18, (Beat("top-up-by-phone", 0), Beat("topped-up-by-phone", 70))),
    Story("top-up", "abandoned", 8, (Beat("top-up-in-app", 0), Beat("view-usage", 40))),
    Story("top-up", "frustrated", 3, (Beat("top-up-in-app", 0, ("crash",)),)),
    Story("opening-hours", "completed", 30, (Beat("find-store", 0), Beat("store-hours", 30))),
    Story("opening-hours", "completed", 16, (Beat("store-hours-in-app", 0),)),
    Story("opening-hours", "completed", 14, (Beat("chat", 0), Beat("ask-opening-hours", 15))),
    Story("opening-hours", "completed", 8, (Beat("call-care", 0), Beat("hours-by-phone", 30))),
    Story("opening-hours", "abandoned", 4, (Beat("find-store", 0),)),
    Story(
        "find-manual",
        "completed",
        28,
        (Beat("search-help", 0), Beat("search-help", 50), Beat("find-manual", 40)),
    ),
    Story("find-manual", "abandoned", 10, (Beat("search-help", 0), Beat("search-help", 150))),
    Story("find-manual", "frustrated", 2, (Beat("search-help", 0, ("quick_back",)),)),
    Story(
        "change-plan",
        "completed",
        18,
        (
            Beat("compare-plans", 0),
            Beat("log-in", 90),
            Beat("change-plan-in-app", 3600),
            Beat("plan-changed", 90),
            Beat("thank-you-gift", 60),
        ),
    ),
    Story(
        "change-plan",
        "completed",
        10,
        (
            Beat("ask-about-plan", 0),
            Beat("log-in", 60),
            Beat("change-plan-online", 120),
            Beat("plan-changed-online", 60),
        ),
    ),
    Story("change-plan", "abandoned", 26, (Beat("compare-plans", 0), Beat("compare-plans", 200))),
    Story("change-plan", "frustrated", 1, (Beat("change-plan-in-app", 0, ("not_responding",)),)),
    Story(
        "dispute-bill",
        "completed",
        20,
        (
            Beat("ask-about-charge", 0),
            Beat("chat-to-person", 90, ("handoff",)),
            Beat("talk-about-bill", 120),
            Beat("credit-agreed", 500),
            Beat("rate-chat", 900, asked=("csat", 4, 5)),
        ),
    ),
    Story(
        "dispute-bill",
        "completed",
        14,
        (Beat("view-charge", 0), Beat("query-charge", 60), Beat("credit-agreed", 9000)),
    ),
    Story("dispute-bill", "abandoned", 6, (Beat("view-charge", 0),)),
    Story(
        "dispute-bill",
        "completed",
        30,
        (Beat("log-in", 0), Beat("dispute-form", 60), Beat("credit-agreed", 5400)),
    ),
    Story(
        "dispute-bill",
        "frustrated",
        1,
        (Beat("log-in", 0), Beat("dispute-form", 60), Beat("complain", 7200)),
    ),
    Story(
        "report-fault",
        "completed",
        24,
        (
            Beat("report-fault-in-app", 0),
            Beat("book-technician", 900),
            Beat("track-technician-in-app", 10800),
            Beat("technician-visit", 1200),
            Beat("fault-fixed", 2400),
            Beat("rate-visit", 3600, asked=("csat", 4, 5)),
        ),
    ),
    Story(
        "report-fault",
        "completed",
        8,
        (
            Beat("call-care", 0),
            Beat("report-fault-by-phone", 40),
            Beat("book-technician", 400, ("hangup",)),
            Beat("technician-visit", 14400),
            Beat("fault-fixed", 1800),
        ),
    ),
    Story("report-fault", "abandoned", 14, (Beat("check-network", 0),)),
    Story(
        "report-fault",
        "frustrated",
        2,
        (Beat("report-fault-in-app", 0), Beat("cancel-contract", 14400)),
    ),
)
"""The smaller missions."""
