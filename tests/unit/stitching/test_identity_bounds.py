"""What one identifier, one customer or one chain of owners may hold has an end.

At that end nothing is lost, and nobody gets what is a stranger's.
"""

from datetime import timedelta
from random import Random

import msgspec
import pytest

from pipeline.runtimes.engine import Engine
from pipeline.stitching.belonging import belonging_of
from pipeline.stitching.claims import CLAIMS_MAX, PARTED_MAX, IdentifierState
from pipeline.stitching.ids import customer_of
from pipeline.stitching.kept import CustomerState
from pipeline.stitching.placement import HOPS_MAX, TOLD_MAX
from schemas.records import Touchpoint
from tests.builders import MIDNIGHT, NO_MISSIONS, Results, arriving, contents, engine, touchpoint
from tests.oracle.contents import contents_of
from tests.properties.crossing import Crossing

MANY = CLAIMS_MAX + 6
EMAIL = "email:everybody's"


def clock(minute: float) -> str:
    second = round(60 * minute)
    return f"{8 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def running_of(story: list[Touchpoint]) -> Engine:
    running = engine(NO_MISSIONS)
    for one in story:
        running.process(one)
    return running


def results_of(story: list[Touchpoint]) -> Results:
    running = running_of(story)
    running.close()
    return Results(running.outbox)


def identifier(running: Engine, name: str) -> IdentifierState:
    state: IdentifierState = running._stores["identify"].get(name)  # type: ignore[attr-defined]
    return state


def people_of_one_email(count: int) -> list[Touchpoint]:
    """Each at a device of their own: it shows the e-mail, then the log-in, then the mail alone."""
    story = []
    for n in range(count):
        device = f"d-{n}"
        story += [
            touchpoint(clock(4 * n), id=f"{n} a", anonymous_id=device, email="everybody's"),
            touchpoint(clock(4 * n + 1), id=f"{n} b", anonymous_id=device, user_id=f"u-{n}"),
            touchpoint(clock(4 * n + 2), id=f"{n} c", email="everybody's", channel="agent"),
        ]
    return story


def test_of_more_people_than_an_email_remembers_none_gets_what_was_anothers() -> None:
    story = people_of_one_email(MANY)

    told = results_of(story)

    assert contents(told) == contents_of(story, NO_MISSIONS)
    assert told.verdicts["0 c"].customer == customer_of("user_id:u-0")


def test_what_is_older_than_what_it_remembers_belongs_to_the_email_alone() -> None:
    first = touchpoint("07:00", id="first", email="everybody's", channel="agent")
    running = running_of(people_of_one_email(MANY))

    running.process(msgspec.structs.replace(first, received_at=MIDNIGHT + timedelta(hours=14)))
    running.close()

    assert len(identifier(running, EMAIL).implied) == CLAIMS_MAX
    assert Results(running.outbox).verdicts["first"].customer == customer_of(EMAIL)


def test_one_person_of_many_devices_keeps_all_that_their_email_did() -> None:
    """Repeats of one owner are forgotten first, since they say nothing that others do not."""
    story = [touchpoint("07:00", id="first", email="ann's", channel="agent")]
    for n in range(MANY):
        device = f"d-{n % 5}"
        story += [
            touchpoint(clock(4 * n), id=f"{n} a", anonymous_id=device, email="ann's"),
            touchpoint(clock(4 * n + 1), id=f"{n} b", anonymous_id=device, user_id="ann"),
        ]

    running = running_of(story)
    state = identifier(running, "email:ann's")
    running.close()
    told = Results(running.outbox)

    assert len(state.implied) == CLAIMS_MAX
    assert state.forgotten is None
    assert {one.customer for one in told.verdicts.values()} == {customer_of("user_id:ann")}
    assert contents(told) == contents_of(story, NO_MISSIONS)


def two_by_turns(count: int) -> list[Touchpoint]:
    story = [touchpoint("07:00", id="first", anonymous_id="tablet")]
    for n in range(count):
        who = ("ann", "bob")[n % 2]
        story += [
            touchpoint(clock(4 * n), id=f"{n} in", anonymous_id="tablet", user_id=who),
            touchpoint(clock(4 * n + 1), id=f"{n} on", anonymous_id="tablet"),
        ]
    return story


def test_a_tablet_that_changed_hands_more_often_than_it_remembers_keeps_them_apart() -> None:
    story = two_by_turns(MANY)

    running = running_of(story)
    state = identifier(running, "anonymous_id:tablet")
    running.close()

    assert len(state.claims) == CLAIMS_MAX
    assert state.forgotten == state.claims[0].at
    assert contents(Results(running.outbox)) == contents_of(story, NO_MISSIONS)


