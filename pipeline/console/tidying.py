"""Tidying: the store stays bounded, by rows and by the time of events."""

import sqlite3
from datetime import timedelta
from typing import Final

from pipeline.console.store import SPAN_MINUTES, TALLY_HOURS

ROWS_MAX: Final = {
    "verdicts": 2_000_000,
    "journeys": 1_000_000,
    "sessions": 1_000_000,
    "letters": 20_000,
    "gone": 2_000_000,
}
"""Rows of each table that are kept; the oldest go first (P). A journey with its interactions takes
some 2 KB."""

BELONGS_MAX: Final = 3_000_000
"""Identifiers whose customer is remembered (P); of more, any go: they are found by other ones."""

ALERTS_MAX: Final = 10_000
"""Alerts that are kept; those that ended go first (P)."""

SUMS_KEPT: Final = timedelta(days=35)
"""How long sums of votes by the hour, and of results by the day, are kept: four weeks to look at,
and a week to look back from (P)."""

SHORT_SUMS_KEPT: Final = timedelta(hours=26)
"""How long sums of votes by the minute, and of results by the hour, are kept: a day, and what is
late (P)."""

UNSHARED: Final = ""
"""The name under which the ways of a day are added up that one customer alone took."""

TALLIES: Final = (
    "journey_tallies",
    "touchpoint_tallies",
    "verdict_tallies",
    "reason_tallies",
    "answer_tallies",
)


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
    minute = latest - SHORT_SUMS_KEPT // timedelta(minutes=1)
    old = latest - SUMS_KEPT // timedelta(minutes=1)
    connection.execute("DELETE FROM minutes WHERE minute < ?", (minute,))
    for width, first in zip(SPAN_MINUTES, (minute, old, old), strict=True):
        connection.execute("DELETE FROM spans WHERE width = ? AND start < ?", (width, first))
    for width, first in zip(TALLY_HOURS, (minute, old), strict=True):
        for table in TALLIES:
            connection.execute(
                f"DELETE FROM {table} WHERE width = ? AND start < ?", (width, first // 60)
            )
    _join_unshared(connection, latest // 60 - SHORT_SUMS_KEPT // timedelta(hours=1))


def _join_unshared(connection: sqlite3.Connection, before: int) -> None:
    """Add up the ways of days past that nobody shares: they are most of all, and tell nothing."""
    day = TALLY_HOURS[-1]
    last = before - before % day - day
    alone = (
        "FROM journey_tallies WHERE width = ? AND kind = 'path' AND start <= ? AND name <> ?"
        " AND completed + frustrated + abandoned <= 1"
    )
    connection.execute(
        "INSERT INTO journey_tallies SELECT width, kind, mission, start, ?, sum(completed),"
        f" sum(frustrated), sum(abandoned), sum(effort), sum(value) {alone}"
        " GROUP BY mission, start ON CONFLICT DO UPDATE"
        " SET completed = completed + excluded.completed,"
        " frustrated = frustrated + excluded.frustrated,"
        " abandoned = abandoned + excluded.abandoned, effort = effort + excluded.effort,"
        " value = value + excluded.value",
        (UNSHARED, day, last, UNSHARED),
    )
    connection.execute(f"DELETE {alone}", (day, last, UNSHARED))
