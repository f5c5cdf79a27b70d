"""What `touchpoints norms` measures is what the rules compare."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from pipeline.catalogue import files
from pipeline.cli import main as command_line
from pipeline.norms import measure, percentile
from pipeline.stitching.norms import Norms, StepNorm
from schemas.records import Touchpoint
from tests.builders import RULES, at, process, touchpoint

SEEDS = Path(__file__).parents[2] / "seeds"


def visits(count: int, *signals: str) -> list[Touchpoint]:
    """As many customers; each pays one second later after looking at the bill than the last."""
    made = []
    for number in range(1, count + 1):
        who = f"u-{number}"
        looking = touchpoint("10:00", name="view-bill", user_id=who, anonymous_id=who)
        paying = msgspec.structs.replace(
            looking,
            id=f"pays {number}",
            name="pay-online",
            occurred_at=at("10:00") + timedelta(seconds=number),
            signals=signals,
        )
        made += [looking, paying]
    return sorted(made, key=lambda one: one.occurred_at)


def calls(count: int) -> list[Touchpoint]:
    """As many calls; each comes to the menu one second later than the one before."""
    made = []
    for number in range(1, count + 1):
        hint = f"call-{number}"
        start = touchpoint(
            "10:00", channel="ivr", name="x", location="start", session_hint=hint, anonymous_id=hint
        )
        menu = msgspec.structs.replace(
            start,
            id=f"menu {number}",
            location="main",
            occurred_at=at("10:00") + timedelta(seconds=number),
        )
        made += [start, menu]
    return sorted(made, key=lambda one: one.occurred_at)


def test_the_best_quarter_of_a_step_is_measured_once_a_hundred_reached_it() -> None:
    found = measure(visits(100), RULES)

    (step,) = found.steps
    assert (step.touchpoint, step.mission, step.seen) == ("pay-online", "pay-bill", 100)
    assert (step.time_best, step.effort_best) == (25.0, 7.0)
    assert measure(visits(99), RULES).steps == []
    assert measure(visits(99), RULES).few == 1


def test_a_menu_is_measured_from_the_start_of_the_call() -> None:
    (menu,) = measure(calls(100), RULES).menus

    assert (menu.node, menu.seen, menu.time_p95) == ("main", 100, 95.0)


def test_what_broke_counts_as_much_as_what_did_not() -> None:
    assert measure(visits(100, "http_5xx"), RULES).steps[0].seen == 100


def test_under_the_norms_that_were_measured_a_quarter_is_excellent() -> None:
    log = visits(100)
    (step,) = measure(log, RULES).steps
    norm = StepNorm(time_best=step.time_best, effort_best=step.effort_best)
    rules = msgspec.structs.replace(RULES, norms=Norms(steps={("pay-online", "pay-bill"): norm}))

    verdicts = process(log, rules).verdicts

    excellent = [one.id for one in verdicts.values() if one.verdict == "excellent"]
    assert sorted(excellent) == sorted(f"pays {number}" for number in range(1, 26))


@pytest.mark.parametrize(("share", "value"), [(0.25, 1), (0.26, 2), (0.5, 2), (0.95, 4), (1.0, 4)])
def test_a_percentile_is_the_least_value_that_the_share_does_not_exceed(share, value) -> None:
    assert percentile([4, 2, 1, 3], share) == value


def test_the_command_prints_a_file_that_the_catalogue_reads(tmp_path, capsys) -> None:
    log = tmp_path / "log.ndjson"
    lines = []
    for number in range(100):
        who = {"user_id": f"u-{number}"}
        for second, name in ((10, "view-bill-online"), (20, "pay-online")):
            when = f"2026-11-22T10:00:{second}Z"
            one = {"id": f"{number}-{second}", "channel": "web", "name": name}
            one |= {"occurred_at": when, "identifiers": who}
            lines.append(msgspec.json.encode(one))
    log.write_bytes(b"\n".join(lines))

    code = command_line.main(["norms", str(log), "--catalogue", str(SEEDS)])

    directory = tmp_path / "catalogue"
    (directory / "missions").mkdir(parents=True)
    for name in ("inventory.toml", "missions/pay-bill.toml"):
        (directory / name).write_bytes((SEEDS / name).read_bytes())
    (directory / "norms.toml").write_text(capsys.readouterr().out, encoding="utf-8")
    assert code == 0
    assert files.load(directory).norms.steps == {
        ("pay-online", "pay-bill"): StepNorm(time_best=10.0, effort_best=7.0)
    }


def test_a_missing_file_is_misuse(capsys) -> None:
    assert command_line.main(["norms", "no-such-file"]) == 2
    assert "found none at no-such-file" in capsys.readouterr().err
