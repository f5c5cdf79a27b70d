"""What the image is made of, without Docker: a wheel in an environment of its own, and seeds."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.integration.serving import Listen, environment

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seeds"
STORY = SEEDS / "journeys" / "app-payment-fails-then-customer-rings.jsonl"
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
PACKAGES = ("listeners", "pipeline", "schemas")
NOWHERE = "127.0.0.1:1"


def copied():
    """What the Dockerfile copies out of the tree."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    return {source for line in lines for source in line.split()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from nothing but what the Dockerfile copies, with its default arguments."""
    source = tmp_path_factory.mktemp("source")
    for name in copied():
        if (ROOT / name).is_dir():
            hidden = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=hidden)
        else:
            shutil.copy(ROOT / name, source / name)
    (compiled,) = re.findall(r"^ARG COMPILED=(\w+)$", DOCKERFILE, re.MULTILINE)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    said = subprocess.run(
        [*build, "--wheel-dir", str(source / "wheels"), str(source)],
        env={**environment(), "HATCH_BUILD_HOOK_ENABLE_CUSTOM": compiled},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    (made,) = source.glob("wheels/touchpoints-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """`touchpoints` of the wheel; what it depends on comes from the tests' own environment."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, timeout=300)
    (site,) = folder.glob("lib/python*/site-packages")
    # A line of a .pth is a folder; .pth files in that one, as of our own editable install, are not
    # looked at.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def run(*arguments):
        return subprocess.run(
            [str(folder / "bin" / "touchpoints"), *map(str, arguments)],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    where = subprocess.run(
        [str(python), "-c", "import pipeline, schemas, listeners; print(pipeline.__file__)"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(site)), where.stdout
    return run


def test_the_wheel_has_the_packages_and_their_contracts_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    ours = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert {name for name in names if ".dist-info/" not in name} == ours
    assert "schemas/contracts/touchpoint.v1.schema.json" in names
    assert {f"listeners/emitters/touchpoints{kind}" for kind in (".js", ".d.ts")} <= names


def test_the_wheel_holds_both_emitters_and_the_one_in_python_needs_nothing_else(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    isolated = [sys.executable, "-I", "-S", "-c"]  # no site-packages: the standard library alone
    source = (ROOT / "listeners" / "emitters" / "touchpoints.js").read_bytes()

    said = subprocess.run(
        [
            *isolated,
            f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
            "from listeners.emitters.python import Emitter\n"
            "print(Emitter('http://127.0.0.1:1', key='k', channel='app').counts.sent)",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (said.stdout, said.stderr) == ("0\n", "")
    assert (tmp_path / "listeners" / "emitters" / "touchpoints.js").read_bytes() == source


def test_help_and_the_catalogue_of_topics_need_nothing_but_the_wheel(installed):
    helped, shown = installed("--help"), installed("topics", "show", "--json")

    assert helped.returncode == 0, helped.stderr
    assert "example:" in helped.stdout
    assert "touchpoints" in json.loads(shown.stdout), shown.stderr


def test_a_story_is_replayed_with_the_catalogue_that_is_named(installed):
    said = installed("replay", STORY, "--catalogue", SEEDS, "--topic", "journey-outcomes")

    assert said.returncode == 0, said.stderr
    outcomes = [json.loads(line) for line in said.stdout.splitlines()]
    assert {one["mission"] for one in outcomes} == {"pay-bill"}


def test_what_the_image_copies_exists_and_gets_past_the_ignore_file():
    sources = copied()
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}

    assert all((ROOT / source).exists() for source in sources)
    assert sources == kept
    assert lines[1] == "*"
    assert {*PACKAGES, "seeds", "pyproject.toml"} <= sources


def test_the_image_runs_as_nobody_special_with_one_volume():
    assert re.findall(r"^(?:USER|VOLUME|ENTRYPOINT) .*$", DOCKERFILE, re.MULTILINE) == [
        "USER 10001:10001",
        "VOLUME /data",
        'ENTRYPOINT ["touchpoints"]',
    ]


def test_the_health_check_passes_while_it_runs_and_fails_when_it_does_not(tmp_path):
    (text,) = re.findall(r"HEALTHCHECK .*\\\n\s+CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    _, *arguments = json.loads(text)

    def checked(operations):
        code = [one.replace("http://127.0.0.1:8081", operations) for one in arguments]
        command = [sys.executable, *code]
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode

    with Listen(tmp_path / "data", NOWHERE) as listen:
        alive = checked(listen.operations)
    gone = checked(listen.operations)

    assert (alive, gone) == (0, 1)
