"""Where Kafka is and how to log in to it: one value, in the words of each client that needs it.

Read from the table `[kafka]` of a settings file, or from the environment
(`TOUCHPOINTS_KAFKA__SASL_PASSWORD`), so that listeners, workers and the topics' administration say
the same thing to the same brokers. No client is imported here.
"""

import re
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._\-]+):(\d{1,5})")


class Brokers(BaseModel):
    """The brokers, and how to speak to them.

    Attributes:
        bootstrap_servers: `HOST:PORT`, several with commas: any of them tells of all others.
        security_protocol: Kafka's own word; `SASL_SSL` for anything beyond one's own machine.
        sasl_mechanism: How name and password are proved, with a SASL protocol.
        sasl_username, sasl_password: The account that the ACLs name.
        ssl_ca_file: PEM of whoever signed the brokers' certificates; the system's without one.
        ssl_certificate_file, ssl_key_file, ssl_key_password: A client certificate (mutual TLS).
        application: Begins the names of consumer groups, transactional ids and changelogs, so that
            two installations can share a cluster.
        partitions: How many `touchpoints topics create` gives each topic; None is the catalogue's
            number. Chosen once: another number moves keys to other partitions.
        replication: Copies of each topic that `touchpoints topics create` asks for; None leaves it
            to the brokers' own default.
    """

    # An error that quoted what it was given would quote the password.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bootstrap_servers: str
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_file: Path | None = None
    ssl_certificate_file: Path | None = None
    ssl_key_file: Path | None = None
    ssl_key_password: SecretStr | None = None
    application: str = Field(default="touchpoints", pattern=r"^[a-z0-9][a-z0-9\-]{0,62}$")
    partitions: int | None = Field(default=None, ge=1)
    replication: int | None = Field(default=None, ge=1, le=32_767)

    @field_validator("bootstrap_servers")
    @classmethod
    def _addresses(cls, value: str) -> str:
        servers = [one.strip() for one in value.split(",")]
        for one in servers:
            match = _ADDRESS.fullmatch(one)
            if match is None or not 0 < int(match[2]) <= 65_535:
                message = f'expected HOST:PORT such as "kafka-1:9092"; found "{one}"'
                raise ValueError(message)
        return ",".join(servers)

    @model_validator(mode="after")
    def _agree(self) -> "Brokers":
        named = (self.sasl_mechanism, self.sasl_username, self.sasl_password)
        if self.security_protocol.startswith("SASL") and None in named:
            message = (
                f"expected sasl_mechanism, sasl_username and sasl_password with "
                f"{self.security_protocol} (the password better in "
                f"TOUCHPOINTS_KAFKA__SASL_PASSWORD)"
            )
            raise ValueError(message)
        if (self.ssl_certificate_file is None) != (self.ssl_key_file is None):
            message = "expected ssl_certificate_file and ssl_key_file together"
            raise ValueError(message)
        return self

    def librdkafka(self) -> dict[str, Any]:
        """The settings of confluent-kafka's clients that reach these brokers."""
        return _given(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "security.protocol": self.security_protocol,
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.sasl_username,
                "sasl.password": _told(self.sasl_password),
                "ssl.ca.location": _path(self.ssl_ca_file),
                "ssl.certificate.location": _path(self.ssl_certificate_file),
                "ssl.key.location": _path(self.ssl_key_file),
                "ssl.key.password": _told(self.ssl_key_password),
            }
        )

    def kafka_python(self) -> dict[str, Any]:
        """The keyword arguments of kafka-python's clients that reach these brokers."""
        return _given(
            {
                "bootstrap_servers": self.bootstrap_servers.split(","),
                "security_protocol": self.security_protocol,
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": _told(self.sasl_password),
                "ssl_cafile": _path(self.ssl_ca_file),
                "ssl_certfile": _path(self.ssl_certificate_file),
                "ssl_keyfile": _path(self.ssl_key_file),
                "ssl_password": _told(self.ssl_key_password),
            }
        )


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _told(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)
