"""Look-ups in the store: alerts, and what is known of single journeys and customers."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pipeline.console.store import milliseconds, moment
from pipeline.stitching.ids import customer_of
from schemas import codec
from schemas.records import Alert, JourneyOutcome, Session, Verdict

STORY_MAX: Final = 1_000
"""Interactions of one customer that are told, the latest (P)."""

HIT_MAX: Final = 10_000
"""Interactions of an incident whose customers are told apart (P)."""

FOLLOWED_MAX: Final = 400
"""Customers whose next step is looked for (P)."""

NEXT_WITHIN: Final = timedelta(hours=24)
"""How soon a step has to follow to be where a customer went instead (P): the window in which a
call is blamed on what broke before it."""

OWNERS_MAX: Final = 50
"""Customers of one identifier that are told, the latest (P); a kiosk has had thousands."""

LEFT: Final = ""
"""Where a customer went who was not seen again."""


class Story(NamedTuple):
    """What is known of one customer, in the order of time."""

    customer: str
    verdicts: list[Verdict]
    journeys: list[JourneyOutcome]
    sessions: list[Session]
    cut: bool

    @property
    def empty(self) -> bool:
        """Whether nothing is known."""
        return not (self.verdicts or self.journeys or self.sessions)


class Owner(NamedTuple):
    """A customer to whom an identifier belonged from a time on."""

    customer: str
    since: datetime


class Lookups:
    """Asks the store; used by one thread at a time.

    Args:
        connection: A reading one.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def incidents(self, since: int, limit: int = 200) -> list[Alert]:
        """Those that stand, and those that changed since a time; what stands first, then newest."""
        rows = self._connection.execute(
            "SELECT record FROM alerts WHERE state = 'firing' OR happened >= ?"
            " ORDER BY state <> 'firing', since DESC LIMIT ?",
            (since, limit),
        )
        return [codec.decode(record, Alert) for (record,) in rows]

    def incidents_at(self, touchpoint: str, limit: int = 20) -> list[Alert]:
        """Those of one touchpoint, newest first."""
        rows = self._connection.execute(
            "SELECT record FROM alerts WHERE touchpoint = ? ORDER BY since DESC LIMIT ?",
            (touchpoint, limit),
        )
        return [codec.decode(record, Alert) for (record,) in rows]

    def incident(self, id_: str) -> list[Alert]:
        """All versions of one that are known, the first one first."""
        rows = self._connection.execute(
            "SELECT record FROM alert_versions WHERE id = ? ORDER BY version", (id_,)
        )
        return [codec.decode(record, Alert) for (record,) in rows]

    def broken(
        self, touchpoint: str, mission: str | None, first: int, last: int, limit: int
    ) -> list[Verdict]:
        """Interactions that broke at a touchpoint, between two times, newest first."""
        rows = self._connection.execute(
            "SELECT record FROM verdicts WHERE broken = 1 AND touchpoint = ?"
            " AND occurred BETWEEN ? AND ?"
            + ("" if mission is None else " AND mission = ?")
            + " ORDER BY occurred DESC LIMIT ?",
            (touchpoint, first, last, *([] if mission is None else [mission]), limit),
        )
        return [codec.decode(record, Verdict) for (record,) in rows]

    def customers_hit(self, one: Alert, last: int) -> int:
        """How many customers an incident hit until a time; at most `HIT_MAX` interactions count."""
        (count,) = self._connection.execute(
            "SELECT count(DISTINCT customer) FROM (SELECT customer FROM verdicts WHERE broken = 1"
            " AND touchpoint = ? AND occurred BETWEEN ? AND ?"
            + ("" if one.mission is None else " AND mission = ?")
            + " LIMIT ?)",
            (
                one.touchpoint,
                milliseconds(one.since),
                last,
                *([] if one.mission is None else [one.mission]),
                HIT_MAX,
            ),
        ).fetchone()
        return max(int(count), one.customers)

    def went_next(self, broke: Sequence[Verdict]) -> Counter[str]:
        """Where customers went after it broke for them last: another touchpoint, or `LEFT`."""
        last: dict[str, Verdict] = {}
        for one in broke:
            known = last.get(one.customer)
            if known is None or known.occurred_at < one.occurred_at:
                last[one.customer] = one
        went: Counter[str] = Counter()
        for one in list(last.values())[:FOLLOWED_MAX]:
            at = milliseconds(one.occurred_at)
            row = self._connection.execute(
                "SELECT touchpoint FROM verdicts WHERE customer = ? AND occurred > ?"
                " AND occurred <= ? AND touchpoint <> ? ORDER BY occurred LIMIT 1",
                (one.customer, at, at + NEXT_WITHIN // timedelta(milliseconds=1), one.touchpoint),
            ).fetchone()
            went[LEFT if row is None else row[0]] += 1
        return went

    def samples(self, touchpoint: str, ids: Sequence[str]) -> list[Verdict]:
        """Of interactions by their ids those that broke at a touchpoint, as far as they are kept.

        Several sources may give one id: what is known of another one's is left out.
        """
        rows = self._connection.execute(
            "SELECT record FROM verdicts WHERE touchpoint = ? AND broken = 1"
            f" AND id IN ({','.join('?' * len(ids))})",
            (touchpoint, *ids),
        )
        return [codec.decode(record, Verdict) for (record,) in rows]

    def lost_at(self, touchpoint: str, limit: int) -> list[JourneyOutcome]:
        """Journeys that a touchpoint cost, newest first."""
        rows = self._connection.execute(
            "SELECT record FROM journeys WHERE broke_at = ? ORDER BY ended DESC LIMIT ?",
            (touchpoint, limit),
        )
        return [codec.decode(record, JourneyOutcome) for (record,) in rows]

    def newest(self, limit: int) -> tuple[list[JourneyOutcome], list[Verdict]]:
        """The journeys that were learnt of last, with the interactions that belong to them."""
        journeys = [
            codec.decode(record, JourneyOutcome)
            for (record,) in self._connection.execute(
                "SELECT record FROM journeys ORDER BY at DESC LIMIT ?", (limit,)
            )
        ]
        verdicts = [
            codec.decode(record, Verdict)
            for (record,) in self._connection.execute(
                "SELECT record FROM verdicts ORDER BY at DESC LIMIT ?", (limit * 5,)
            )
        ]
        return journeys, verdicts

    def customer_of(self, text: str) -> str | None:
        """The customer of an identifier (`type:value`), or of the id of anything of theirs.

        A touchpoint's may be given as `source/id`; without its source, only where all that have
        that id are one customer's.
        """
        source, _, id_ = text.partition("/")
        row = self._connection.execute(
            "SELECT customer FROM (SELECT customer FROM belongs WHERE identifier = ?"
            " ORDER BY since DESC LIMIT 1)"
            " UNION ALL SELECT customer FROM journeys WHERE id = ?"
            " UNION ALL SELECT customer FROM sessions WHERE id = ?"
            " UNION ALL SELECT customer FROM verdicts WHERE id = ? AND source = ?"
            " UNION ALL SELECT min(customer) FROM verdicts WHERE id = ?"
            " GROUP BY id HAVING count(DISTINCT customer) = 1"
            " UNION ALL SELECT customer FROM verdicts WHERE customer = ?"
            " UNION ALL SELECT survivor FROM merged WHERE customer = ? LIMIT 1",
            (text, text, text, id_, source, text, text, text),
        ).fetchone()
        found = self.survivor_of(row[0] if row is not None else customer_of(text))
        return found if self._known(found) else None

    def _known(self, customer: str) -> bool:
        """Whether anything is kept of a customer."""
        known = self._connection.execute(
            "SELECT 1 FROM verdicts WHERE customer = ? UNION ALL"
            " SELECT 1 FROM journeys WHERE customer = ? UNION ALL"
            " SELECT 1 FROM sessions WHERE customer = ? LIMIT 1",
            (customer, customer, customer),
        ).fetchone()
        return known is not None

    def owners_of(self, identifier: str) -> list[Owner]:
        """Whose an identifier was, the first first; those of whom nothing is known left out."""
        rows = self._connection.execute(
            "SELECT since, customer FROM belongs WHERE identifier = ? ORDER BY since DESC LIMIT ?",
            (identifier, OWNERS_MAX),
        ).fetchall()
        owners: list[Owner] = []
        for since, customer in reversed(rows):
            found = self.survivor_of(customer)
            if (owners and owners[-1].customer == found) or not self._known(found):
                continue
            owners.append(Owner(found, moment(since)))
        return owners

    def survivor_of(self, customer: str) -> str:
        """Whom a customer was merged into, at last; themselves where into nobody."""
        seen = {customer}
        while True:
            row = self._connection.execute(
                "SELECT survivor FROM merged WHERE customer = ?", (customer,)
            ).fetchone()
            if row is None or row[0] in seen:
                return customer
            customer = row[0]
            seen.add(customer)

    def story(self, customer: str) -> Story:
        """What is known of a customer."""
        verdicts = [
            codec.decode(record, Verdict)
            for (record,) in self._connection.execute(
                "SELECT record FROM verdicts WHERE customer = ? ORDER BY occurred DESC LIMIT ?",
                (customer, STORY_MAX + 1),
            )
        ]
        journeys = [
            codec.decode(record, JourneyOutcome)
            for (record,) in self._connection.execute(
                "SELECT record FROM journeys WHERE customer = ? LIMIT ?", (customer, STORY_MAX)
            )
        ]
        sessions = [
            codec.decode(record, Session)
            for (record,) in self._connection.execute(
                "SELECT record FROM sessions WHERE customer = ? LIMIT ?", (customer, STORY_MAX)
            )
        ]
        journeys.sort(key=lambda one: one.started_at)
        sessions.sort(key=lambda one: one.started_at)
        cut = len(verdicts) > STORY_MAX
        return Story(customer, verdicts[:STORY_MAX][::-1], journeys, sessions, cut)
