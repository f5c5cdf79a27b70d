"""Style as a test: what is never right fails; what is large is printed, and asks a question."""

import ast
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("listeners", "pipeline", "schemas")
WRITTEN = (*PACKAGES, "tests", "seeds", "deploy", "docs", "schemas", ".ci")
TEXTS = {
    ".py",
    ".md",
    ".toml",
    ".json",
    ".jsonl",
    ".yml",
    ".yaml",
    ".html",
    ".js",
    ".css",
    ".sh",
    "",
}

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_LARGE = 55
FILE_LINES_LARGE = 300

SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "handler", "misc", "data"}
PRINTS = ("pipeline/cli/", "tests/benchmarks/")
CLOCKS = ("pipeline/bootstrap.py", "listeners/bridges/asterisk.py", "listeners/emitters/")
"""The server's one place; and what runs in processes of its own, or of others."""
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
MACHINES = re.compile(r"(?<![\w.])/(?:root|home/\w+|wo" r"rk|Users/\w+)/")


def sources(*packages: str) -> list[Path]:
    found = [path for name in packages for path in sorted((ROOT / name).rglob("*.py"))]
    return [path for path in found if "__pycache__" not in path.parts]


def texts() -> Iterator[Path]:
    for name in dict.fromkeys(WRITTEN):
        for path in sorted((ROOT / name).rglob("*")):
            if path.is_file() and path.suffix in TEXTS and "__pycache__" not in path.parts:
                yield path
    for path in sorted(ROOT.iterdir()):
        if path.is_file() and (path.suffix in TEXTS) and path.name != ".git":
            yield path


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(path.read_text(), name_of(path))


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a module calls."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name_of(path)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def say(capsys: pytest.CaptureFixture[str], lines: list[str]) -> None:
    """Print past pytest's capture: whoever runs the tests is to see it."""
    with capsys.disabled():
        for line in lines:
            print(f"\nlarge: {line}", end="")  # noqa: T201 - being seen is its purpose


def test_no_file_is_longer_than_a_reader_can_hold(capsys):
    lengths = {name_of(p): len(p.read_text().splitlines()) for p in sources(*PACKAGES, "tests")}

    large = {name: n for name, n in lengths.items() if n > FILE_LINES_LARGE}
    by_size = sorted(large.items(), key=lambda one: -one[1])
    say(capsys, [f"{name} has {n} lines; what moved in?" for name, n in by_size])
    assert {name: n for name, n in lengths.items() if n > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_a_screen(capsys):
    lengths = dict(one for path in sources(*PACKAGES, "tests") for one in functions(path))

    large = [f"{name}, {n} lines" for name, n in lengths.items() if n > FUNCTION_LINES_LARGE]
    say(capsys, large)
    assert {name: n for name, n in lengths.items() if n > FUNCTION_LINES_MAX} == {}


def test_no_module_has_a_name_that_says_nothing():
    names = {name_of(p) for p in sources(*PACKAGES, "tests") if p.stem in SAY_NOTHING}

    assert names == set()


def test_imports_are_absolute():
    relative = [
        f"{name_of(path)}:{node.lineno}"
        for path in sources(*PACKAGES, "tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]

    assert relative == []


def test_only_commands_and_benchmarks_print():
    printing = [
        f"{name_of(path)}:{line}"
        for path in sources(*PACKAGES)
        for line, called in calls(path)
        if called == "print" and not name_of(path).startswith(PRINTS)
    ]

    assert printing == []


@pytest.mark.parametrize("clock", ["time.time", "datetime.now", "datetime.utcnow", "uuid4"])
def test_only_bootstrap_reads_the_clock_and_draws_ids(clock):
    reading = [
        f"{name_of(path)}:{line} {called}"
        for path in sources(*PACKAGES)
        for line, called in calls(path)
        if f".{called}".endswith(f".{clock}") and not name_of(path).startswith(CLOCKS)
    ]

    assert reading == []


@pytest.mark.parametrize(
    ("pattern", "what"), [(UNFINISHED, "unfinished work"), (MACHINES, "the path of one machine")]
)
def test_no_text_holds_what_belongs_to_somebodys_desk(pattern, what):
    found = [
        f"{name_of(path)}:{number}: {what}: {line.strip()[:80]}"
        for path in texts()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]

    assert found == []


def test_every_module_says_what_it_is():
    silent = [name_of(p) for p in sources(*PACKAGES) if not ast.get_docstring(tree(p))]

    assert silent == []


def test_every_test_is_a_sentence():
    short = [
        name
        for path in sources("tests")
        for name, _ in functions(path)
        if " test_" in name and name.count("_") < 3
    ]

    assert short == []
