"""Every story of the shipped catalogues, end to end: what its `.expected.json` says comes out."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.catalogue import files
from pipeline.stitching.rules import Rules
from schemas.records import Touchpoint
from tests.builders import Results, process

SEEDS = Path(__file__).parents[2] / "seeds"
STORIES = sorted(SEEDS.rglob("journeys/*.jsonl"))
EXPECTATIONS = sorted(SEEDS.rglob("journeys/*.expected.json"))
TOLD = frozenset({"about", "customers", "sessions", "journeys", "verdicts"})
"""What an expectation may speak of; a key that no test reads would promise nothing."""


def test_there_are_stories_to_tell() -> None:
    assert len(STORIES) >= 15


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_the_story_ends_as_it_is_told(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text())
    touchpoints = [_touchpoint(line) for line in path.read_text().splitlines()]

    told = process(touchpoints, _rules_beside(path))

    seen = sorted(told.verdicts.values(), key=lambda one: (one.occurred_at, one.id))
    order = [one.id for one in seen]
    assert expected.keys() <= TOLD
    assert told.dead_letters() == []
    assert groups(told, "customer", order) == in_order(expected["customers"], order)
    assert groups(told, "session_id", order) == in_order(expected["sessions"], order)
    assert journeys(told, order) == sorted(expected["journeys"], key=lambda one: one["touchpoints"])
    verdicts = {id_: told.verdicts[id_].verdict for id_ in expected["verdicts"]}
    assert verdicts == expected["verdicts"]


@pytest.mark.parametrize("path", EXPECTATIONS, ids=lambda path: path.stem)
def test_an_expectation_belongs_to_a_story(path: Path) -> None:
    assert path.with_name(path.name.replace(".expected.json", ".jsonl")) in STORIES


@cache
def _rules(directory: Path) -> Rules:
    return files.load(directory)


def _rules_beside(story: Path) -> Rules:
    return _rules(story.parents[1])


def _touchpoint(line: str) -> Touchpoint:
    written = {"source": "replay", **json.loads(line)}
    return msgspec.json.decode(json.dumps(written), type=Touchpoint)


def groups(told: Results, by: str, order: list[str]) -> list[list[str]]:
    """The touchpoints that share something, each group in order of time."""
    return in_order([list(ids) for ids in told.members(by).values()], order)


def in_order(groups_: list[list[str]], order: list[str]) -> list[list[str]]:
    """Groups sorted, and within each by time: an expectation may list them as it likes."""
    return sorted(sorted(ids, key=order.index) for ids in groups_)


def journeys(told: Results, order: list[str]) -> list[dict[str, Any]]:
    """The journeys that stand, as an expectation writes them: `broke_at` where something did."""
    members = told.members("journey_id")
    found = []
    for journey_id, one in told.live_journeys.items():
        found.append(
            {
                "mission": one.mission,
                "outcome": one.outcome,
                "reason": one.reason,
                **({"broke_at": one.broke_at} if one.broke_at else {}),
                "channels": list(one.channels),
                "touchpoints": sorted(members[journey_id], key=order.index),
            }
        )
    return sorted(found, key=lambda one: one["touchpoints"])
