"""The counting engine's stages, for runtimes that drive each by itself.

`identify` forwards a touchpoint under its customer, `stitch` counts it; both keep the ids they saw.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from pipeline.runtimes.kafka.states import STATE_BYTES_MAX
from pipeline.stitching.change import Change, Message
from pipeline.topology import Stage
from schemas.records import Counts, Session, Touchpoint
from schemas.topics import CUSTOMER_TOUCHPOINTS, SESSIONS, TOUCHPOINTS
from tests.unit.runtimes.counting import GAP, NOON


def seen(state: Any, message: Message, stage: str, key: str) -> Any:
    record = message.record
    assert isinstance(record, Touchpoint)
    state = state or {"ids": [], "key": key}
    state["ids"].append(record.id)
    if record.name == "poison" and record.location == stage:
        error = "cannot be processed"
        raise LookupError(error)
    if record.name == "huge":
        state["ids"].append("x" * STATE_BYTES_MAX)
    if record.name == "unwritable":
        state["ids"].append(object())
    state["last"] = record.occurred_at.timestamp()
    return state


def session(state: Any, said: Any) -> Message:
    count = len(state["ids"])
    record = Session(
        session_id=state["key"],
        revision=count,
        state=said,
        customer=state["key"],
        channel="web",
        started_at=NOON,
        ended_at=NOON,
        count=count,
        microjourney=(),
        verdicts=Counts(),
    )
    return Message(SESSIONS, record.customer, record)


def forward(state: Any, key: str, message: Message, *_: Any) -> Change[Any]:
    state = seen(state, message, "identify", key)
    return Change(
        state, [Message(CUSTOMER_TOUCHPOINTS, key.partition(":")[2], message.record, version=7)]
    )


def count(state: Any, key: str, message: Message, *_: Any) -> Change[Any]:
    state = seen(state, message, "stitch", key)
    return Change(state, [session(state, "open")])


def close(state: Any, until: datetime, _: Any) -> Change[Any]:
    return Change(None, [session(state, "closed")])


def keep(state: Any, until: datetime, _: Any) -> Change[Any]:
    return Change(state, [])


def due_at(state: Any, _: Any) -> datetime | None:
    return datetime.fromtimestamp(state["last"], UTC) + GAP


def never(*_: Any) -> None:
    return None


IDENTIFY = Stage(
    name="identify",
    reads=(TOUCHPOINTS,),
    writes=(CUSTOMER_TOUCHPOINTS,),
    step=forward,
    expire=keep,
    due_at=never,
    encode=msgspec.json.encode,
    decode=msgspec.json.decode,
)
STITCH = Stage(
    name="stitch",
    reads=(CUSTOMER_TOUCHPOINTS,),
    writes=(SESSIONS,),
    step=count,
    expire=close,
    due_at=due_at,
    encode=msgspec.json.encode,
    decode=msgspec.json.decode,
)
COUNTING = (IDENTIFY, STITCH)
