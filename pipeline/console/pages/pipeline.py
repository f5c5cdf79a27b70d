"""Pipeline: what came in by which door, what was refused why, how far everything is, the ledger."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from pipeline.console.asking import Asked
from pipeline.console.feeding import Fed
from pipeline.console.pieces import (
    Cell,
    Column,
    Page,
    Section,
    Table,
    badge,
    figures,
    named,
    nothing,
    section,
    table_of,
    time_of,
)
from pipeline.console.questions import Refused
from pipeline.console.standing import Vitals
from pipeline.console.store import moment
from pipeline.reporting.markup import Markup, element, joined
from pipeline.reporting.wording import CHANNELS, counted, duration

PLACE: Final = "pipeline"

SOURCES_MAX: Final = 30


class Rows(NamedTuple):
    """What the page is made of."""

    refused: list[Refused]
    fed: Fed


def gather(asked: Asked, fed: Fed) -> Rows:
    """Ask the store."""
    return Rows(asked.questions.refused(), fed)


def show(asked: Asked, rows: Rows) -> Page:
    """The page."""
    vitals = asked.vitals
    sections = [Section("headline", _head(asked, rows))]
    tables: list[Table] = []
    if vitals is not None:
        sources, doors = ledger_table(vitals), doors_table(vitals)
        rejected = rejected_table(vitals.rejected)
        tables += [sources, doors, rejected]
        sections += [
            Section("figures", _figures(vitals)),
            *_processes(asked, vitals, tables),
            section(
                "ledger",
                "Ledger",
                "Every touchpoint that was accepted is a result, a dead letter, a repeat, told of "
                "identity only, is of an erased customer, or is in flight. " + balance(vitals),
                table_of(sources, asked.here)
                if sources.rows
                else nothing("Nothing was accepted yet."),
            ),
            section(
                "doors",
                "Accepted since the start",
                "",
                table_of(doors, asked.here) if doors.rows else nothing("Nothing yet."),
            ),
            section(
                "rejected",
                "Refused since the start",
                "By the listeners, by reason.",
                table_of(rejected, asked.here)
                if rejected.rows
                else nothing("Nothing was refused."),
            ),
        ]
    letters = letters_table(rows.refused)
    tables.append(letters)
    sections.append(
        section(
            "letters",
            "Dead letters",
            "What could not be used, by source and reason; what stood in it is on the topic "
            "dead-letters.",
            table_of(letters, asked.here) if letters.rows else nothing("There are none."),
        )
    )
    if vitals is not None and vitals.appended:
        topics = topics_table(vitals)
        tables.append(topics)
        sections.append(section("topics", "Records by topic", "", table_of(topics, asked.here)))
    return Page("Pipeline", PLACE, tuple(sections), tuple(tables))


def _head(asked: Asked, rows: Rows) -> Markup:
    standing, vitals = asked.standing, asked.vitals
    who = "The pipeline is running" if vitals is not None else "Results are read"
    said = {
        "fine": f"{who}.",
        "quiet": f"{who}; nothing comes in.",
        "empty": f"{who}; nothing has come in yet.",
    }.get(standing.level, standing.sentence)
    if vitals is None:
        about = (
            "This console reads results alone, and cannot tell how listeners and workers stand. "
            "It asks them once their operations ports are named in the settings: operations, in "
            "the table console."
        )
    elif vitals.processes:
        about = f"As {counted(len(vitals.processes), 'process')} said of themselves at "
    else:
        about = "As the process that listens and stitches says of itself."
    told = [time_of(vitals.at, "second"), "."] if vitals is not None and vitals.processes else []
    lag = f" The console is {counted(rows.fed.behind, 'record')} behind." if rows.fed.behind else ""
    passed = (
        f" It passed over {counted(rows.fed.unreadable, 'record')} that it could not read."
        if rows.fed.unreadable
        else ""
    )
    as_of = (
        [" The newest touchpoint happened ", time_of(standing.as_of), "."] if standing.as_of else []
    )
    return element(
        "div",
        element("p", said, class_="headline"),
        element("p", about, *told, lag, passed, *as_of, class_="explanation"),
    )


def _processes(asked: Asked, vitals: Vitals, tables: list[Table]) -> list[Section]:
    """Who was asked, and what waits for workers; adds their tables to the page's."""
    if not vitals.processes:
        return []
    processes, lags = processes_table(vitals), lags_table(vitals)
    tables += [processes, lags]
    return [
        section("processes", "Listeners and workers", "", table_of(processes, asked.here)),
        section(
            "lags",
            "Lag",
            "Records that wait for a worker, by the topic that they wait on.",
            table_of(lags, asked.here) if lags.rows else nothing("No worker has told any."),
        ),
    ]


