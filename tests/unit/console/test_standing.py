"""Whether what is shown can be believed: a pipeline that stands still is never "all fine"."""

from datetime import timedelta

import pytest

from pipeline.console.feeding import Fed
from pipeline.console.standing import QUIET_AFTER, Vitals, standing_of
from pipeline.console.store import milliseconds
from tests.unit.console.stores import CAUGHT_UP, NOW, Kept, ago, alert, verdict, votes

LATELY = milliseconds(ago(seconds=5))


def vitals(**fields):
    given = {"at": ago(seconds=1), "ready": True, "processed_at": ago(seconds=2)} | fields
    return Vitals(**given)


@pytest.mark.parametrize(
    ("level", "latest", "fed", "told"),
    [
        ("fine", LATELY, CAUGHT_UP, vitals()),
        ("fine", LATELY, CAUGHT_UP, None),
        ("fine", LATELY, CAUGHT_UP, vitals(backlog=900, lag=2.0)),
        ("stalled", LATELY, CAUGHT_UP, vitals(ready=False, reason="the disk is full")),
        ("stalled", LATELY, CAUGHT_UP, vitals(at=ago(minutes=2))),
        ("stalled", LATELY, CAUGHT_UP, vitals(backlog=1, lag=90.0, processed_at=ago(seconds=90))),
        ("stalled", LATELY, CAUGHT_UP, vitals(backlog=1, lag=90.0, processed_at=None)),
        ("failed", LATELY, Fed(0, True, "the brokers are away"), vitals()),
        ("failed", None, Fed(0, False, "no file"), None),
        ("starting", None, Fed(900, False), vitals()),
        ("starting", LATELY, Fed(900, False), vitals()),
        ("empty", None, CAUGHT_UP, vitals()),
        ("catching-up", LATELY, Fed(90_000, True), vitals()),
        ("quiet", milliseconds(NOW - QUIET_AFTER - timedelta(minutes=1)), CAUGHT_UP, vitals()),
        ("fine", milliseconds(NOW - QUIET_AFTER), CAUGHT_UP, vitals()),
    ],
)
def test_each_way_not_to_know_has_a_name_of_its_own(level, latest, fed, told):
    found = standing_of(latest, fed, told, NOW)

    assert found.level == level
    assert bool(found.sentence) is (level != "fine")


def test_why_the_pipeline_does_not_work_is_said():
    found = standing_of(LATELY, CAUGHT_UP, vitals(ready=False, reason="the disk is full"), NOW)

    assert found.sentence == "The pipeline does not work: the disk is full."


@pytest.mark.parametrize(
    ("fed", "told"),
    [
        (Fed(0, True, "the brokers are away"), "Whether anything is broken now cannot be told."),
        (Fed(90_000, True), "Whether anything is broken now cannot be told."),
        (CAUGHT_UP, "Nothing is broken."),
    ],
)
async def test_nothing_is_called_sound_that_cannot_be_known(tmp_path, fed, told):
    kept = Kept(tmp_path).keep(verdict(), votes(4, 0))
    kept.fed = fed

    assert told in (await kept.page("/")).text


async def test_what_is_old_is_said_to_be(tmp_path):
    kept = Kept(tmp_path).keep(verdict(), votes(4, 0))
    kept.now = NOW + timedelta(hours=3)

    shown = (await kept.page("/")).text

    assert "No touchpoint has come in for 3.2 h: this is how it stood then." in shown
    assert "Nothing was broken then." in shown
    assert "Nothing is broken." not in shown


async def test_an_incident_is_said_even_where_the_rest_is_old(tmp_path):
    kept = Kept(tmp_path).keep(verdict(), votes(4, 3), alert())
    kept.now = NOW + timedelta(hours=3)

    assert "“Paying” is broken for “pay-bill”." in (await kept.page("/")).text


async def test_an_empty_console_says_how_to_send_the_first_touchpoint(tmp_path):
    shown = await Kept(tmp_path).page("/")

    assert "No touchpoint has come in yet." in shown.text
    assert "curl http://127.0.0.1:8080/v1/touchpoints -d" in shown.text
    assert "Nothing is broken" not in shown.text
