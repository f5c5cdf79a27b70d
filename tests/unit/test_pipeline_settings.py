"""The pipeline's own settings: where they come from, what wins, and what is said of a mistake."""

import re
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.errors import SettingsInvalid
from pipeline.settings import ConsoleSettings, WorkerSettings, load
from schemas.brokers import Brokers

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "deploy" / "config" / "reference.toml"

KAFKA = """
body_bytes_max = 1000
[kafka]
bootstrap_servers = "kafka-1:9092"
application = "shop"
[pipeline]
session_timeout = "6s"
"""


@pytest.fixture
def load_text(tmp_path):
    """Load settings from a file with this text."""

    def load_from(text, bootstrap_servers=None):
        (tmp_path / "settings.toml").write_text(text)
        return load(tmp_path / "settings.toml", bootstrap_servers)

    return load_from


def test_without_any_settings_there_is_no_broker():
    settings = load(None)

    assert settings.kafka is None
    assert settings.pipeline == WorkerSettings()


def test_a_file_names_the_brokers_and_its_other_settings_are_left_alone(load_text):
    settings = load_text(KAFKA)

    assert settings.kafka == Brokers(bootstrap_servers="kafka-1:9092", application="shop")
    assert settings.pipeline.session_timeout == timedelta(seconds=6)
    assert settings.pipeline.batch_records_max == WorkerSettings().batch_records_max


def test_the_environment_wins_over_the_file_setting_by_setting(load_text, monkeypatch):
    monkeypatch.setenv("TOUCHPOINTS_KAFKA__APPLICATION", "bank")
    monkeypatch.setenv("TOUCHPOINTS_KAFKA__SASL_PASSWORD", "hidden")
    monkeypatch.setenv("TOUCHPOINTS_PIPELINE__BATCH_RECORDS_MAX", "7")

    settings = load_text(KAFKA)

    assert settings.kafka.bootstrap_servers == "kafka-1:9092"
    assert settings.kafka.application == "bank"
    assert settings.kafka.sasl_password.get_secret_value() == "hidden"
    assert settings.pipeline == WorkerSettings(batch_records_max=7, session_timeout="6s")


def test_the_command_line_wins_over_both_and_leaves_the_rest(load_text, monkeypatch):
    monkeypatch.setenv("TOUCHPOINTS_KAFKA__BOOTSTRAP_SERVERS", "kafka-2:9092")

    settings = load_text(KAFKA, "kafka-3:9092")

    assert settings.kafka == Brokers(bootstrap_servers="kafka-3:9092", application="shop")


def test_the_command_line_alone_is_enough():
    assert load(None, "localhost:9092").kafka == Brokers(bootstrap_servers="localhost:9092")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[kafka]\nbootstrap_servers = "kafka"',
            "kafka.bootstrap_servers: expected HOST:PORT such",
        ),
        ("[kafka]", "kafka.bootstrap_servers: expected a value; found none"),
        ("kafka = 9092", "kafka: expected a table; found 9092"),
        (KAFKA + "[kafka.tls]", "kafka.tls: expected one of bootstrap_servers"),
        (KAFKA + 'commit_time = "1s"', 'Did you mean "commit_timeout"?'),
        (KAFKA + "batch_records_max = 0", "pipeline.batch_records_max: expected greater than 0"),
        (KAFKA + "batch_records_max = 1.5", "expected a whole number; found 1.5"),
        (KAFKA + 'commit_timeout = "soon"', 'expected a duration such as "30s"'),
        (KAFKA.replace('"shop"', '"shop"\nsecurity_protocol = "TLS"'), "'SASL_SSL'; found 'TLS'"),
        ("[kafka", "expected TOML; found"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_what_was_expected_and_where(load_text, text, said):
    with pytest.raises(SettingsInvalid, match=re.escape(said)) as caught:
        load_text(text)

    assert all("settings.toml: " in one for one in caught.value.problems)


def test_a_mistake_in_the_environment_is_told_by_its_name(load_text, monkeypatch):
    monkeypatch.setenv("TOUCHPOINTS_KAFKA__REPLICATION", "three")

    with pytest.raises(SettingsInvalid) as caught:
        load_text(KAFKA)

    assert caught.value.problems == (
        "TOUCHPOINTS_KAFKA__REPLICATION: expected a whole number; found 'three'",
    )


def test_an_environment_that_is_not_json_is_told_by_its_name(monkeypatch):
    monkeypatch.setenv("TOUCHPOINTS_PIPELINE", "{")

    with pytest.raises(SettingsInvalid, match=r"the environment: .*pipeline"):
        load(None)


def test_a_mistake_on_the_command_line_is_told_by_its_option(load_text):
    with pytest.raises(SettingsInvalid) as caught:
        load_text(KAFKA, "kafka-3")

    assert caught.value.problems == (
        '--bootstrap-servers: expected HOST:PORT such as "kafka-1:9092"; found "kafka-3"',
    )


def test_a_secret_is_not_shown_by_an_error(load_text):
    with pytest.raises(SettingsInvalid, match="found a secret") as caught:
        load_text(KAFKA.replace("[pipeline]", "sasl_password = 1234567\n[pipeline]"))

    assert "1234567" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsInvalid, match=r"none\.toml: expected a settings file; found none"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("table", "model"),
    [("kafka", Brokers), ("pipeline", WorkerSettings), ("console", ConsoleSettings)],
)
def test_the_reference_file_has_every_setting_with_its_default(table, model):
    written = tomllib.loads(REFERENCE.read_text())[table]
    loaded = getattr(load(REFERENCE), table)
    commented = re.findall(r"^# (\w+) = ", REFERENCE.read_text(), re.MULTILINE)

    assert written.keys() <= model.model_fields.keys()
    for name, field in model.model_fields.items():
        if field.default is None:  # TOML has no word for nothing
            assert name in commented
        elif field.is_required():
            assert name in written
        else:
            assert name in written
            assert getattr(loaded, name) == field.default


@pytest.mark.parametrize("model", [Brokers, WorkerSettings])
def test_the_document_names_every_setting_of_kafka(model):
    text = (ROOT / "docs" / "kafka.md").read_text()

    assert [name for name in model.model_fields if f"`{name}`" not in text] == []
