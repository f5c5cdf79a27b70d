"""The image, built and run, where there is something to build it with and from."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
BUILD_MAX = 1_200
"""Seconds; generous, since packages are fetched."""

pytestmark = pytest.mark.torture


def run(*command: str, within: float = 120) -> "subprocess.CompletedProcess[str]":
    # Without a container of its own for each step, buildah needs no rights beyond root's.
    environment = {"BUILDAH_ISOLATION": "chroot", **os.environ}
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


def bases() -> list[str]:
    """What the image is built from."""
    (version,) = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)
    found = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    return [name.replace("${PYTHON}", version) for name in found]


def tool() -> str:
    """What builds it.

    Skips where nothing does, or where what it is built from is not to be had.
    """
    if shutil.which("docker") and run("docker", "info").returncode == 0:
        name, have = "docker", ("docker", "pull", "--quiet")
    elif shutil.which("buildah"):
        name, have = "buildah", ("buildah", "pull", "--quiet", "--policy", "missing")
    else:
        pytest.skip("no Docker daemon, and no buildah")
    for base in bases():
        said = run(*have, base, within=300)
        if said.returncode != 0:
            pytest.skip(f"{base} is not to be had: {said.stderr.strip()[-200:]}")
    return name


@pytest.fixture(scope="module")
def inside() -> Iterator[Sequence[str]]:
    """What runs a command in it, as its user."""
    name = tool()
    made = run("make", "image", within=BUILD_MAX)
    assert made.returncode == 0, made.stdout[-2_000:] + made.stderr[-2_000:]
    (image,) = re.findall(r"-t (touchpoints:\S+)", DOCKERFILE)
    if name == "docker":
        hardened = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--network", "none")
        yield ("docker", "run", "--rm", *hardened, "--entrypoint", "env", image)
        return
    container = run("buildah", "from", "--pull-never", f"localhost/{image}").stdout.strip()
    yield ("buildah", "run", container, "--", "env")
    run("buildah", "rm", container)


def test_it_finds_its_catalogue_and_nothing_wrong_with_it(inside: Sequence[str]) -> None:
    checked = run(*inside, "touchpoints", "check")

    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.startswith("fine: ")


def test_its_user_may_write_to_its_data_and_not_to_its_program(inside: Sequence[str]) -> None:
    said = run(
        *inside,
        *("sh", "-c", "id -u; touch /data/x && echo data; touch /opt/touchpoints/x || echo kept"),
    )

    assert said.stdout.split() == ["10001", "data", "kept"], said.stderr


def test_its_health_check_says_that_nobody_answers(inside: Sequence[str]) -> None:
    (check,) = re.findall(r'CMD \["python", "-c", "(.+)"\]', DOCKERFILE)

    said = run(*inside, "python", "-c", check)

    assert said.returncode == 1
    assert "Connection refused" in said.stderr
