"""Kafka with TLS, accounts and ACLs: the rights that docs/deploying.md gives, and no more."""

import json
import time

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from schemas.topics import DEAD_LETTERS, SESSIONS, TOPICS, TOUCHPOINTS, VERDICTS
from tests.brokers.broker import Missing
from tests.brokers.secured import Right, SecuredKafka
from tests.deploy.acls import acls
from tests.integration.serving import SEEDS, Listen, Work, eventually, fetch, touchpoints
from tests.integration.test_console import Alone

pytestmark = pytest.mark.integration

PASSWORD = "TOUCHPOINTS_KAFKA__SASL_PASSWORD"
NAMES = ("operator", "listener", "worker", "reader", "privacy", "console")
OPERATOR, LISTENER, WORKER, READER, PRIVACY, CONSOLE = (f"touchpoints-{name}" for name in NAMES)
NOBODY = "nobody"
ACCOUNTS = {
    name: f"{name}-secret"
    for name in (OPERATOR, LISTENER, WORKER, READER, PRIVACY, CONSOLE, NOBODY)
}
WITHIN = 60.0
"""Seconds within which records have to be there; generous, since machines may be busy."""


@pytest.fixture(scope="module")
def secured():
    """A broker with the document's ACLs, and the topics, made by the operator's account."""
    try:
        broker = SecuredKafka(ACCOUNTS)
        broker.start()
    except Missing as error:
        pytest.skip(f"no broker: {error}")
    try:
        broker.allow(*acls())
        yield broker
    finally:
        broker.close()


@pytest.fixture
def settings(tmp_path, secured):
    """Write the settings of an account; the password goes into the environment."""

    def written(user, **changed):
        brokers = secured.known_as(user, **changed)
        lines = ["[kafka]", "partitions = 2"]
        for name, value in brokers.model_dump(mode="json", exclude_none=True).items():
            if name not in ("sasl_password", "partitions"):
                lines.append(f"{name} = {json.dumps(value)}")
        path = tmp_path / f"{user}.toml"
        path.write_text("\n".join([*lines, "[pipeline]", 'session_timeout = "10s"', ""]))
        return path, {PASSWORD: brokers.sasl_password.get_secret_value()}

    return written


@pytest.fixture
def created(settings):
    path, variables = settings(OPERATOR)
    return touchpoints("topics", "create", "--settings", path, variables=variables)


