"""Asides: what the touchpoints that are watched tell each other, and who takes it."""

from typing import Any

from pipeline.stitching import alerts, presences
from pipeline.stitching.change import Change
from pipeline.stitching.presences import Presences
from pipeline.stitching.rules import Rules
from pipeline.stitching.watched import Watched
from schemas.controls import Fault, Presence, Usual


def hear(state: Watched | Presences | None, key: str, record: Any, rules: Rules) -> Change[Any]:
    """What touchpoints tell each other."""
    if isinstance(record, Presence):
        assert not isinstance(state, Watched)
        return presences.hear(state or Presences(), record, rules)
    assert not isinstance(state, Presences)
    if isinstance(record, Fault):
        return alerts.hear(state or Watched(key), record, rules)
    assert isinstance(record, Usual)
    state = state or Watched(key)
    state.channel = record.share
    return Change(state, [])
