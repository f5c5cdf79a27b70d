"""The command line: help, versions, exit codes, and messages instead of tracebacks."""

import argparse
import json
import subprocess
import sys

import pytest

from listeners.errors import SettingsInvalid
from pipeline import errors
from pipeline.cli import main as command_line
from pipeline.cli.options import Misuse
from pipeline.errors import PipelineError
from schemas.errors import ContractViolation
from schemas.topics import TOPICS


def touchpoints(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def failing(monkeypatch):
    """Make the command `topics` end with an error; any error."""

    def fail_with(error):
        def add(subparsers):
            def run(arguments: argparse.Namespace) -> int:
                raise error

            subparsers.add_parser("topics").set_defaults(run=run)

        monkeypatch.setattr("pipeline.cli.topics.add", add)

    return fail_with


def test_the_version_is_printed():
    said = touchpoints("--version")

    assert said.returncode == 0
    assert said.stdout.startswith("touchpoints 0.")


def test_help_lists_every_command_and_shows_an_example():
    said = touchpoints("--help")

    assert said.returncode == 0
    assert all(f"    {name} " in said.stdout for name in command_line.COMMANDS)
    assert "example:\n  touchpoints up" in said.stdout


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("replya",), ("found 'replya'", 'Did you mean "replay"?')),
        (("--data", "x", "up"), ("found 'x'", "Options stand behind the command.")),
        (("tail", "verdicts", "--dta", "x"), ("usage: touchpoints tail", "found --dta x")),
        (("topics", "show", "verdicts"), ("usage: touchpoints topics", "found verdicts")),
    ],
)
def test_a_word_that_is_none_of_ours_is_named_with_what_there_is(given, words):
    said = touchpoints(*given)

    assert [word for word in words if word not in said.stderr] == [], said.stderr
    assert (said.returncode, said.stdout) == (2, "")


def test_help_loads_nothing_that_is_slow():
    code = (
        "import sys, pipeline.cli.main as m\n"
        "try: m.main(['--help'])\n"
        "except SystemExit: pass\n"
        "slow = {'aiohttp', 'pydantic', 'sqlite3', 'asyncio', 'prometheus_client', 'kafka'}\n"
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert said.stderr == ""


@pytest.mark.parametrize("arguments", [[], ["fax"], ["topics"], ["tail", "sesions"]])
def test_misuse_is_exit_code_2_and_says_so_on_stderr(arguments):
    said = touchpoints(*arguments)

    assert said.returncode == 2
    assert said.stdout == ""
    assert "error:" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PipelineError("the disk is full"), 1),
        (SettingsInvalid(["the disk is full"]), 1),
        (ContractViolation(where="$", expected="the disk is full", found="x"), 1),
        (OSError("the disk is full"), 1),
        (Misuse("the disk is full"), 2),
        (errors.SettingsInvalid(["the disk is full"]), 2),
    ],
)
def test_what_goes_wrong_on_purpose_is_a_message_and_an_exit_code(error, code, failing, capsys):
    failing(error)

    given = command_line.main(["topics"])

    said = capsys.readouterr()
    assert given == code
    assert said.err.startswith("touchpoints: ")
    assert "the disk is full" in said.err
    assert said.out == ""


def test_the_traceback_is_shown_to_whoever_asks_for_it(failing, monkeypatch):
    monkeypatch.setenv("TOUCHPOINTS_DEBUG", "1")
    failing(PipelineError("the disk is full"))

    with pytest.raises(PipelineError):
        command_line.main(["topics"])


def test_a_programming_error_is_not_hidden(failing):
    failing(KeyError("ours"))

    with pytest.raises(KeyError):
        command_line.main(["topics"])


def test_an_interruption_is_exit_code_130_without_a_word(failing, capsys):
    failing(KeyboardInterrupt())

    assert command_line.main(["topics"]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_who_leaves_early_is_no_error():
    code = (
        "import sys\n"
        "from pipeline.cli.main import main\n"
        "sys.stdin.read()\n"  # until the reading end is closed
        "sys.exit(main(['topics', 'show']))"
    )
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE

    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        process.stdout.close()
        process.stdin.close()
        complaint = process.stderr.read()

    assert complaint == b""
    assert process.returncode == 141


def test_topics_show_names_every_topic_with_its_record(capsys):
    assert command_line.main(["topics", "show"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(TOPICS)


def test_topics_show_as_json_can_be_read_by_a_program(capsys):
    assert command_line.main(["topics", "show", "--json"]) == 0

    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == list(TOPICS)
    assert shown["sessions"] == {
        "name": "sessions",
        "key": "session id",
        "record": "Session",
        "cleanup": "compact,delete",
        "retention": "90d",
        "partitions": 8,
    }


def test_topics_check_has_nothing_to_say_against_the_embedded_log(capsys):
    assert command_line.main(["topics", "check"]) == 0
    assert capsys.readouterr().out.startswith("fine: ")


@pytest.mark.parametrize("command", ["work", "listen"])
def test_only_metrics_and_health_may_be_opened_to_others(command, capsys):
    with pytest.raises(SystemExit):
        command_line.main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())

    assert "--console-host HOST" in said
    assert "only metrics and health are there" in said


def test_the_console_of_up_stays_on_loopback(capsys):
    with pytest.raises(SystemExit) as ended:
        command_line.main(["up", "--console-host", "0.0.0.0"])

    assert ended.value.code == 2