def read(brokers, topic, group, count):
    """The values of the first records of a topic.

    Raises:
        KafkaException: It may not be read.
    """
    consumer = Consumer(
        {
            **brokers.librdkafka(),
            "group.id": group,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    found = []
    deadline = time.monotonic() + WITHIN
    try:
        while len(found) < count:
            assert time.monotonic() < deadline, f"expected {count} of {topic}; found {len(found)}"
            record = consumer.poll(0.5)
            if record is not None and record.error() is not None:
                if record.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue
                raise KafkaException(record.error())
            if record is not None:
                found.append(json.loads(record.value()))
    finally:
        consumer.close()
    return found


def write(brokers, topic):
    """What comes of writing one record: None, or the error."""
    errors = []
    producer = Producer({**brokers.librdkafka(), "log_level": 0})
    producer.produce(topic, b"{}", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(WITHIN) == 0
    return errors[0]


def refused(brokers, topic, group):
    with pytest.raises(KafkaException) as error:
        read(brokers, topic, group, 1)
    return error.value.args[0].code()


def test_topics_listener_worker_and_reader_do_with_the_documents_acls(
    tmp_path, secured, settings, created
):
    story = (SEEDS / "journeys" / "app-payment-fails-then-customer-rings.jsonl").read_text()
    items = [json.loads(line) for line in story.splitlines()]
    listener, listener_secret = settings(LISTENER)
    worker, worker_secret = settings(WORKER)
    listen = Listen(
        tmp_path / "data",
        secured.known_as(LISTENER).bootstrap_servers,
        arguments=["--settings", listener],
    )
    listen.variables = listener_secret
    work = Work(worker)
    work.variables = worker_secret

    with listen, work:
        answers = [listen.post(item).status for item in items]
        spooled = listen.metric("spooled_total")
        eventually(lambda: fetch(f"{work.operations}/readyz").status == 200)
        verdicts = read(secured.known_as(READER), VERDICTS, f"{READER}-1", len(items))
        sessions = read(secured.known_as(READER), SESSIONS, f"{READER}-1", 1)
        running = work.process.poll()
    checked = touchpoints(
        "topics", "check", "--settings", settings(OPERATOR)[0], variables=settings(OPERATOR)[1]
    )

    assert created.returncode == 0, created.stderr
    assert answers == [200] * len(items)
    assert spooled == 0
    assert {one["id"] for one in verdicts} <= {one["id"] for one in items}
    assert sessions[0]["channel"] in {item["channel"] for item in items}
    assert running is None
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout


def test_who_looks_and_who_erases_do_with_theirs(tmp_path, secured, settings, created):
    listener, listener_secret = settings(LISTENER)
    worker, worker_secret = settings(WORKER)
    privacy, privacy_secret = settings(PRIVACY)
    console, console_secret = settings(CONSOLE)
    listen = Listen(
        tmp_path / "data",
        secured.known_as(LISTENER).bootstrap_servers,
        arguments=["--settings", listener],
    )
    listen.variables = listener_secret
    work = Work(worker)
    work.variables = worker_secret
    looking = Alone("--settings", console, "--data", tmp_path / "console")
    looking.variables = console_secret
    given = {"channel": "app", "name": "pay-in-app", "identifiers": {"user_id": "user-ann"}}

    def asked(*arguments):
        return touchpoints(*arguments, "--settings", privacy, variables=privacy_secret)

    with listen, work, looking:
        assert listen.post(given).status == 200
        shown = f"{looking.operations}/touchpoints"
        eventually(lambda: b"Paying my bill in the app" in fetch(shown).body, 2 * WITHIN)
        known = asked("who", "user_id:user-ann", "--json")
        erased = asked("erase", "user_id:user-ann", "--timeout", WITHIN)
        (tmp_path / "receipt.json").write_text(erased.stdout)
        verified = asked("erase", "--verify", tmp_path / "receipt.json")
    unheard = asked("erase", "user_id:user-ann", "--timeout", "600")

    assert created.returncode == 0, created.stderr
    assert known.returncode == 0, known.stderr
    assert erased.returncode == 0, erased.stderr
    assert verified.returncode == 0, verified.stderr + verified.stdout
    assert "found no worker in the group touchpoints" in unheard.stderr


def test_nobody_may_do_more(secured, created):
    denied = KafkaError.TOPIC_AUTHORIZATION_FAILED
    listener, worker = secured.known_as(LISTENER), secured.known_as(WORKER)
    reader = secured.known_as(READER)

    assert created.returncode == 0, created.stderr
    assert write(listener, TOUCHPOINTS) is None
    assert write(worker, DEAD_LETTERS) is None
    assert [write(*one).code() for one in ((listener, SESSIONS), (worker, TOUCHPOINTS))] == [
        denied
    ] * 2
    assert write(reader, SESSIONS).code() == denied
    assert refused(worker, SESSIONS, "touchpoints-x") == denied
    assert refused(reader, TOUCHPOINTS, f"{READER}-2") == denied
    assert refused(reader, DEAD_LETTERS, f"{READER}-2") == denied
    assert refused(reader, SESSIONS, "touchpoints") == KafkaError.GROUP_AUTHORIZATION_FAILED
    assert refused(listener, TOUCHPOINTS, "x") in (denied, KafkaError.GROUP_AUTHORIZATION_FAILED)


def test_a_reader_tails_results_and_is_told_what_it_may_not_read(secured, settings, created):
    path, variables = settings(READER)
    tail = ["--settings", path, "--from-start", "--timeout", "0"]

    results = touchpoints("tail", VERDICTS, *tail, variables=variables)
    sent = touchpoints("tail", TOUCHPOINTS, *tail, variables=variables)

    assert created.returncode == 0, created.stderr
    assert results.returncode == 0, results.stderr
    assert (sent.returncode, sent.stdout) == (1, "")
    assert "no right to read it" in sent.stderr
    assert "Traceback" not in sent.stderr


def test_plain_works_as_well_and_so_does_a_client_certificate(tmp_path, secured, settings):
    path, variables = settings(OPERATOR, sasl_mechanism="PLAIN")
    plain = touchpoints("topics", "show", "--settings", path, variables=variables)
    certified = secured.certified_as(OPERATOR)
    principal = f"User:CN={OPERATOR}"
    secured.allow(*(Right(principal, one, "topic", "*") for one in ("Describe", "DescribeConfigs")))
    shown = tmp_path / "certified.toml"
    shown.write_text(
        "[kafka]\n"
        f'bootstrap_servers = "{certified.bootstrap_servers}"\nsecurity_protocol = "SSL"\n'
        f'ssl_ca_file = "{certified.ssl_ca_file}"\nssl_key_file = "{certified.ssl_key_file}"\n'
        f'ssl_certificate_file = "{certified.ssl_certificate_file}"\n'
    )
    mutual = touchpoints("topics", "show", "--settings", shown)
    lines = [one for one in shown.read_text().splitlines() if "_key_" not in one]
    shown.write_text("\n".join(one for one in lines if "certificate" not in one))
    bare = touchpoints("topics", "show", "--settings", shown)

    assert (plain.returncode, mutual.returncode) == (0, 0), plain.stderr + mutual.stderr
    assert all(name in plain.stdout for name in TOPICS)
    assert bare.returncode == 1
    assert bare.stderr.startswith("touchpoints: ")
    assert "SSL" in bare.stderr


WRONG = {
    "a wrong password": ({"sasl_password": "guessed"}, "SASL authentication error"),
    "another authority": ({"ssl_ca_file": "stranger"}, "certificate verify failed"),
    "another name": ({"bootstrap_servers": "localhost"}, "certificate verify failed"),
}


@pytest.mark.parametrize("command", ["topics", "listen", "work"])
@pytest.mark.parametrize(("changed", "found"), WRONG.values(), ids=list(WRONG))
def test_who_is_not_let_in_is_told_why_in_one_message(
    tmp_path, secured, settings, command, changed, found
):
    changed = dict(changed)
    if "ssl_ca_file" in changed:
        changed["ssl_ca_file"] = secured.stranger.file
    if "bootstrap_servers" in changed:
        _, port = secured.known_as(NOBODY).bootstrap_servers.split(":")
        changed["bootstrap_servers"] = f"localhost:{port}"
    path, variables = settings(NOBODY, **changed)
    options = {
        "topics": ["topics", "create"],
        "listen": ["listen", "--data", tmp_path / "data", "--port", "0", "--console-port", "0"],
        "work": ["work"],
    }

    said = touchpoints(*options[command], "--settings", path, variables=variables)

    told = [line for line in said.stderr.splitlines() if line.startswith("touchpoints: ")]
    assert said.returncode == 1, said.stderr
    assert len(told) == 1
    assert found in told[0]
    assert "Traceback" not in said.stderr
    assert "guessed" not in said.stdout + said.stderr


@pytest.mark.parametrize(
    ("command", "found"), [("listen", "Write and Describe"), ("work", "Describe")]
)
def test_an_account_without_acls_is_told_which_rights_it_lacks(
    tmp_path, settings, created, command, found
):
    path, variables = settings(NOBODY)
    own = ["--data", tmp_path / "data", "--port", "0"] if command == "listen" else []

    said = touchpoints(command, *own, "--settings", path, variables=variables)

    assert created.returncode == 0, created.stderr
    assert said.returncode == 1
    assert found in said.stderr.splitlines()[-1]
    assert "Traceback" not in said.stderr, said.stderr
