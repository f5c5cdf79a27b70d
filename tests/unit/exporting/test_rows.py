"""Which records of a topic are rows: what names them, and what is left out of erased customers."""

from datetime import timedelta
from typing import NamedTuple

from pipeline.exporting.rows import erased_in, rows_of
from pipeline.exporting.tables import TABLES
from schemas.codec import encode
from schemas.letters import DeadLetter
from schemas.records import Counts, IdentityChange, Record, Session
from schemas.topics import DEAD_LETTERS, SESSIONS, TOUCHPOINTS
from tests.builders import at, touchpoint


class Entry(NamedTuple):
    record: Record
    appended: str = "10:00"

    key = "k"

    @property
    def value(self) -> bytes:
        return encode(self.record)

    @property
    def appended_at(self):
        return at(self.appended)


def rows(topic: str, *entries: Entry, erased=None) -> list[Record]:
    return list(rows_of(TABLES[topic], entries, erased or {}, lambda _: True))


def test_two_sources_that_number_alike_have_two_touchpoints() -> None:
    ours = [touchpoint("10:00", id="1", source=source) for source in ("shop", "crm")]

    assert rows(TOUCHPOINTS, *map(Entry, ours), Entry(ours[0])) == [ours[0], ours[1]]


def test_a_letter_keeps_its_content_beside_the_note_that_it_was_sent_again() -> None:
    letter = DeadLetter(
        id="l-1", source="shop", reason="field_invalid", where="$", expected="a", found="b",
        content=b"{}", received_at=at("10:00"),
    )  # fmt: skip
    note = DeadLetter(
        id="l-1", source="shop", reason="field_invalid", where="$", expected="a", found="b",
        content=b"", received_at=at("10:00"), redriven_at=at("11:00"), redriven="accepted",
    )  # fmt: skip

    assert rows(DEAD_LETTERS, Entry(letter), Entry(note)) == [letter, note]


def test_what_was_published_while_an_erasure_was_on_its_way_is_left_out() -> None:
    def session(name: str) -> Session:
        return Session(
            session_id=name, revision=1, state="open", customer="c", channel="web",
            started_at=at("09:00"), ended_at=at("09:00"), count=1, microjourney=(),
            verdicts=Counts(),
        )  # fmt: skip

    ordered = IdentityChange(customer="c", change="erased", at=at("10:00"), reason="by_operator")
    erased = erased_in([Entry(ordered, "10:01")])
    late, later = Entry(session("s-1"), "10:00"), Entry(session("s-2"), "10:02")

    assert rows(SESSIONS, late, later, erased=erased) == [later.record]
    assert erased == {"c": at("10:00") + timedelta(minutes=1)}
