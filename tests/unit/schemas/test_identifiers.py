"""What a value is compared as, and which values name nobody: every line of the list."""

import pytest

from schemas.identifiers import BLOCKED, BLOCKED_EXACTLY, PERSONAL, blocked, normalise

QUOTES = ("'{}'", '"{}"', "`{}`", "\u201c{}\u201d", "\u2018{}\u2019", " '{}' ", "\"'{}'\"")


@pytest.mark.parametrize(
    ("kind", "written", "compared"),
    [
        ("user_id", "  u-1 ", "u-1"),
        ("user_id", "'u-1'", "u-1"),
        ("user_id", "\u201cu-1\u201d", "u-1"),
        ("user_id", "Cafe\u0301", "Caf\u00e9"),
        ("user_id", "Ann", "Ann"),
        ("account_id", "0012", "0012"),
        ("email", " Ann@Example.COM ", "ann@example.com"),
        ("email", "STRASSE@x.de", "strasse@x.de"),
        ("email", "Stra\u00dfe@x.de", "strasse@x.de"),
        ("phone", "+44 (20) 7946-0018", "+442079460018"),
        ("phone", "0044 20 7946 0018", "+442079460018"),
        ("phone", "020 7946 0018", "02079460018"),
        ("caller_number", "+44.20/7946 0018", "+442079460018"),
    ],
)
def test_a_value_is_compared_normalised(kind: str, written: str, compared: str) -> None:
    assert normalise(kind, written) == compared


EMPTY = ("", " ", "\t", "...", "--", "_", "?!", "\u00a0")
ZEROS = ("0", "000", "00000000-0000-0000-0000-000000000000", "0-0", "-", "--0--")
WORDS = (
    *("null", "none", "nil", "undefined", "unknown", "invalid", "void", "n/a", "na", "-1"),
    *("anonymous", "guest", "visitor", "default", "test", "abc123", "not_authenticated", "id"),
    *("distinctid", "distinct_id", "email", "user_id", "true", "false", "restricted"),
    *("unavailable", "private", "withheld", "+266696687"),
)
REPEATED = ("aaa", "ZZZZZZZZ", "xXx", "111111", "9999999999")


@pytest.mark.parametrize("kind", ["user_id", "anonymous_id", *sorted(PERSONAL)])
@pytest.mark.parametrize("value", [*EMPTY, *ZEROS, *WORDS, *REPEATED, "[object Object]", "NaN"])
def test_what_names_nobody_names_nobody_in_any_quotes_and_of_any_type(
    kind: str, value: str
) -> None:
    for form in ("{}", *QUOTES):
        assert blocked(normalise(kind, form.format(value))) is not None, form


@pytest.mark.parametrize("word", WORDS)
def test_words_are_compared_without_regard_to_case(word: str) -> None:
    assert blocked(word.upper()) == blocked(word.title()) == "placeholder"


@pytest.mark.parametrize("value", ["nan", "NAN", "[OBJECT OBJECT]", "[object object]"])
def test_the_words_of_programs_are_compared_exactly(value: str) -> None:
    assert blocked(value) is None


@pytest.mark.parametrize(
    "value", ["aa", "11111", "10", "-2", "u-0", "null-1", "guest1", "x-x-x", "aab", "Anna", "0a"]
)
def test_what_is_only_like_it_still_names_somebody(value: str) -> None:
    assert blocked(value) is None


def test_the_reasons_are_told_apart() -> None:
    told = {value: blocked(value) for value in ("...", "000", "guest", "aaa", "NaN")}
    assert list(told.values()) == [
        *("empty", "zeros", "placeholder", "repeated_character", "placeholder")
    ]


def test_no_word_of_the_list_stands_in_it_in_vain() -> None:
    for word in BLOCKED:
        assert word == word.casefold()
    for word in (*BLOCKED, *BLOCKED_EXACTLY):
        assert blocked(word) is not None


def test_a_catalogue_adds_its_own() -> None:
    assert blocked("Kiosk-7", frozenset({"kiosk-7"})) == "placeholder"
    assert blocked("a-rather-long-value-of-nobody", frozenset({"a-rather-long-value-of-nobody"}))
