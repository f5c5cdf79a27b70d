"""Events that others published with their own answers: sessions, customers and journeys agree.

The data is not part of this repository. `TOUCHPOINTS_PEER_DATA` names the directory that holds it;
its README tells what each set settles. Nothing here needs a broker.
"""

import gzip
import json
import os
import random
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.stitching.inventory import Entry, Inventory, Sign
from pipeline.stitching.missions import Mission, Missions, Phase
from pipeline.stitching.rules import Rules
from schemas.records import Touchpoint
from tests.builders import NO_MISSIONS, Results, process

DATA = Path(os.environ.get("TOUCHPOINTS_PEER_DATA", "."))
pytestmark = pytest.mark.skipif(
    "TOUCHPOINTS_PEER_DATA" not in os.environ,
    reason="TOUCHPOINTS_PEER_DATA does not name a directory with the peers' data",
)

SHOP = "snowplow-ecommerce-0.6.1-apache2"
VISITS = "snowplow-fractribution-apache2"
VOLUME = "retentioneering-ecom"
VECTORS = "stream-session-vectors"

Ids = frozenset[str]
Arrive = Callable[[list[Touchpoint]], list[Touchpoint]]


def in_order(touchpoints: list[Touchpoint]) -> list[Touchpoint]:
    return touchpoints


def shuffled(touchpoints: list[Touchpoint]) -> list[Touchpoint]:
    """Out of order by up to six hours: within the revision window."""
    chance = random.Random(1)
    delayed = [
        (one.occurred_at + timedelta(hours=6 * chance.random()), number)
        for number, one in enumerate(touchpoints)
    ]
    return [touchpoints[number] for _, number in sorted(delayed)]


def repeated(touchpoints: list[Touchpoint]) -> list[Touchpoint]:
    """One in ten comes twice."""
    chance = random.Random(2)
    return [one for one in touchpoints for _ in range(1 + (chance.random() < 0.1))]


ARRIVALS = pytest.mark.parametrize("arrive", [in_order, shuffled, repeated])


@pytest.mark.parametrize("file", ["touchpoints.jsonl", "touchpoints-without-hints.jsonl"])
@ARRIVALS
def test_visits_to_a_shop_are_the_sessions_and_customers_of_its_makers(
    file: str, arrive: Arrive
) -> None:
    expected = answers(SHOP)

    told = process(arrive(lines(SHOP, file)), NO_MISSIONS)

    assert partition(told, "session_id") == groups(expected["sessions"])
    assert partition(told, "customer") == groups(expected["customers"])


@ARRIVALS
def test_checkouts_succeed_or_are_abandoned_as_their_makers_say(arrive: Arrive) -> None:
    names = {one.id: one.name for one in lines(SHOP)}

    told = process(arrive(lines(SHOP)), CHECKOUT)

    listed = {id_ for id_, name in names.items() if name in ("checkout_step", "transaction")}
    assert journeys(told, only=listed) == expected_journeys(answers(SHOP)["journeys"])


@pytest.mark.parametrize("file", ["touchpoints.jsonl.gz", "touchpoints-without-hints.jsonl.gz"])
@ARRIVALS
def test_thousands_of_sessions_are_those_of_their_makers(file: str, arrive: Arrive) -> None:
    expected = answers(VOLUME)

    told = process(arrive(lines(VOLUME, file)), NO_MISSIONS)

    assert partition(told, "session_id") == groups(expected["sessions"])
    assert partition(told, "customer") == groups(expected["customers"])


@ARRIVALS
def test_journeys_over_many_visits_end_as_their_makers_say(arrive: Arrive) -> None:
    expected = answers(VISITS)
    unjudged = {id_ for ids in expected["unjudged"].values() for id_ in ids}

    told = process(arrive(lines(VISITS)), PURCHASE)

    every = {one.id for one in lines(VISITS)}
    found = journeys(told, only=every - unjudged)
    assert len(expected["journeys"]) == 67
    assert found - {(frozenset(), "abandoned"), (frozenset(), "completed")} == expected_journeys(
        expected["journeys"]
    )
    assert told.dead_letters() == []


@ARRIVALS
def test_visits_are_sessions_as_their_makers_say(arrive: Arrive) -> None:
    told = process(arrive(lines(VISITS)), NO_MISSIONS)

    assert groups(answers(VISITS)["sessions"]) <= partition(told, "session_id")


