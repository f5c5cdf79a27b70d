"""Folders of sockets: removed by their own process, or by the next one of the same user."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.console.socket_folder import PREFIX, SocketFolder

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def killed(temporary):
    """A process that made one, bound something there, and was killed."""
    code = (
        "from pipeline.console.socket_folder import SocketFolder\n"
        "SocketFolder().socket.touch(); print('made', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"made\n"
        process.kill()
    (left,) = temporary.glob(f"{PREFIX}*")
    return left


def test_only_its_user_may_enter_and_it_goes_when_it_is_closed(temporary):
    made = SocketFolder()

    assert made.socket.parent.stat().st_mode & 0o077 == 0
    made.close()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(temporary):
    left = killed(temporary)

    made = SocketFolder()

    assert not left.exists()
    assert made.socket.parent.exists()
    made.close()


def test_a_folder_in_use_is_left_alone(temporary):
    first = SocketFolder()
    first.socket.touch()

    second = SocketFolder()

    assert first.socket.exists()
    assert (first.socket.parent / "owner").exists()
    first.close()
    second.close()


def test_what_is_not_ours_is_left_alone(temporary):
    left = killed(temporary)
    (left / "letter").write_text("of somebody else")
    (temporary / f"{PREFIX}without-owner").mkdir()
    (temporary / f"{PREFIX}file").touch()
    (temporary / "elsewhere").mkdir()
    (temporary / "elsewhere" / "owner").touch()
    (temporary / f"{PREFIX}link").symlink_to(temporary / "elsewhere")

    SocketFolder().close()

    assert (left / "letter").read_text() == "of somebody else"
    assert (temporary / f"{PREFIX}without-owner").is_dir()
    assert (temporary / f"{PREFIX}file").exists()
    assert (temporary / "elsewhere" / "owner").exists()
