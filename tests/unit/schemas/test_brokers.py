"""Where Kafka is: what is taken, what is refused, and what each client is told."""

import re

import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer
from pydantic import ValidationError

from schemas.brokers import Brokers

SCRAM = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-512",
    "sasl_username": "touchpoints",
    "sasl_password": "a secret of ours",
}
MUTUAL = {
    "security_protocol": "SSL",
    "ssl_ca_file": "ca.pem",
    "ssl_certificate_file": "us.pem",
    "ssl_key_file": "us.key",
    "ssl_key_password": "another secret",
}


def brokers(**settings):
    return Brokers(**{"bootstrap_servers": "kafka-1:9092"} | settings)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("localhost:9092", "localhost:9092"),
        ("kafka-1:9092, kafka-2:9092", "kafka-1:9092,kafka-2:9092"),
        ("10.0.0.7:65535", "10.0.0.7:65535"),
        ("[::1]:9092", "[::1]:9092"),
    ],
)
def test_addresses_are_taken_one_or_several(given, taken):
    assert brokers(bootstrap_servers=given).bootstrap_servers == taken


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("localhost", "localhost"),
        ("", ""),
        ("kafka-1:9092,", ""),
        ("kafka-1:9092,kafka-2", "kafka-2"),
        ("kafka-1:0", "kafka-1:0"),
        ("kafka-1:65536", "kafka-1:65536"),
        ("https://kafka-1:9092", "https://kafka-1:9092"),
        ("::1:9092", "::1:9092"),
    ],
)
def test_what_is_no_address_is_named(given, found):
    with pytest.raises(ValidationError, match=re.escape(f'found "{found}"')):
        brokers(bootstrap_servers=given)


@pytest.mark.parametrize("missing", ["sasl_mechanism", "sasl_username", "sasl_password"])
@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_sasl_needs_a_mechanism_a_name_and_a_password(protocol, missing):
    settings = SCRAM | {"security_protocol": protocol}
    assert brokers(**settings).sasl_username == "touchpoints"

    del settings[missing]

    with pytest.raises(ValidationError, match="TOUCHPOINTS_KAFKA__SASL_PASSWORD"):
        brokers(**settings)


@pytest.mark.parametrize("missing", ["ssl_certificate_file", "ssl_key_file"])
def test_a_certificate_comes_with_its_key(missing):
    settings = {name: value for name, value in MUTUAL.items() if name != missing}

    with pytest.raises(ValidationError, match="ssl_certificate_file and ssl_key_file together"):
        brokers(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"security_protocol": "TLS"},
        {"sasl_mechanism": "GSSAPI"},
        {"application": "Touch Points"},
        {"application": ""},
        {"replication": 0},
        {"partitions": 0},
        {"bootstrap_server": "kafka-1:9092"},
    ],
)
def test_no_other_word_is_taken(settings):
    with pytest.raises(ValidationError):
        brokers(**settings)


def test_secrets_are_masked_when_printed():
    printed = repr(brokers(**SCRAM)) + str(brokers(**MUTUAL))

    assert "secret" not in printed.replace("SecretStr", "")
    assert "touchpoints" in printed


def test_an_error_does_not_quote_a_password():
    with pytest.raises(ValidationError) as caught:
        brokers(**SCRAM | {"sasl_username": None})

    assert "a secret of ours" not in str(caught.value)


def test_librdkafka_is_told_in_its_own_words():
    assert brokers(**SCRAM).librdkafka() == {
        "bootstrap.servers": "kafka-1:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "touchpoints",
        "sasl.password": "a secret of ours",
    }
    assert brokers(**MUTUAL).librdkafka() == {
        "bootstrap.servers": "kafka-1:9092",
        "security.protocol": "SSL",
        "ssl.ca.location": "ca.pem",
        "ssl.certificate.location": "us.pem",
        "ssl.key.location": "us.key",
        "ssl.key.password": "another secret",
    }


def test_kafka_python_is_told_in_its_own_words():
    several = "kafka-1:9092,kafka-2:9092"
    assert brokers(bootstrap_servers=several, **SCRAM).kafka_python() == {
        "bootstrap_servers": ["kafka-1:9092", "kafka-2:9092"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "touchpoints",
        "sasl_plain_password": "a secret of ours",
    }
    assert brokers(**MUTUAL).kafka_python() == {
        "bootstrap_servers": ["kafka-1:9092"],
        "security_protocol": "SSL",
        "ssl_cafile": "ca.pem",
        "ssl_certfile": "us.pem",
        "ssl_keyfile": "us.key",
        "ssl_password": "another secret",
    }


def test_each_client_knows_every_word_it_is_told():
    told = brokers(**SCRAM)

    Producer(told.librdkafka())  # refuses what it does not know; needs no answer from anybody

    assert told.kafka_python().keys() <= KafkaConsumer.DEFAULT_CONFIG.keys()
    assert brokers(**MUTUAL).kafka_python().keys() <= KafkaConsumer.DEFAULT_CONFIG.keys()
