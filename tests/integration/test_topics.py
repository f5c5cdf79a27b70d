"""`touchpoints topics` against Kafka, and what is said when it cannot."""

import json
import shutil
import socket
import subprocess

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from pipeline.runtimes.errors import TopicsUnfit
from pipeline.runtimes.kafka import administering
from pipeline.runtimes.kafka.topics import planned
from schemas.topics import DEAD_LETTERS, LINKS, TOUCHPOINTS, VERDICTS
from tests.brokers.apache_kafka import ApacheKafka, Listener
from tests.brokers.broker import Missing, free_port
from tests.brokers.topics import delete, empty, fresh
from tests.integration.serving import touchpoints

pytestmark = pytest.mark.integration

NO_SETTINGS = "its DescribeConfigs is empty"


def topics(action, broker, *arguments):
    return touchpoints(
        "topics", action, "--bootstrap-servers", broker.bootstrap_servers, *arguments
    )


def make(broker, name, partitions, **settings):
    admin = KafkaAdminClient(**broker.brokers.kafka_python())
    configs = {key.replace("_", "."): value for key, value in settings.items()}
    shape = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
    admin.create_topics({name: shape}, wait_for_metadata=True)
    admin.close()


def settings_of(broker, name):
    admin = KafkaAdminClient(**broker.brokers.kafka_python())
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    told = admin.describe_configs([resource], config_filter="all")["topic"][name]
    admin.close()
    return {key: entry["value"] for key, entry in told.items()}


def test_create_makes_every_topic_and_says_which(kafka):
    empty(kafka)

    said = topics("create", kafka, "--partitions", 3)

    names = list(planned(kafka.brokers))
    assert said.returncode == 0, said.stderr
    assert [line.split(":")[0] for line in said.stdout.splitlines()[:-1]] == [
        f"made {name}" for name in names
    ]
    found = administering.existing(kafka.brokers)
    assert {name: one.partitions for name, one in found.items()} == dict.fromkeys(names, 3)


def test_what_was_made_is_as_it_should_be(kafka):
    kafka.skip_on("tansu", because=NO_SETTINGS)
    brokers = fresh(kafka, partitions=3)

    assert administering.check(brokers) == []
    administering.verify(brokers)
    assert settings_of(kafka, LINKS)["cleanup.policy"] == "compact"
    assert settings_of(kafka, VERDICTS)["retention.ms"] == "604800000"


def test_create_again_makes_nothing_and_leaves_what_is_there(kafka):
    kafka.skip_on("tansu", because=NO_SETTINGS)
    empty(kafka)
    make(kafka, VERDICTS, 5, retention_ms="1000")
    assert topics("create", kafka).returncode == 0

    said = topics("create", kafka)

    count = len(planned(kafka.brokers))
    assert said.stdout == f"0 topics made, {count} were there already and are as they were\n"
    assert settings_of(kafka, VERDICTS)["retention.ms"] == "1000"
    assert administering.existing(kafka.brokers)[VERDICTS].partitions == 5


def test_what_is_made_later_is_cut_as_what_is_there(kafka):
    empty(kafka)
    make(kafka, TOUCHPOINTS, 3)

    assert topics("create", kafka).returncode == 0

    found = administering.existing(kafka.brokers)
    assert (found[LINKS].partitions, found[VERDICTS].partitions) == (3, 8)
    administering.verify(kafka.brokers)


def test_check_says_topic_by_topic_what_differs(kafka):
    kafka.skip_on("tansu", because=NO_SETTINGS)
    empty(kafka)
    make(kafka, LINKS, 4, cleanup_policy="delete")
    make(kafka, VERDICTS, 8, retention_ms="3600000")
    make(kafka, TOUCHPOINTS, 8, max_message_bytes="2097152")

    said = topics("check", kafka)

    assert said.returncode == 1
    assert said.stderr == ""
    lines = said.stdout.splitlines()
    assert [line for line in lines if line.startswith(f"{TOUCHPOINTS}:")] == []
    assert "sessions: expected a topic of 8 partitions; found none" in lines
    assert "links: cleanup.policy: expected compact; found delete" in lines
    assert "verdicts: retention.ms: expected 604800000 (7d); found 3600000 (1h)" in lines
    assert any(line.startswith("links: partitions: expected 8, as touchpoints") for line in lines)


