from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.catalogue.durations import DURATION_MAX, duration_of, written


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30m", timedelta(minutes=30)),
        ("5s", timedelta(seconds=5)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("90m", timedelta(minutes=90)),
        ("0s", timedelta()),
    ],
)
def test_whole_numbers_with_units_are_a_duration(text, duration):
    assert duration_of(text) == duration


@pytest.mark.parametrize("text", ["", "30", "30 m", "m", "1.5h", "-5m", "30m1h", "5w", "5M", "٣m"])
def test_anything_else_is_refused_with_what_was_expected_and_found(text):
    with pytest.raises(ValueError, match="expected a duration such as") as refused:
        duration_of(text)

    assert str(refused.value).endswith(f'found "{text}"')


def test_a_bare_number_is_refused_for_want_of_a_unit():
    with pytest.raises(ValueError, match=r"found 30$"):
        duration_of(30)


@pytest.mark.parametrize("text", ["3661d", "99999999d", "99999999d99999999h"])
def test_a_duration_beyond_the_limit_is_refused(text):
    with pytest.raises(ValueError, match=f"at most {DURATION_MAX.days}d"):
        duration_of(text)


@given(st.timedeltas(min_value=timedelta(), max_value=DURATION_MAX))
def test_what_is_written_reads_back_the_same(duration):
    whole = timedelta(seconds=int(duration.total_seconds()))

    assert duration_of(written(whole)) == whole
