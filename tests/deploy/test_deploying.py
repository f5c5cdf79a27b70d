"""What docs/deploying.md says can be done as it stands."""

import re

from listeners.settings import ListenerSettings
from pipeline.settings import PipelineSettings, load
from tests.deploy.acls import DOCUMENT

TEXT = DOCUMENT.read_text()


def test_its_settings_for_tls_and_an_account_load(tmp_path, monkeypatch):
    (block,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "settings.toml").write_text(block)
    monkeypatch.setenv("TOUCHPOINTS_KAFKA__SASL_PASSWORD", "hidden")

    brokers = load(tmp_path / "settings.toml").kafka

    assert brokers.security_protocol == "SASL_SSL"
    assert brokers.sasl_password.get_secret_value() == "hidden"


def test_every_variable_that_it_names_is_a_setting():
    for name in re.findall(r"`TOUCHPOINTS_([A-Z_]+)`", TEXT):
        table, _, field = name.lower().partition("__")
        settings = PipelineSettings.model_fields | ListenerSettings.model_fields
        assert table in settings, name
        if field:
            kafka = settings[table].annotation.__args__[0]
            assert field in kafka.model_fields, name