def test_check_of_what_was_made_is_fine_when_it_knows_the_number(kafka, tmp_path):
    kafka.skip_on("tansu", because=NO_SETTINGS)
    empty(kafka)
    topics("create", kafka, "--partitions", 3)
    (tmp_path / "settings.toml").write_text(
        f'[kafka]\nbootstrap_servers = "{kafka.bootstrap_servers}"\npartitions = 3\n'
    )

    said = touchpoints("topics", "check", "--settings", tmp_path / "settings.toml")
    without = topics("check", kafka)

    assert (said.returncode, said.stdout[:5]) == (0, "fine:")
    assert without.returncode == 1
    assert "chosen once" in without.stdout


def test_show_tells_what_is_there_and_what_is_not(kafka):
    empty(kafka)
    make(kafka, VERDICTS, 5)

    said = topics("show", kafka)
    shown = json.loads(topics("show", kafka, "--json").stdout)

    assert said.returncode == 0
    assert list(shown) == list(planned(kafka.brokers))
    assert (shown[VERDICTS]["partitions"], shown[VERDICTS]["copies"]) == (5, 1)
    assert {one["partitions"] for name, one in shown.items() if name != VERDICTS} == {None}


@pytest.mark.parametrize("missing", [LINKS, DEAD_LETTERS, "changelog"])
def test_a_worker_is_stopped_by_a_missing_topic(kafka, missing):
    brokers = fresh(kafka)
    name = f"{brokers.application}-stitch-changelog" if missing == "changelog" else missing
    delete(kafka, lambda one: one == name)

    with pytest.raises(TopicsUnfit) as caught:
        administering.verify(brokers)

    assert caught.value.problems == (f"{name}: expected a topic of 2 partitions; found none",)
    assert "touchpoints topics create" in str(caught.value)


def test_more_copies_than_brokers_are_refused_with_the_reason(kafka):
    kafka.skip_on("cluster", "tansu", because="may have as many brokers, or does not mind")
    empty(kafka)

    said = topics("create", kafka, "--replication", 3)

    assert said.returncode == 1
    assert said.stdout == ""
    assert "expected to make the topic touchpoints; found: Unable to replicate" in said.stderr
    assert "--replication" in said.stderr
    assert administering.existing(kafka.brokers) == {}


def assert_one_message(said, code, *words):
    """One line on standard error, with all words, and nothing of any client's."""
    assert said.returncode == code
    assert said.stdout == ""
    (line,) = said.stderr.splitlines()
    assert [word for word in words if word not in line] == [], line


def test_an_address_where_nothing_listens_is_one_message():
    port = free_port()

    said = touchpoints("topics", "check", "--bootstrap-servers", f"127.0.0.1:{port}")

    assert_one_message(said, 1, f"127.0.0.1:{port}", "Connection refused", "--bootstrap-servers")


