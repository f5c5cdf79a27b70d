"""Documents cannot drift: what they name exists."""

import argparse
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from pipeline.cli.main import COMMANDS, parser_of
from pipeline.stitching.signals import KNOWN

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(
    path
    for package in ("listeners", "pipeline", "schemas", "tests")
    for path in (ROOT / package).rglob("*.py")
)
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```(?:sh|console|bash)\n(.*?)```|`([^`\n]+)`", re.DOTALL)
ARGUMENT = r"(?:[ \t]|\\\n)+[^\s|#;&\\]+"  # of the same line, or of the next after a backslash
TOUCHPOINTS = re.compile(rf"(?:^|[\s|(])touchpoints ([a-z]+)((?:{ARGUMENT})*)", re.MULTILINE)
MAKE = re.compile(r"(?:^|[\s(])make ([a-z]+)\b", re.MULTILINE)
NAMED = re.compile(r"\bdocs/[\w./-]+\.md\b")
TESTED = re.compile(r"`(tests/[\w/.]+)(?:::(\w+))?`")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def document(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_of(path: Path) -> str:
    """All shell blocks and inline code of a document, a piece a line."""
    return "\n".join(block or inline for block, inline in CODE.findall(path.read_text()))


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def subparsers_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    actions = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(next(actions).choices)


def parser(command: str) -> argparse.ArgumentParser:
    return subparsers_of(parser_of([command]))[command]


def help_of(parser: argparse.ArgumentParser) -> str:
    """The help of a command and of all its actions."""
    nested = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    below = [help_of(one) for actions in nested for one in actions.choices.values()]
    return "\n".join([parser.format_help(), *below])


def anchors(path: Path) -> set[str]:
    headings = (h.lower().replace("`", "") for h in HEADING.findall(path.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=document)
def test_every_make_target_that_a_document_names_exists(path):
    named = set(MAKE.findall(code_of(path)))

    assert named <= targets()


@pytest.mark.parametrize("path", DOCUMENTS, ids=document)
def test_every_command_and_option_that_a_document_names_exists(path):
    for command, rest in TOUCHPOINTS.findall(code_of(path)):
        assert command in COMMANDS, f"{document(path)}: touchpoints {command}"
        help_text = help_of(parser(command))
        for option in re.findall(r"--[a-z][a-z-]*", rest):
            assert option in help_text, f"{document(path)}: touchpoints {command} {option}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=document)
def test_every_link_of_a_document_leads_somewhere(path):
    for link in LINK.findall(path.read_text()):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{document(path)}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{document(path)}: {link}"


def test_every_document_that_the_code_names_exists():
    named = {(path, name) for path in SOURCES for name in NAMED.findall(path.read_text())}

    assert named
    assert [
        f"{document(path)}: {name}" for path, name in named if not (ROOT / name).is_file()
    ] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_module_a_summary_and_an_example(command):
    module = import_module(f"pipeline.cli.{command}")
    actions = argparse.ArgumentParser().add_subparsers()
    module.add(actions)

    (listed,) = actions._choices_actions
    assert listed.help == COMMANDS[command]
    assert "example" in parser(command).format_help()


def test_every_signal_that_means_something_is_told_and_no_other():
    told = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "signals.md").read_text(), re.MULTILINE)

    assert sorted(told) == sorted(KNOWN)


def test_the_readme_quotes_the_architecture_that_is_checked():
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c["layers"] for c in checked["contracts"] if c["type"] == "layers")

    readme = (ROOT / "README.md").read_text()

    assert "\n".join(layers) in readme


def test_the_changelog_names_the_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert re.search(rf"^## \[{re.escape(version)}\]", (ROOT / "CHANGELOG.md").read_text(), re.M)


@pytest.mark.parametrize("page", ["promises", "rules"])
def test_every_test_that_a_promise_or_a_rule_names_exists(page):
    named = TESTED.findall((ROOT / "docs" / f"{page}.md").read_text())

    assert named
    for path, test in named:
        assert (ROOT / path).exists(), path
        assert not test or f"def {test}(" in (ROOT / path).read_text(), f"{path}::{test}"


def test_every_rule_is_told_and_tested_and_its_stories_are_shipped():
    tables = (ROOT / "docs" / "rules.md").read_text().splitlines()
    rows = [row.strip("|").split(" | ") for row in tables if row.startswith("| ")]
    rules = [row for row in rows if row[0].strip() not in ("rule", "---")]

    assert rules
    for rule, told, tested, *stories in rules:
        assert LINK.search(told), rule
        assert any(test for _, test in TESTED.findall(tested)), rule
        for name in re.findall(r"`([\w-]+)`", " ".join(stories)):
            found = (ROOT / "seeds").rglob(f"journeys/{name}.jsonl")
            assert any(found), f"{rule}: {name}"
