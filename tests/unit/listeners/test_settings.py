import re
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from listeners.credentials import hashed
from listeners.errors import SettingsInvalid
from listeners.settings import ListenerSettings, check_address, load

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "deploy" / "config"

MINIMAL = f"""
identifier_hash_key = "a key of some length"
[[sources]]
name = "shop"
keys = ["{hashed("shop-key")}"]
"""


def file_of(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def test_a_file_names_sources_and_limits(tmp_path):
    path = file_of(tmp_path, 'body_deadline = "2s"\nbody_bytes_max = 1000\n' + MINIMAL)

    settings = load(path)

    assert settings.sources[0].name == "shop"
    assert (settings.body_deadline, settings.body_bytes_max) == (timedelta(seconds=2), 1000)
    assert not settings.open


def test_the_environment_wins_over_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TOUCHPOINTS_BODY_BYTES_MAX", "7")
    path = file_of(tmp_path, "body_bytes_max = 1000\n")

    assert load(path).body_bytes_max == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("body_bytes_maximum = 1", "body_bytes_maximum"),
        ("body_bytes_max = 0", "body_bytes_max"),
        ('keep_alive = "soon"', "keep_alive"),
        ("[[sources]", "TOML"),
        (MINIMAL.replace("sha256:", ""), "sha256sum"),
        (MINIMAL + MINIMAL.partition("\n[[")[2].join(["[[", ""]), "only once"),
        (MINIMAL.replace("a key of some length", "short"), "identifier_hash_key"),
        (MINIMAL.partition("\n[[")[2].join(["[[", ""]), "identifier_hash_key"),
        (MINIMAL + 'origins = ["*"]', "origins"),
        (MINIMAL + 'channel = "fax"', "channel"),
        (MINIMAL + 'anonymous_ids = "("', "regular expression"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_starts(tmp_path, text, said):
    with pytest.raises(SettingsInvalid, match=re.escape(said)) as caught:
        load(file_of(tmp_path, text))

    assert all(one.startswith(str(tmp_path)) for one in caught.value.problems)


def test_a_secret_is_not_shown_by_an_error_nor_by_the_settings(tmp_path):
    settings = load(file_of(tmp_path, MINIMAL))

    assert "a key of some length" not in repr(settings)
    with pytest.raises(SettingsInvalid) as caught:
        load(file_of(tmp_path, MINIMAL.replace(hashed("shop-key"), "plain-secret")))
    assert "plain-secret" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsInvalid, match=r"none\.toml"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_without_sources_loopback_is_taken_and_it_is_said(host):
    assert "any write key" in (check_address(ListenerSettings(), host) or "")


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "", "localhost.evil"]
)
def test_without_sources_no_other_address_is_taken(host):
    with pytest.raises(SettingsInvalid, match="loopback"):
        check_address(ListenerSettings(), host)


def test_with_sources_any_address_is_taken_in_silence(tmp_path):
    assert check_address(load(file_of(tmp_path, MINIMAL)), "0.0.0.0") is None


def test_the_minimal_file_is_enough(monkeypatch):
    monkeypatch.setenv("TOUCHPOINTS_IDENTIFIER_HASH_KEY", "from the environment")

    assert not load(CONFIG / "minimal.toml").open


OF_THE_PIPELINE = ("kafka", "pipeline", "console")


def test_the_reference_file_has_every_setting_with_its_default():
    written = tomllib.loads((CONFIG / "reference.toml").read_text())
    reference = load(CONFIG / "reference.toml")
    fields = {
        name: field.get_default(call_default_factory=True)
        for name, field in ListenerSettings.model_fields.items()
        if name
        not in ("sources", "identifier_hash_key", "public_url", "kafka", "pipeline", "console")
    }  # the pipeline's tables: tests/unit/test_pipeline_settings.py

    assert fields.keys() <= written.keys()
    assert {name: getattr(reference, name) for name in fields} == fields


def test_the_document_names_every_setting():
    text = (ROOT / "docs" / "listeners.md").read_text()

    assert [name for name in ListenerSettings.model_fields if f"`{name}`" not in text] == []
