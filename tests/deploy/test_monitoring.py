"""Rules, alerts and dashboards: what they name is measured, and what they say is written up."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from listeners.telemetry import SpoolTelemetry, Telemetry
from pipeline import bootstrap
from pipeline.books import Account, Books, Stands
from pipeline.telemetry import PipelineTelemetry
from tests.unit.runtimes.counting import NOON

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTMANAGER = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
RULES = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTING = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
ALERTS = [rule["alert"] for rule in ALERTING]
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
PROMETHEUS_OWN = {"up", "ALERTS"}


def panels():
    return [one for path in DASHBOARDS for one in json.loads(path.read_text())["panels"]]


def asked_by_dashboards():
    return [target["expr"] for panel in panels() for target in panel.get("targets", [])]


def asked_by_tests():
    tests = yaml.safe_load((PROMETHEUS / "tests.yml").read_text())["tests"]
    return [series["series"] for test in tests for series in test["input_series"]]


def measured():
    """What our processes show: each name that Prometheus will know, with its labels."""
    registry = bootstrap.new_registry()
    Telemetry(registry)
    SpoolTelemetry(registry)
    telemetry = PipelineTelemetry(registry)
    # What is made at each look shows nothing before there is something to show.
    books = Books(
        {"shop": Account(accepted=1)}, {"a": Stands("pay-online", "pay-bill", "page", True)}
    )
    telemetry.partition_stands("stitch", 0, books, NOON)
    telemetry.partition_restoring("stitch", 0, 0.5)
    telemetry.lag_is({("touchpoints", 0): 1})
    names: dict[str, set[str]] = {
        sample.name: set(sample.labels)
        for family in registry.collect()
        for sample in family.samples
    }
    # Those with labels show nothing before they are first counted, so the registry is asked.
    for name, collector in registry._names_to_collectors.items():
        names.setdefault(name, set()).update(getattr(collector, "_labelnames", ()))
    return names


def named(expression):
    """Metrics, each with the labels that a selector asks for."""
    text = re.sub(r"\b(?:by|on|without|ignoring|group_left)\s*\([^)]*\)", "", expression)
    pattern = r"\b([a-zA-Z_]+(?::\w+)*)\b(?!\s*\()(?:\{([^}]*)\})?"
    for name, selector in re.findall(pattern, _quiet(text)):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", selector))


def _quiet(text):
    """Without what stands in quotes or brackets, and without words that are no metrics."""
    text = re.sub(r'"[^"]*"', '""', re.sub(r"\[[^\]]*\]", "", text))
    return re.sub(r"\b(?:and|or|unless|le|e\d+)\b", "", text)


@pytest.mark.parametrize(
    "expression", [*(rule["expr"] for rule in RULES), *asked_by_dashboards(), *asked_by_tests()]
)
def test_every_metric_that_is_asked_for_is_measured_with_these_labels(expression):
    known = measured() | {name: {"touchpoint", "mission"} for name in RECORDED}
    added_by_prometheus = {"job", "instance", "le"}

    found = list(named(expression))

    assert found
    for name, labels in found:
        if name not in PROMETHEUS_OWN:
            assert name in known, name
            assert labels <= known[name] | added_by_prometheus, name
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", expression))))
    shown = set().union(*(known.get(name, {"alertname"}) for name, _ in found))
    assert grouped <= shown | added_by_prometheus


def test_every_alert_waits_says_how_urgent_it_is_and_leads_to_its_section():
    headings = re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE)

    assert headings == ALERTS
    for rule in ALERTING:
        if rule["labels"]["kind"] == "touchpoint":
            continue
        assert rule["for"] == "2m"
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["labels"]["kind"] == "pipeline"
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        section = RUNBOOK.split(f"## {rule['alert']}\n")[1].split("\n## ")[0]
        assert f"({rule['labels']['severity']})" in section, rule["alert"]


def test_what_the_detector_says_is_not_delayed_again_nor_held():
    touchpoints = [rule for rule in ALERTING if rule["labels"]["kind"] == "touchpoint"]

    assert touchpoints
    for rule in touchpoints:
        assert not {"for", "keep_firing_for"} & set(rule)
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"


def test_every_recorded_series_is_computed_by_a_case():
    cases = (PROMETHEUS / "tests.yml").read_text()

    assert [name for name in RECORDED if f"expr: '{name}'" not in cases] == []


def test_every_alert_is_seen_to_fire_by_a_case():
    cases = (PROMETHEUS / "tests.yml").read_text()

    assert sorted(set(re.findall(r'alertname="(\w+)"', cases))) == sorted(ALERTS)


def test_alertmanager_knows_its_receivers_and_holds_back_what_follows_from_a_cause():
    settings = yaml.safe_load(ALERTMANAGER.read_text())
    receivers = [one["name"] for one in settings["receivers"]]
    routes = [settings["route"], *settings["route"]["routes"]]
    rules = settings["inhibit_rules"]
    matched = " ".join(text for rule in rules for key in rule for text in rule[key])
    holding = [rule for rule in rules if rule["target_matchers"] == ['kind="touchpoint"']]

    assert {route["receiver"] for route in routes} == set(receivers)
    assert holding[0]["source_matchers"] == ['kind="pipeline"', 'severity="page"']
    assert {"equal": ["touchpoint"]}.items() <= rules[1].items()
    for names in re.findall(r'alertname=~?"([^"]+)"', matched):
        assert set(names.split("|")) <= set(ALERTS)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_has_every_part_and_no_panel_twice(path):
    parts = {
        "operations": {"Now", "Listeners", "Workers", "Spool", "Commits", "Lag", "Ledger"},
        "channel-owners": {"Alerts", "Outcomes", "Verdicts"},
    }
    shown = json.loads(path.read_text())["panels"]
    titles = [one["title"] for one in shown]
    places = [tuple(one["gridPos"].values()) for one in shown]

    assert parts[path.stem] <= set(titles)
    assert len(set(titles)) == len(titles)
    assert len(set(places)) == len(places)
    assert len({one["id"] for one in shown}) == len(titles)


def test_dashboards_are_told_apart():
    found = [json.loads(path.read_text()) for path in DASHBOARDS]

    assert len({(one["uid"], one["title"]) for one in found}) == 2


def run(tool, *arguments):
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"no {tool} on the PATH: Debian has it in the package of its server")
    said = subprocess.run(
        [found, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr


def test_promtool_takes_rules_and_configuration_and_its_cases_pass():
    run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    run("promtool", "test", "rules", PROMETHEUS / "tests.yml")


def test_promtool_takes_every_expression_of_the_dashboards(tmp_path):
    rules = [
        {"record": f"panel:number{number}", "expr": expression.replace("$touchpoint", "pay")}
        for number, expression in enumerate(asked_by_dashboards())
    ]
    (tmp_path / "rules.yml").write_text(
        yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]})
    )

    run("promtool", "check", "rules", tmp_path / "rules.yml")


def test_amtool_takes_the_configuration():
    run("amtool", "check-config", ALERTMANAGER)
