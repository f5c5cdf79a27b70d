import base64

import pytest

from listeners.credentials import hashed, key_of
from listeners.errors import Unauthorised
from tests.unit.listeners.doors import PAGE, SHOP, Door


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("headers", "query", "key"),
    [
        ({"Authorization": basic("k:")}, {}, "k"),
        ({"Authorization": basic("k")}, {}, "k"),
        ({"Authorization": "bearer k"}, {}, "k"),
        ({"X-Write-Key": "k"}, {}, "k"),
        ({}, {"writeKey": "k"}, "k"),
        ({}, {"api_key": "k"}, "k"),
        ({}, {"token": "k"}, "k"),
        ({}, {"access_token": "k"}, "k"),
        ({"Authorization": basic("header:")}, {"token": "query"}, "header"),
        ({}, {}, None),
        ({"Authorization": basic(":")}, {"token": "k"}, "k"),
    ],
)
def test_a_key_is_found_in_the_header_first(headers, query, key):
    assert key_of(headers, query) == key


def test_a_header_that_cannot_be_read_is_a_key_that_nobody_has():
    assert key_of({"Authorization": "Basic ***"}, {}) == "Basic ***"


@pytest.mark.parametrize("key", [None, "", "SHOP-KEY", "shop-key ", "sha256:0", hashed("shop-key")])
def test_a_key_that_nobody_has_is_refused(key):
    door = Door(sources=[SHOP])

    with pytest.raises(Unauthorised) as caught:
        door.listener.credentials.source_of(key)

    assert "shop" not in caught.value.message


def test_a_source_may_have_two_keys_during_a_rotation():
    door = Door(sources=[SHOP | {"keys": [hashed("old"), hashed("new")]}])

    names = {door.listener.credentials.source_of(key).name for key in ("old", "new")}

    assert names == {"shop"}


def test_a_browser_key_is_bound_to_its_origins():
    credentials = Door(sources=[SHOP | {"origins": [PAGE]}]).listener.credentials

    assert credentials.source_of("shop-key", PAGE).name == "shop"
    assert credentials.source_of("shop-key", None).name == "shop"
    with pytest.raises(Unauthorised):
        credentials.source_of("shop-key", "https://evil.example.com")


def test_a_page_is_answered_only_when_it_is_listed():
    named = Door(sources=[SHOP | {"origins": [PAGE]}]).listener.credentials
    unnamed = Door().listener.credentials

    assert [named.allows(o) for o in (PAGE, PAGE + ".evil.com", "null", "*")] == [
        True, False, False, False,
    ]  # fmt: skip
    assert [unnamed.allows(o) for o in ("http://localhost:3000", "http://localhost", PAGE)] == [
        True, True, False,
    ]  # fmt: skip
    assert not unnamed.allows("http://localhost.evil.com:80")
