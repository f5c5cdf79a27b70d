"""Tidying: the store stays bounded, by rows and by the time of events."""

import sqlite3
from datetime import timedelta
from typing import Final

from pipeline.console.store import SPAN_MINUTES

ROWS_MAX: Final = {
    "verdicts": 2_000_000,
    "journeys": 1_000_000,
    "sessions": 1_000_000,
    "letters": 20_000,
}
"""Rows of each table that are kept; the oldest go first (P). A journey with its interactions takes
some 2 KB."""

BELONGS_MAX: Final = 3_000_000
"""Identifiers whose customer is remembered (P); of more, any go: they are found by other ones."""

ALERTS_MAX: Final = 10_000
"""Alerts that are kept; those that ended go first (P)."""

TALLIES_KEPT: Final = timedelta(days=35)
"""How long sums by the hour are kept: four weeks to look at, and a week to look back from (P)."""

MINUTES_KEPT: Final = timedelta(hours=26)
"""How long sums by the minute are kept: a day, and what is late (P)."""


def tidy(connection: sqlite3.Connection) -> None:
    """Remove what is older, or more, than is kept; one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table, most in ROWS_MAX.items():
            connection.execute(
                f"DELETE FROM {table} WHERE at <= (SELECT coalesce(max(at), 0) - ? FROM {table})",
                (most,),
            )
        for table, column in (("belongs", "identifier"), ("merged", "customer")):
            connection.execute(
                f"DELETE FROM {table} WHERE {column} IN (SELECT {column} FROM {table} LIMIT"
                f" max(0, (SELECT count(*) FROM {table}) - ?))",
                (BELONGS_MAX,),
            )
        connection.execute(
            "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts ORDER BY state = 'firing',"
            " happened LIMIT max(0, (SELECT count(*) FROM alerts) - ?))",
            (ALERTS_MAX,),
        )
        connection.execute("DELETE FROM alert_versions WHERE id NOT IN (SELECT id FROM alerts)")
        latest = connection.execute("SELECT value FROM meta WHERE name = 'latest'").fetchone()
        if latest is not None:
            _forget_sums(connection, int(latest[0]) // 60_000)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _forget_sums(connection: sqlite3.Connection, latest: int) -> None:
    """Remove sums of before; `latest` is the minute of the newest event."""
    short, long = SPAN_MINUTES
    minute = latest - MINUTES_KEPT // timedelta(minutes=1)
    hour = latest // 60 - TALLIES_KEPT // timedelta(hours=1)
    connection.execute("DELETE FROM minutes WHERE minute < ?", (minute,))
    connection.execute("DELETE FROM spans WHERE width = ? AND start < ?", (short, minute))
    connection.execute("DELETE FROM spans WHERE width = ? AND start < ?", (long, hour * 60))
    for table in ("journey_tallies", "verdict_tallies", "reason_tallies"):
        connection.execute(f"DELETE FROM {table} WHERE hour < ?", (hour,))
