"""The store against a dictionary: whatever is asked of it, in any order, with any cache."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runtimes.embedded.database import open_writer
from pipeline.runtimes.embedded.store import Store
from pipeline.runtimes.runtime import StageCodec
from tests.unit.runtimes.counting import NOON

CODEC = StageCodec(msgspec.json.encode, msgspec.json.decode)


class Table:
    """A store on a file, with the transaction that the driver would hold."""

    def __init__(self, directory, states_max=100):
        self.connection = open_writer(directory, ("stitch",))
        self.states_max = states_max
        self.reopen()

    def reopen(self):
        self.store = Store(self.connection, "stitch", CODEC, self.states_max)
        self.connection.execute("BEGIN IMMEDIATE")

    def empty(self, states_max):
        self.connection.execute("DELETE FROM state_stitch")
        self.connection.execute("COMMIT")
        self.states_max = states_max
        self.reopen()

    def commit(self):
        self.store.flush()
        self.connection.execute("COMMIT")
        self.store.commit()
        self.connection.execute("BEGIN IMMEDIATE")

    def rollback(self):
        self.connection.execute("ROLLBACK")
        self.store.rollback()
        self.connection.execute("BEGIN IMMEDIATE")


@pytest.fixture
def table(tmp_path):
    table = Table(tmp_path)
    yield table
    table.connection.close()


@pytest.fixture(scope="module")
def one_file(tmp_path_factory):
    """One file for all examples of the law: to make one costs more than an example."""
    table = Table(tmp_path_factory.mktemp("store"))
    table.connection.execute("ROLLBACK")
    table.connection.execute("PRAGMA synchronous = OFF")
    table.reopen()
    yield table
    table.connection.close()


def test_a_state_is_the_same_object_until_the_cycle_ends(table):
    table.store.put("a", {"count": 1}, None)

    assert table.store.get("a") is table.store.get("a")


def test_a_state_outlives_the_process_with_what_was_changed_in_it(table):
    state = {"count": 1}
    table.store.put("a", state, None)
    state["count"] = 2
    table.commit()
    table.connection.execute("ROLLBACK")

    table.reopen()

    assert table.store.get("a") == {"count": 2}


def test_a_rollback_forgets_puts_deletes_and_changes_made_in_place(table):
    table.store.put("a", {"count": 1}, NOON)
    table.commit()
    table.store.get("a")["count"] = 99
    table.store.put("b", {}, NOON)
    table.store.flush()

    table.rollback()

    assert table.store.get("a") == {"count": 1}
    assert table.store.get("b") is None
    assert table.store.due(NOON, 10) == ["a"]


def test_due_names_the_earliest_first_and_no_more_than_asked(table):
    for minute, key in ((3, "c"), (1, "a"), (2, "b"), (9, "later")):
        table.store.put(key, {}, NOON + timedelta(minutes=minute))
    table.commit()

    assert table.store.due(NOON + timedelta(minutes=3), 2) == ["a", "b"]
    assert table.store.due(NOON + timedelta(minutes=3), 10) == ["a", "b", "c"]


def test_a_key_put_off_again_and_again_is_named_at_its_last_time_only(table):
    for minute in range(1, 5):
        table.store.put("a", {}, NOON + timedelta(minutes=minute))
        table.commit()
    table.store.put("b", {}, NOON + timedelta(minutes=3))

    assert table.store.due(NOON + timedelta(minutes=3), 10) == ["b"]
    assert table.store.due(NOON + timedelta(minutes=4), 10) == ["b", "a"]


def test_a_key_brought_forward_is_named_at_its_new_time(table):
    table.store.put("a", {}, NOON + timedelta(minutes=9))
    table.commit()
    table.store.put("a", {}, NOON + timedelta(minutes=1))

    assert table.store.due(NOON + timedelta(minutes=1), 10) == ["a"]


def test_the_index_is_not_touched_while_a_key_is_only_put_off(table):
    table.store.put("a", {}, NOON)
    table.commit()
    table.store.put("a", {}, NOON + timedelta(minutes=1))
    table.commit()

    wake_at, due_at = table.connection.execute(
        "SELECT wake_at, due_at FROM state_stitch"
    ).fetchone()

    assert due_at - wake_at == 60_000_000


def test_the_cache_is_bounded_between_cycles_and_nothing_is_lost_by_it(tmp_path):
    table = Table(tmp_path, states_max=3)
    for number in range(10):
        table.store.put(str(number), {"number": number}, None)
    table.commit()

    held = len(table.store._held)
    states = [table.store.get(str(number)) for number in range(10)]
    table.connection.close()

    assert held == 3
    assert states == [{"number": number} for number in range(10)]


KEYS = st.sampled_from("abc")
MINUTES = st.integers(0, 9).map(lambda minute: NOON + timedelta(minutes=minute))
PUT = st.tuples(st.just("put"), KEYS, MINUTES, st.integers())
DUE = st.tuples(st.just("due"), MINUTES, st.integers(0, 4))
STEPS = st.lists(
    st.one_of(
        PUT,
        PUT,
        PUT,
        DUE,
        DUE,
        st.tuples(st.just("put"), KEYS, st.none(), st.integers()),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("get"), KEYS),
        st.tuples(st.just("commit")),
        st.tuples(st.just("commit")),
        st.tuples(st.sampled_from(("rollback", "reopen"))),
    ),
    min_size=10,
    max_size=40,
)


def earliest(model, until):
    return sorted(
        (due_at, key)
        for key, (_, due_at) in model.items()
        if due_at is not None and due_at <= until
    )


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, states_max=st.integers(0, 3))
def test_a_store_behaves_as_a_dictionary_does(one_file, steps, states_max):
    table = one_file
    table.empty(states_max)
    model, durable = {}, {}
    for step, *arguments in steps:
        if step == "put":
            key, due_at, value = arguments
            table.store.put(key, {"value": value}, due_at)
            model[key] = ({"value": value}, due_at)
        elif step == "delete":
            table.store.delete(*arguments)
            model.pop(*arguments, None)
        elif step == "get":
            assert table.store.get(*arguments) == model.get(*arguments, (None, None))[0]
        elif step == "due":
            until, limit = arguments
            named = table.store.due(until, limit)
            expected = earliest(model, until)
            assert [model[key][1] for key in named] == [at for at, _ in expected[:limit]]
            assert set(named) <= {key for _, key in expected}
            assert len(set(named)) == len(named)
        elif step == "commit":
            table.commit()
            durable = dict(model)
        else:
            table.rollback() if step == "rollback" else table.connection.execute("ROLLBACK")
            if step == "reopen":
                table.reopen()
            model = dict(durable)
