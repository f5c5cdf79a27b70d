"""Progress is for people at a terminal; a pipe sees nothing of it."""

import io

from pipeline.cli.progress import STEP, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_the_count_in_one_line_that_is_gone_at_the_end():
    terminal = Terminal()

    with Progress("records", stream=terminal) as progress:
        progress.at(1_500, 3_000)
        during = terminal.getvalue()

    assert during == "\r1,500 of 3,000 records"
    assert terminal.getvalue().endswith("\r" + " " * len("1,500 of 3,000 records") + "\r")


def test_a_pipe_sees_nothing():
    pipe = io.StringIO()

    with Progress("records", stream=pipe) as progress:
        progress.at(1_500)

    assert pipe.getvalue() == ""


def test_single_steps_are_shown_only_now_and_then():
    terminal = Terminal()

    with Progress("records", stream=terminal) as progress:
        for _ in range(STEP - 1):
            progress.advance()
        before = terminal.getvalue()
        progress.advance()

    assert before == ""
    assert f"{STEP:,} records" in terminal.getvalue()