def test_what_comes_late_and_is_older_than_it_remembers_is_nobodys() -> None:
    late = touchpoint("08:02", id="late", anonymous_id="tablet", arrives="14:00")

    told = results_of([*two_by_turns(MANY), late])

    assert told.verdicts["late"].customer == customer_of("anonymous_id:tablet")


def chain(length: int) -> list[Touchpoint]:
    """A browser that gives itself a new name each time, and tells the one before."""
    named = [f"a-{n:03d}" for n in range(length + 1)]
    return [
        touchpoint(clock(n / 2), id=f"{n:03d}", anonymous_id=named[n + 1], previous_id=named[n])
        for n in range(length)
    ]


def longest_path(running: Engine) -> int:
    states = running._stores["stitch"].states.values()  # type: ignore[attr-defined]
    tails = [one.tail for one in states if isinstance(one, CustomerState)]
    return max(len(one.path) for tail in tails for one in tail)


@pytest.mark.parametrize("way", ["in order", "shuffled", "crossing"])
def test_a_chain_of_names_is_followed_so_far_and_no_further(way: str) -> None:
    story = chain(HOPS_MAX + 8)
    if way == "crossing":
        crossing = Crossing(NO_MISSIONS, Random(1))
        for one in story:
            crossing.take(one)
        told = crossing.results()
    else:
        came = story if way == "in order" else arriving(Random(1).sample(story, k=len(story)))
        running = running_of(came)
        assert longest_path(running) == HOPS_MAX
        running.close()
        told = Results(running.outbox)

    assert contents(told) == contents_of(story, NO_MISSIONS)
    owners = [told.verdicts[f"{n:03d}"].customer for n in (0, HOPS_MAX - 1, HOPS_MAX, HOPS_MAX + 3)]
    assert owners == [
        customer_of(f"anonymous_id:{name}") for name in ("a-000", "a-000", "a-001", "a-004")
    ]


def test_whose_it_is_said_to_be_goes_as_far_as_what_it_did() -> None:
    story = chain(HOPS_MAX + 8)
    running = running_of(story)
    last = story[-1]
    asked = f"anonymous_id:{last.identifiers['anonymous_id']}"

    found = belonging_of(
        asked, last.occurred_at, lambda name: identifier(running, name), NO_MISSIONS.identity
    )

    running.close()
    assert len(found.chain) == HOPS_MAX + 1
    assert found.customer == Results(running.outbox).verdicts[last.id].customer


def test_an_identifier_remembers_so_many_owners_that_it_was_parted_from() -> None:
    story = []
    for n in range(PARTED_MAX + 3):
        story += [
            touchpoint(clock(4 * n), id=f"{n} in", anonymous_id="a", user_id=f"u-{n}"),
            touchpoint(
                clock(4 * n + 1), "identity_only", id=f"{n} apart", channel="agent",
                anonymous_id="a", unlinked_from=f"user_id:u-{n}",
            ),
            touchpoint(clock(4 * n + 2), id=f"{n} on", anonymous_id="a"),
        ]  # fmt: skip

    running = running_of(story)
    state = identifier(running, "anonymous_id:a")
    running.close()

    assert state.parted is not None
    assert len(state.parted) == PARTED_MAX
    assert "user_id:u-2" not in state.parted
    assert {one.anchor for one in state.claims} <= state.parted.keys()
    assert contents(Results(running.outbox)) == contents_of(story, NO_MISSIONS)


def test_of_more_identifiers_than_a_customer_remembers_nothing_is_lost() -> None:
    """Each is first said to be hers, and then, late, to have been another's until then."""
    identity = msgspec.structs.replace(
        NO_MISSIONS.identity, device_max=10_000, identifiers_max=10_000
    )
    rules = msgspec.structs.replace(NO_MISSIONS, identity=identity, touchpoints_max=10_000)
    devices = [f"d-{n}" for n in range(TOLD_MAX + 50)]
    story = [
        touchpoint(clock(60), "identity_only", id=n, anonymous_id=n, user_id="ann")
        for n in devices
    ] + [
        touchpoint(clock(10), id=f"{n} {who}", anonymous_id=n, **shown)
        for n in devices
        for who, shown in (("alone", {}), ("bob", {"user_id": f"bob of {n}"}))
    ]  # fmt: skip
    running = engine(rules)
    for one in arriving(story):
        running.process(one)
    ann: CustomerState = running._stores["stitch"].get(customer_of("user_id:ann"))  # type: ignore[attr-defined]

    assert ann.forwarding is not None
    assert len(ann.forwarding.told) == TOLD_MAX
    running.close()
    assert contents(Results(running.outbox)) == contents_of(story, rules)