def cases(name: str) -> list[Any]:
    """The cases of a file of vectors; none where the data is not there, and so nothing to run."""
    path = DATA / VECTORS / f"{name}.json"
    if not path.exists():
        return [pytest.param(None, id="no data")]
    found = json.loads(path.read_text())["cases"]
    return [pytest.param(case, id=case.get("id", name)) for case in found]


@pytest.mark.parametrize("case", cases("sessions"))
def test_a_case_of_disorder_or_boundary_gives_the_sessions_of_its_stream_processor(
    case: dict[str, Any],
) -> None:
    told = process(map(touchpoint, case["arrivals"]), NO_MISSIONS)

    expected = case.get("sessions_if_nothing_is_too_late", case["sessions"])
    assert partition(told, "session_id") == {frozenset(ids) for ids in expected}


@pytest.mark.parametrize("case", cases("identities"))
def test_a_case_of_identity_gives_its_customers(case: dict[str, Any]) -> None:
    told = process(map(touchpoint, case["arrivals"]), NO_MISSIONS)

    assert partition(told, "customer") == {frozenset(ids) for ids in case["customers"]}


@pytest.mark.parametrize("case", cases("journeys"))
def test_a_case_of_a_funnel_gives_its_journeys(case: dict[str, Any]) -> None:
    told = process(map(touchpoint, case["arrivals"]), funnel(case["steps"], case["patience_s"]))

    assert journeys(told) == expected_journeys(case["journeys"])


def lines(folder: str, file: str = "touchpoints.jsonl") -> list[Touchpoint]:
    path = DATA / folder / file
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [touchpoint(msgspec.json.decode(line)) for line in content.splitlines()]


def touchpoint(written: dict[str, Any]) -> Touchpoint:
    return msgspec.json.decode(
        msgspec.json.encode({"source": "replay", **written}), type=Touchpoint
    )


def answers(folder: str) -> dict[str, Any]:
    plain, packed = DATA / folder / "expected.json", DATA / folder / "expected.json.gz"
    content = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
    found: dict[str, Any] = json.loads(content)
    return found


def groups(named: dict[str, list[str]]) -> set[Ids]:
    return {frozenset(ids) for ids in named.values()}


def partition(told: Results, by: str) -> set[Ids]:
    return set(told.members(by).values())


def journeys(told: Results, only: Iterable[str] | None = None) -> set[tuple[Ids, str]]:
    """The journeys that stand: which touchpoints (of those asked about), and how each ended."""
    members = told.members("journey_id")
    wanted = None if only is None else frozenset(only)
    return {
        (members[id_] if wanted is None else members[id_] & wanted, one.outcome)
        for id_, one in told.live_journeys.items()
    }


def expected_journeys(listed: list[dict[str, Any]]) -> set[tuple[Ids, str]]:
    return {(frozenset(one["touchpoints"]), one["outcome"]) for one in listed}


def funnel(names: list[str], patience_s: float) -> Rules:
    """A mission of these steps, one after the other; the first begins it, the last completes it."""
    ids = tuple(f"step-{number}" for number, _ in enumerate(names))
    entries = tuple(
        Entry(id=id_, name=name, channel="web", signs=(Sign(name=name.replace("[", "[[]")),))
        for id_, name in zip(ids, names, strict=True)
    )
    mission = Mission(
        name="funnel",
        starts=(ids[0],),
        completes=(ids[-1],),
        phases=(Phase(name="all", steps=ids),),
        patience=timedelta(seconds=patience_s),
    )
    return Rules(inventory=Inventory(entries), missions=Missions((mission,)))


CHECKOUT = Rules(
    inventory=Inventory(
        (
            Entry(id="step", name="", channel="web", signs=(Sign(name="checkout_step"),)),
            Entry(id="bought", name="", channel="web", signs=(Sign(name="transaction"),)),
            Entry(id="app-step", name="", channel="app", signs=(Sign(name="checkout_step"),)),
            Entry(id="app-bought", name="", channel="app", signs=(Sign(name="transaction"),)),
        )
    ),
    missions=Missions(
        (
            Mission(
                name="buy",
                starts=("step", "app-step"),
                completes=("bought", "app-bought"),
                patience=timedelta(minutes=30),
            ),
        )
    ),
)
PURCHASE = Rules(
    inventory=Inventory(
        (
            Entry(id="bought", name="", channel="web", signs=(Sign(name="purchase"),)),
            Entry(id="visit", name="", channel="web", signs=(Sign(location="/from/*"),)),
        )
    ),
    missions=Missions(
        (
            Mission(
                name="buy",
                starts=("visit", "bought"),
                completes=("bought",),
                patience=timedelta(days=30),
            ),
        )
    ),
)