def test_an_address_where_something_else_listens_is_one_message():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"

        said = touchpoints("topics", "create", "--bootstrap-servers", address)

    assert_one_message(said, 1, address, "found: silence", "--bootstrap-servers")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("check", "--bootstrap-servers", "kafka"),
            ('HOST:PORT such as "kafka-1:9092"', '"kafka"'),
        ),
        (("create",), ("expected Kafka's address; found none", "[kafka]")),
        (("check", "--settings", "none.toml"), ("none.toml: expected a settings file",)),
    ],
)
def test_a_command_that_cannot_know_where_kafka_is_is_misuse(arguments, words):
    assert_one_message(touchpoints("topics", *arguments), 2, *words)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A broker with four doors: plain, with a password, with TLS, and ACLs behind them."""
    folder = tmp_path_factory.mktemp("certificates")
    login, tls = Listener("LOGIN", "SASL_PLAINTEXT", free_port()), free_port()
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    broker = ApacheKafka(
        listeners=[login, Listener("TLS", "SSL", tls)],
        properties={
            "listener.name.login.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.login.plain.sasl.jaas.config": f"{module} required "
            'user_admin="right" user_reader="right";',
            "listener.name.tls.ssl.keystore.location": str(folder / "keys.p12"),
            "listener.name.tls.ssl.keystore.password": "keystore",
            "listener.name.tls.ssl.keystore.type": "PKCS12",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS;User:admin",
        },
    )
    keytool = shutil.which("keytool")
    if keytool is None:
        pytest.skip("no broker: no keytool of a JVM to make a certificate with")
    store = ("-alias", "broker", "-keystore", str(folder / "keys.p12"), "-storepass", "keystore")
    made = ("-genkeypair", "-keyalg", "RSA", "-dname", "CN=broker", "-ext", "SAN=ip:127.0.0.1")
    for command in ((*made, *store), ("-exportcert", "-rfc", *store, "-file", folder / "ca.pem")):
        subprocess.run([keytool, *command], check=True, capture_output=True)
    try:
        with broker:
            yield Guarded(broker, login.port, tls, folder)
    except Missing as error:
        pytest.skip(f"no broker: {error}")


class Guarded:
    """Where each door is, and settings for it."""

    def __init__(self, broker, login, tls, folder):
        self.plain = broker.bootstrap_servers
        self.login = f"127.0.0.1:{login}"
        self.tls = f"127.0.0.1:{tls}"
        self.folder = folder

    def check(self, address, action="check", **settings):
        path = self.folder / "settings.toml"
        lines = [f'{name} = "{value}"\n' for name, value in settings.items()]
        path.write_text("[kafka]\n" + "".join(lines))
        return touchpoints("topics", action, "--settings", path, "--bootstrap-servers", address)


LOGIN = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_username": "admin",
    "sasl_password": "right",
}


def test_who_may_make_topics_gets_in_by_password_and_by_tls(guarded):
    created = guarded.check(guarded.login, "create", **LOGIN)
    checked = guarded.check(
        guarded.tls, security_protocol="SSL", ssl_ca_file=guarded.folder / "ca.pem"
    )

    assert (created.returncode, created.stderr) == (0, "")
    assert (checked.returncode, checked.stdout[:5]) == (0, "fine:")


def test_a_wrong_password_is_one_message_that_does_not_show_it(guarded):
    said = guarded.check(guarded.login, **LOGIN | {"sasl_password": "not-it"})

    assert_one_message(
        said, 1, "user admin", "Invalid username or password", "TOUCHPOINTS_KAFKA__SASL_PASSWORD"
    )
    assert "not-it" not in said.stderr


def test_a_mechanism_that_the_brokers_have_not_got_is_one_message(guarded):
    said = guarded.check(guarded.login, **LOGIN | {"sasl_mechanism": "SCRAM-SHA-512"})

    assert_one_message(said, 1, "SCRAM-SHA-512 of user admin", "supported mechanisms: PLAIN")


@pytest.mark.parametrize("action", ["check", "create"])
def test_no_permission_is_one_message(guarded, action):
    said = guarded.check(guarded.login, action, **LOGIN | {"sasl_username": "reader"})

    assert_one_message(said, 1, "reader to be permitted", "TopicAuthorizationFailed", "ACLs")


@pytest.mark.parametrize(
    ("door", "settings", "words"),
    [
        ("tls", {}, ("speak PLAINTEXT", "hang up", "security_protocol")),
        ("login", {}, ("speak PLAINTEXT", "hang up", "security_protocol")),
        ("plain", {"security_protocol": "SSL"}, ("speak SSL", "hang up", "security_protocol")),
        ("plain", LOGIN, ("speak SASL_PLAINTEXT", "security_protocol")),
        ("tls", {"security_protocol": "SSL"}, ("certificate verify failed", "ssl_ca_file")),
        (
            "tls",
            {"security_protocol": "SSL", "ssl_ca_file": "none.pem"},
            ("a PEM file as ssl_ca_file of [kafka]", "no file at none.pem"),
        ),
    ],
    ids=["plain at tls", "plain at login", "tls at plain", "login at plain", "stranger", "no file"],
)
def test_the_wrong_protocol_at_a_door_is_one_message(guarded, door, settings, words):
    said = guarded.check(getattr(guarded, door), **settings)

    assert_one_message(said, 1, getattr(guarded, door), *words)
