"""A customer is found by whatever is known of them, and whoever looked is written down."""

import pytest

from pipeline.cli.console import typed_identifier
from pipeline.console.audit import AUDIT_NAME
from tests.unit.console.asking import audited, read, token_of
from tests.unit.console.stores import ago, change, everything, verdict


async def test_a_customer_is_found_by_what_is_typed_and_that_is_written_down(served, tmp_path):
    client = await served()
    form = await read(await client.get("/journeys"))

    asked = {"identifier": " user_id:u-1 ", "csrf": token_of(form)}
    answer = await client.post("/journeys", data=asked)

    assert answer.status == 200
    assert answer.url.path == "/journeys/ann"
    assert "One customer's story" in (await read(answer)).text
    assert audited(tmp_path) == [
        ("local", "searched", "digest of ann"),
        ("local", "read", "digest of ann"),
    ]
    assert "u-1" not in (tmp_path / AUDIT_NAME).read_text()
    assert (tmp_path / AUDIT_NAME).stat().st_mode & 0o777 == 0o600


async def test_of_a_device_that_was_passed_on_all_whose_it_was_are_found(served, tmp_path):
    client = await served(
        records=[
            verdict(),
            verdict("v-2", customer="bob"),
            change("linked", "bob", at=ago(hours=2), identifier="device_id:d-1"),
            change("linked", "ann", at=ago(hours=1), identifier="device_id:d-1"),
        ]
    )
    form = await read(await client.get("/journeys"))

    asked = {"identifier": "device_id:d-1", "csrf": token_of(form)}
    found = await read(await client.post("/journeys", data=asked))

    links = [value for name, value in found.attributes if name == "href" and value]
    assert [one for one in links if one.startswith("/journeys/")] == [
        "/journeys/ann",
        "/journeys/bob",
    ]
    assert "Whose it was" in found.text
    assert "until now" in found.text
    assert audited(tmp_path) == [
        ("local", "searched", "digest of bob"),
        ("local", "searched", "digest of ann"),
    ]


async def test_of_a_device_whose_last_owner_did_nothing_yet_those_before_are_found(served):
    client = await served(
        records=[
            verdict(),
            change("linked", "ann", at=ago(hours=2), identifier="device_id:d-1"),
            change("linked", "bob-of-whom-nothing-is-known", identifier="device_id:d-1"),
        ]
    )
    form = await read(await client.get("/journeys"))

    asked = {"identifier": "device_id:d-1", "csrf": token_of(form)}
    answer = await client.post("/journeys", data=asked)

    assert (answer.status, answer.url.path) == (200, "/journeys/ann")


async def test_what_is_typed_into_the_search_is_text_in_its_answer(served):
    client = await served()
    form = await read(await client.get("/journeys"))

    for typed in ("<script>alert(1)</script>", "\N{RIGHT-TO-LEFT OVERRIDE}gnp:" + "x" * 9_000):
        asked = {"identifier": typed, "csrf": token_of(form)}
        answer = await client.post("/journeys", data=asked)
        found = await read(answer)
        assert answer.status == 404
        assert found.tags.count("script") == 1
        assert "Nothing is known of it" in found.text


async def test_a_story_that_cannot_be_written_down_is_not_shown(served, tmp_path):
    client = await served()
    (tmp_path / AUDIT_NAME).mkdir()

    answer = await client.get("/journeys/ann")

    assert answer.status == 500
    assert "Paying" not in await answer.text()


async def test_a_customer_who_was_erased_is_not_found(served):
    client = await served(records=(*everything(), change("erased")))
    form = await read(await client.get("/journeys"))

    asked = {"identifier": "ann", "csrf": token_of(form)}
    found = await client.post("/journeys", data=asked)

    assert found.status == 404
    assert "erased" in (await read(found)).text
    assert (await client.get("/journeys/ann")).status == 404


def test_what_is_typed_is_hashed_as_the_topics_have_it():
    from listeners.settings import ListenerSettings

    chosen = ListenerSettings()

    hashed_once = typed_identifier("email:Ann@Example.com", chosen=chosen)
    assert "example" not in hashed_once
    assert typed_identifier("email: ann@example.com ", chosen=chosen) == hashed_once
    assert typed_identifier("5f0e6a52-9d0c-5b55", chosen=chosen) == "5f0e6a52-9d0c-5b55"
    with pytest.raises(ValueError, match="names somebody"):
        typed_identifier("user_id:null", chosen=chosen)
