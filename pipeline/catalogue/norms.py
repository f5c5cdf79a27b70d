"""`norms.toml`: how long steps and menus usually take, measured by `touchpoints norms`.

Read here into the core's `Norms`, and written from what was measured.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Final

from pydantic import Field

from pipeline.catalogue.documents import Document, Table
from pipeline.catalogue.suggestions import closest
from pipeline.errors import Problem
from pipeline.stitching.norms import SEEN_MIN, Norms, StepNorm

Seen = Annotated[int, Field(ge=SEEN_MIN)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Effort = Annotated[float, Field(ge=1, le=7)]

HEAD: Final = """\
# How long steps and menus usually take, measured by `touchpoints norms` on a log of the past.
# Measure again when the channels have changed; a norm that is missing lets no rule fire.
"""


class StepTable(Table):
    """`[[step]]`: the best quarter of those who reached a step."""

    touchpoint: str
    mission: str
    seen: Seen
    time_best: Seconds
    effort_best: Effort


class MenuTable(Table):
    """`[[menu]]`: how late in a call a menu is reached, by 95 in 100."""

    node: Annotated[str, Field(min_length=1)]
    seen: Seen
    time_p95: Seconds


class NormsFile(Table):
    """`norms.toml`."""

    step: list[StepTable] = Field(default_factory=list)
    menu: list[MenuTable] = Field(default_factory=list)

    def norms(self) -> Norms:
        """The value."""
        return Norms(
            steps={
                (one.touchpoint, one.mission): StepNorm(
                    time_best=one.time_best, effort_best=one.effort_best
                )
                for one in self.step
            },
            nodes={one.node: one.time_p95 for one in self.menu},
        )


def problems(document: Document, steps: Mapping[str, frozenset[str]]) -> Iterator[Problem]:
    """Norms of what the catalogue does not have, and two of the same.

    Args:
        document: The file, valid or not.
        steps: Of each mission, by its name.
    """
    seen: set[tuple[object, ...]] = set()
    for kind, keys in (("step", ("touchpoint", "mission")), ("menu", ("node",))):
        for place, table in document.tables(kind, "*"):
            name = (kind, *(table.get(key) for key in keys))
            if name in seen:
                message = f"{kind} {' of '.join(map(str, name[1:]))} stands already above"
                yield Problem(file=document.file, line=document.line_of(*place), message=message)
            seen.add(name)
    for text in document.texts("step", "*", "mission"):
        if text.text not in steps:
            message = f'mission "{text.text}" has no file in missions/'
            yield text.problem(message, closest(text.text, steps))
            continue
        touchpoint = document.content["step"][text.place[1]].get("touchpoint")
        if isinstance(touchpoint, str) and touchpoint not in steps[text.text]:
            message = f'touchpoint "{touchpoint}" is no step of mission "{text.text}"'
            line = document.line_of(*text.place[:2], "touchpoint")
            suggestion = closest(touchpoint, steps[text.text])
            yield Problem(file=document.file, line=line, message=message, suggestion=suggestion)


def written(steps: Iterable[StepTable], menus: Iterable[MenuTable]) -> str:
    """The file that says this, as TOML."""
    tables = [("step", one.model_dump()) for one in steps]
    tables += [("menu", one.model_dump()) for one in menus]
    lines = [HEAD]
    for kind, table in tables:
        lines.append(f"[[{kind}]]")
        lines += [f"{key} = {_value(value)}" for key, value in table.items()]
        lines.append("")
    return "\n".join(lines)


def _value(value: object) -> str:
    if not isinstance(value, str):
        return repr(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    plain = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped)
    return f'"{plain}"'