def processes_table(vitals: Vitals) -> Table:
    """Each process with what it does; those that something is wrong with first."""
    columns = (
        Column("address", "Operations port"),
        Column("role", "Does"),
        Column("state", "Stands"),
        Column("partitions", "Partitions", number=True),
        Column("lag", "Records waiting", number=True),
        Column("received", "Accepted", number=True),
    )
    rows = []
    for one in sorted(vitals.processes, key=lambda one: (not one.problem, one.address)):
        role = ("works" if one.works else "listens") if one.works or not one.problem else None
        rows.append(
            (
                Cell(one.address),
                Cell(role),
                Cell(one.problem or "well", joined(badge("broken"), " ", named(one.problem)))
                if one.problem
                else Cell("well"),
                Cell(one.partitions if one.works else None),
                Cell(one.lag if one.works else None),
                Cell(one.received if role == "listens" else None),
            )
        )
    return Table("processes", "listeners and workers", columns, rows)


def lags_table(vitals: Vitals) -> Table:
    """What waits, by topic."""
    rows = [(Cell(topic), Cell(count)) for topic, count in sorted(vitals.lags.items())]
    columns = (Column("topic", "Topic"), Column("records", "Records", number=True))
    return Table("lags", "records that wait by topic", columns, rows)


def _figures(vitals: Vitals) -> Markup:
    return figures(
        [
            (f"{vitals.backlog:,}", "touchpoints wait to be processed"),
            (duration(vitals.lag) if vitals.backlog else "none", "lag of the oldest of them"),
            (f"{sum(vitals.received.values()):,}", "accepted since the start"),
            (f"{sum(vitals.rejected.values()):,}", "refused since the start"),
        ]
    )


def balance(vitals: Vitals) -> str:
    """Whether any touchpoint is missing."""
    missing = sum(abs(account[-1]) for account in vitals.accounts.values())
    if not missing:
        return "It balances."
    return f"{counted(missing, 'touchpoint')} unaccounted for: see the runbook."


def ledger_table(vitals: Vitals) -> Table:
    """The accounts by source, most accepted first."""
    columns = (
        Column("source", "Source"),
        Column("accepted", "Accepted", number=True),
        Column("results", "Results", number=True),
        Column("dead_letters", "Dead letters", number=True),
        Column("repeats", "Repeats", number=True),
        Column("identity_only", "Identity only", number=True),
        Column("erased", "Erased", number=True),
        Column("in_flight", "In flight", number=True),
        Column("unaccounted", "Unaccounted", number=True),
    )
    rows = [
        (Cell(source), *(Cell(count) for count in account))
        for source, account in sorted(vitals.accounts.items(), key=lambda one: -one[1][0])
    ]
    return Table("ledger", "the ledger by source", columns, rows, shown_max=SOURCES_MAX)


def doors_table(vitals: Vitals) -> Table:
    """Accepted by channel."""
    names: Mapping[str, str] = {str(key): name for key, name in CHANNELS.items()}
    rows = [
        (Cell(channel, named(names.get(channel, channel))), Cell(count))
        for channel, count in sorted(vitals.received.items(), key=lambda one: -one[1])
        if count
    ]
    columns = (Column("channel", "Channel"), Column("accepted", "Touchpoints", number=True))
    return Table("doors", "touchpoints accepted by channel", columns, rows)


def rejected_table(rejected: Mapping[str, int]) -> Table:
    """Refused by reason."""
    rows = [
        (Cell(reason, named(reason.replace("_", " "))), Cell(count))
        for reason, count in sorted(rejected.items(), key=lambda one: -one[1])
        if count
    ]
    columns = (Column("reason", "Reason"), Column("refused", "Items", number=True))
    return Table("rejected", "refused items by reason", columns, rows)


def topics_table(vitals: Vitals) -> Table:
    """Records by topic."""
    rows = [(Cell(topic), Cell(count)) for topic, count in vitals.appended.items()]
    columns = (Column("topic", "Topic"), Column("records", "Records", number=True))
    return Table("topics", "records appended by topic", columns, rows)


def letters_table(refused: Sequence[Refused]) -> Table:
    """Dead letters by source and reason."""
    columns = (
        Column("source", "Source"),
        Column("reason", "Reason"),
        Column("count", "Letters", number=True),
        Column("last", "The last"),
        Column("place", "Where"),
        Column("expected", "Expected"),
    )
    rows = [
        (
            Cell(one.source),
            Cell(one.reason, named(one.reason.replace("_", " "))),
            Cell(one.letters),
            Cell(moment(one.last)),
            Cell(one.place),
            Cell(one.expected),
        )
        for one in refused
    ]
    return Table("letters", "dead letters by source and reason", columns, rows)
