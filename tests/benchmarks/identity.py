"""Identity with hubs: a million identifiers, some of which everybody seems to have.

    python -m tests.benchmarks.identity [--quick] [--identifiers N]

People have two devices, an e-mail and a log-in. Besides, there are four hubs: a cookie that every
twentieth person logs in with (a kiosk's), an e-mail and a user id that a form fills in where nobody
knows better and that stand on no block list, and the telephone of a call centre. Printed are the
CPU time a touchpoint in each tenth, which is to stay flat, and the largest of everything kept.
"""

import argparse
import gc
from collections.abc import Iterator
from datetime import timedelta
from time import process_time
from typing import NamedTuple

import msgspec

from pipeline.catalogue import files
from pipeline.runtimes.engine import Engine
from pipeline.runtimes.memory import MemoryStates, in_memory
from pipeline.stitching.kept import CustomerState
from pipeline.stitching.rules import Rules
from pipeline.topology import IDENTIFY, STITCH
from schemas.records import Touchpoint
from tests.benchmarks.load.measuring import ROOT, STARTS_AT, machine

IDENTIFIERS_EACH = 4
KIOSK = {"anonymous_id": "cookie of the kiosk"}
FORM_MAIL = {"email": "hash of noreply@shop.example"}
FORM_USER = {"user_id": "customer"}
CALL_CENTRE = {"phone": "hash of the call centre's"}
PAUSE = timedelta(milliseconds=100)
"""Between two touchpoints of whomever: a million people come in a day or so."""


class Largest(NamedTuple):
    """The largest of what is kept, over all keys; counts but where it says bytes."""

    claims: int
    held: int
    spans: int
    refused: int
    told: int
    tail: int
    passed: int
    identifier_bytes: int
    customer_bytes: int


def shown(person: int) -> Iterator[dict[str, str]]:
    """What each touchpoint of one person shows."""
    login, mail = {"user_id": f"user {person}"}, {"email": f"mail {person}"}
    laptop, phone = {"anonymous_id": f"laptop {person}"}, {"anonymous_id": f"phone {person}"}
    yield laptop
    yield laptop | login | mail
    yield phone | mail
    yield phone
    if person % 20 == 0:
        yield KIOSK | login
        yield KIOSK
    if person % 25 == 1:
        yield laptop | FORM_MAIL
    if person % 25 == 2:
        yield phone | FORM_USER
    if person % 20 == 3:
        yield login | CALL_CENTRE
        yield dict(CALL_CENTRE)


def touchpoints(people: int, pause: timedelta) -> Iterator[Touchpoint]:
    at, number = STARTS_AT, 0
    for person in range(people):
        for identifiers in shown(person):
            at, number = at + pause, number + 1
            yield Touchpoint(
                id=f"t-{number}",
                source="shop",
                channel="web",
                name="view-bill-online",
                occurred_at=at,
                received_at=at,
                identifiers=identifiers,
            )


def measured(
    people: int, rules: Rules, pause: timedelta = PAUSE
) -> tuple[list[float], Largest, dict[str, int]]:
    """Microseconds of CPU a touchpoint by tenth, the largest, and dead letters by reason."""
    engine = in_memory(rules, watching=False)
    every = list(touchpoints(people, pause))
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    letters: dict[str, int] = {}
    tenths: list[float] = []
    for tenth in range(10):
        part = every[tenth * len(every) // 10 : (tenth + 1) * len(every) // 10]
        started = process_time()
        for one in part:
            engine.process(one)
            for message in engine.outbox:
                if message.topic == "dead-letters":
                    reason = message.record.reason  # type: ignore[attr-defined]
                    letters[reason] = letters.get(reason, 0) + 1
            engine.outbox.clear()
        tenths.append((process_time() - started) / len(part) * 1e6)
    return tenths, largest_of(engine), letters


def largest_of(engine: Engine) -> Largest:
    identifiers, customers = (_states(engine, stage.name) for stage in (IDENTIFY, STITCH))
    kept = [one for one in customers.values() if isinstance(one, CustomerState)]
    known = list(identifiers.values())
    return Largest(
        claims=max(len(one.claims) + len(one.implied) for one in known),
        held=max(len(one.held) for one in known),
        spans=max(len(one.spans) for one in known),
        refused=max(len(one.refused) for one in known),
        told=max(len(one.told) for one in known),
        tail=max(len(one.tail) for one in kept),
        passed=max(len(one.forwarding.passed) if one.forwarding else 0 for one in kept),
        identifier_bytes=max(len(IDENTIFY.encode(one)) for one in known),
        customer_bytes=max(len(STITCH.encode(one)) for one in kept),
    )


def _states(engine: Engine, name: str) -> dict[str, object]:
    store = engine._stores[name]
    assert isinstance(store, MemoryStates)
    return store.states  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identifiers", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="a fiftieth")
    arguments = parser.parse_args()
    people = arguments.identifiers // IDENTIFIERS_EACH // (50 if arguments.quick else 1)
    print(machine())
    tenths, largest, letters = measured(people, files.load(ROOT / "seeds"))
    print(f"{people * IDENTIFIERS_EACH:,} identifiers of {people:,} people, and 4 hubs")
    print("CPU a touchpoint, by tenth: " + " ".join(f"{one:.0f}" for one in tenths) + " us")
    for name, value in largest._asdict().items():
        print(f"largest {name.replace('_', ' ')}: {value:,}")
    print(f"refused: {msgspec.json.encode(letters).decode()}")


if __name__ == "__main__":
    main()
