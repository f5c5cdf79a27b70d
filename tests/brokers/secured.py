"""Apache Kafka as it is in production: TLS, accounts, and nothing without an ACL.

The plain listener stays, as the door of the test's administrator, who may do all.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from schemas.brokers import Brokers
from tests.brokers.apache_kafka import ApacheKafka, Listener
from tests.brokers.broker import free_port
from tests.brokers.certificates import authority, signed

WITHIN = 30.0
"""Seconds within which a change of ACLs has to be made."""

_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required {};"


class Right(NamedTuple):
    """One ACL, in the words of Kafka's own command for them.

    Attributes:
        principal: As `User:touchpoints-worker`.
        operation: As `Write`.
        resource: topic, group or transactional-id.
        name: Of the resource; `*` for all.
        prefixed: Whether all names that begin with it are meant.
    """

    principal: str
    operation: str
    resource: str
    name: str
    prefixed: bool = False


class SecuredKafka(ApacheKafka):
    """One broker with three doors: plain, SASL_SSL, and SSL that asks for a certificate.

    Attributes:
        authority: Who signed its certificates.
        stranger: An authority that signed nothing.

    Args:
        accounts: Passwords by user, for SCRAM-SHA-512 and for PLAIN.
    """

    def __init__(self, accounts: Mapping[str, str]) -> None:
        self._login, self._mutual = free_port(), free_port()
        super().__init__(
            listeners=[
                Listener("LOGIN", "SASL_SSL", self._login),
                Listener("MUTUAL", "SSL", self._mutual),
            ],
            accounts=accounts,
        )
        self._accounts = accounts
        self.authority = authority(self.directory, "authority")
        self.stranger = authority(self.directory, "stranger")
        broker = signed(self.authority, "broker", ["IP:127.0.0.1"])
        plain = " ".join(f'user_{name}="{secret}"' for name, secret in accounts.items())
        self._properties = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",  # the plain door, and the broker's own
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(broker.together),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "listener.name.login.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            "listener.name.login.scram-sha-512.sasl.jaas.config": _SCRAM,
            "listener.name.login.plain.sasl.jaas.config": _PLAIN.format(plain),
            "listener.name.mutual.ssl.client.auth": "required",
        }

    def known_as(self, user: str, **changed: Any) -> Brokers:
        """The settings that log in as a user; `changed` are others than the right ones."""
        settings = {
            "bootstrap_servers": f"127.0.0.1:{self._login}",
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": user,
            "sasl_password": self._accounts[user],
            "ssl_ca_file": self.authority.file,
        }
        return Brokers.model_validate(settings | changed)

    def certified_as(self, name: str) -> Brokers:
        """The settings of a client that shows a certificate of its own."""
        shown = signed(self.authority, name)
        return Brokers(
            bootstrap_servers=f"127.0.0.1:{self._mutual}",
            security_protocol="SSL",
            ssl_ca_file=self.authority.file,
            ssl_certificate_file=shown.file,
            ssl_key_file=shown.key,
        )

    def allow(self, *rights: Right) -> None:
        """Add ACLs; returns once they are made."""
        bindings = [
            AclBinding(
                getattr(ResourceType, one.resource.replace("-", "_").upper()),
                one.name,
                ResourcePatternType.PREFIXED if one.prefixed else ResourcePatternType.LITERAL,
                one.principal,
                "*",
                getattr(AclOperation, _OPERATIONS[one.operation]),
                AclPermissionType.ALLOW,
            )
            for one in rights
        ]
        admin = AdminClient(self.brokers.librdkafka())
        for future in admin.create_acls(bindings).values():
            future.result(WITHIN)


_OPERATIONS = {
    "Read": "READ",
    "Write": "WRITE",
    "Create": "CREATE",
    "Describe": "DESCRIBE",
    "DescribeConfigs": "DESCRIBE_CONFIGS",
}
