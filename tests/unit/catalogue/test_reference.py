"""docs/catalogue.md says what the code does: every key, and every default that is a number."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.catalogue import norms, tables
from pipeline.catalogue.durations import duration_of
from pipeline.stitching.inventory import Inventory
from pipeline.stitching.journeys import REASONS
from pipeline.stitching.missions import Missions
from pipeline.stitching.rules import (
    SESSION_RULES,
    AlertRules,
    IdentityRules,
    Rules,
    SessionRule,
    VerdictRules,
)

REFERENCE = (Path(__file__).parents[3] / "docs/catalogue.md").read_text(encoding="utf-8")
PLAIN = Rules(inventory=Inventory(()), missions=Missions(()))


def rows(heading: str) -> dict[str, list[str]]:
    """Each key under a heading, with its value, default and meaning."""
    section = re.split(r"^##+ ", REFERENCE.split(f"# {heading}\n", 1)[1], flags=re.MULTILINE)[0]
    found = {}
    for line in re.findall(r"^\| (`.*) \|$", section, flags=re.MULTILINE):
        key, *rest = line.split(" | ")
        found |= dict.fromkeys(re.findall(r"`(\w+)`", key), rest)
    return found


def value_of(default: str) -> timedelta | float | tuple[str, ...]:
    """A described default, `"24h"`, `50` or an array of text, as its value."""
    bare = default.strip("`")
    if bare.startswith("["):
        return tuple(json.loads(bare))
    return duration_of(bare.strip('"')) if bare.startswith('"') else float(bare)


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("inventory.toml: `[[touchpoint]]`", tables.TouchpointTable),
        ("`recognise`", tables.SignTable),
        ("missions/*.toml", tables.MissionFile),
        ("`objectives`", tables.ObjectivesTable),
        ("`[[phase]]`", tables.PhaseTable),
        ("`[[example]]`", tables.ExampleTable),
        ("`[sessions.web]`, and so on for each channel", tables.SessionTable),
        ("`[[sessions.source]]`", tables.SourceSessionTable),
        ("`[identity]`", tables.IdentityTable),
        ("`[verdicts]`", tables.VerdictsTable),
        ("`[alerts]`", tables.AlertsTable),
        ("`[revisions]`", tables.RevisionsTable),
        ("`[sources]`", tables.SourcesTable),
        ("`[segments]`", tables.SegmentsTable),
        ("`[[step]]`", norms.StepTable),
        ("`[[menu]]`", norms.MenuTable),
    ],
)
def test_every_key_is_described_and_required_where_it_is(heading, model):
    described = rows(heading)

    assert set(described) == set(model.model_fields)
    for key, field in model.model_fields.items():
        assert (described[key][1] == "required") == field.is_required(), key


@pytest.mark.parametrize(
    ("heading", "rules"),
    [
        ("`[identity]`", IdentityRules()),
        ("`[verdicts]`", VerdictRules()),
        ("`[alerts]`", AlertRules()),
        ("`[revisions]`", PLAIN),
    ],
)
def test_every_default_of_the_rules_is_the_one_described(heading, rules):
    code_says = {"window": "revision_window"}
    added = ("`[]`", "`{}`")  # lists that add to what is built in

    described = {
        key: value_of(default)
        for key, (_, default, _) in rows(heading).items()
        if default not in added
    }

    assert described == {key: getattr(rules, code_says.get(key, key)) for key in described}


def test_the_defaults_of_sessions_are_those_described():
    described = rows("`[sessions.web]`, and so on for each channel")

    assert described["gap"][1] == '`"30m"`'
    assert described["length_max"][1] == '`"24h"`'
    plain = SessionRule()
    assert (plain.gap, plain.length_max) == (timedelta(minutes=30), timedelta(hours=24))
    assert described["background_gap"][1] == 'none; app `"5m"`'
    assert described["hint"][1] == '`"honour"`; chatbot `"split"`'
    unusual = {channel: rule for channel, rule in SESSION_RULES.items() if rule != SessionRule()}
    assert unusual == {
        "app": SessionRule(background_gap=timedelta(minutes=5)),
        "chatbot": SessionRule(hint="split"),
    }


def test_the_reasons_of_outcomes_are_those_described():
    meaning = rows("`[[example]]`")["reason"][2]

    assert set(re.findall(r"`(\w+)`", meaning)) == set(REASONS.values())
