"""The tables of thresholds: `[verdicts]`, in `rules.toml` and in a mission's file, and `[alerts]`.

They have the fields of their rules, each optional: a threshold that the core learns can be set here
at once.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from pydantic import Field, create_model

from pipeline.catalogue.documents import Table
from pipeline.catalogue.durations import Duration, DurationOrZero
from pipeline.stitching.rules import AlertRules, VerdictRules

Count = Annotated[int, Field(ge=1)]

_KINDS: Final[dict[Any, Any]] = {
    int: Count,
    float: Annotated[float, Field(ge=0, allow_inf_nan=False)],
    timedelta: DurationOrZero,
}


def _keys_of(rules: Any, **narrower: Any) -> dict[str, Any]:
    """The fields of some rules, each optional, as those of a table; some have narrower ranges."""
    kinds = {
        field.name: narrower.get(field.name, _KINDS.get(field.type, field.type))
        for field in msgspec.structs.fields(rules)
    }
    return {name: (kind | None, None) for name, kind in kinds.items()}


SESSIONS_OWN: Final = frozenset({"call_length_min", "machine_touchpoints", "machine_window"})
"""Thresholds of whole sessions, which may serve several missions: no mission has its own."""

_Share = Annotated[float, Field(gt=0, lt=1)]

if TYPE_CHECKING:
    VerdictsTable = Table
    MissionVerdictsTable = Table
    AlertsTable = Table
else:
    VerdictsTable = create_model("VerdictsTable", __base__=Table, **_keys_of(VerdictRules))
    MissionVerdictsTable = create_model(
        "MissionVerdictsTable",
        __base__=Table,
        **{name: key for name, key in _keys_of(VerdictRules).items() if name not in SESSIONS_OWN},
    )
    AlertsTable = create_model(
        "AlertsTable",
        __base__=Table,
        **_keys_of(
            AlertRules,
            false_alarms_a_day=Annotated[float, Field(gt=0, allow_inf_nan=False)],
            usual_share=_Share,
            usual_share_min=_Share,
            page_share=_Share,
            open=Duration,
            kept=Duration,
        ),
    )
