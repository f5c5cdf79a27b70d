import pytest

from listeners.errors import Reason, Unauthorised
from tests.unit.listeners.doors import properties, written
from tests.unit.listeners.signing import request, signing_door, zendesk_headers

SECRET = "zendesk-secret"
NOW = "2026-11-22T11:59:30Z"


def ticket(what, event=None, **detail):
    return {
        "type": f"zen:event-type:ticket.{what}",
        "account_id": 1,
        "id": "evt-1",
        "time": "2026-11-22T11:58:00.500Z",
        "subject": "zen:ticket:35436",
        "detail": {
            "id": "35436",
            "subject": "Cannot pay my bill",
            "status": "OPEN",
            "external_id": "u-42",
            "requester_id": "844",
            "tags": ["billing", "intent_pay-bill"],
            "via": {"channel": "web_messaging"},
            **detail,
        },
        "event": event or {},
    }


async def told(value, **source):
    door = signing_door("zendesk", SECRET, **source)
    body = written(value)
    receipt = await door.listener.receive(
        body, request("zendesk", zendesk_headers(body, SECRET, NOW))
    )
    assert receipt.fault is None
    return door.touchpoints[0]


async def test_a_ticket_that_is_solved():
    one = await told(ticket("status_changed", {"current": "SOLVED", "previous": "OPEN"}))

    assert (one.id, one.name, one.channel) == ("evt-1", "ticket.status_changed", "agent")
    assert (one.session_hint, one.location, one.intent) == ("35436", "web_messaging", "pay-bill")
    assert one.identifiers == {"user_id": "u-42", "zendesk_id": "844"}
    assert one.occurred_at.microsecond == 500_000
    kept = properties(one)
    assert kept["event"] == {"current": "SOLVED", "previous": "OPEN"}
    assert (kept["ticket"]["status"], kept["ticket"]["subject_length"]) == ("OPEN", 18)
    assert "subject" not in kept["ticket"]


async def test_a_comment_tells_who_wrote_it_and_its_text_only_where_kept():
    event = {
        "comment": {"body": "Done", "is_public": True, "author": {"is_staff": True, "name": "Jo"}}
    }

    short, whole = (
        await told(ticket("comment_added", event)),
        await told(ticket("comment_added", event), keeps_text=True),
    )

    assert properties(short)["event"]["comment"] == {
        "body_length": 4, "is_public": True, "by_staff": True,
    }  # fmt: skip
    assert properties(whole)["event"]["comment"]["body"] == "Done"


async def test_an_assignment_is_a_hand_off():
    one = await told(ticket("agent_assignment_changed", {"current": "844", "previous": None}))

    assert one.signals == ("handoff",)


@pytest.mark.parametrize("change", [{"type": "zen:event-type"}, {"detail": {}}])
async def test_what_is_no_event_of_a_ticket_is_a_dead_letter(change):
    door = signing_door("zendesk", SECRET)
    body = written(ticket("status_changed") | change)

    receipt = await door.listener.receive(
        body, request("zendesk", zendesk_headers(body, SECRET, NOW))
    )

    assert receipt.fault.reason == Reason.FIELD_MISSING
    assert len(door.letters) == 1


async def test_a_ticket_that_is_not_signed_is_refused():
    door = signing_door("zendesk", SECRET)

    with pytest.raises(Unauthorised) as caught:
        await door.listener.receive(
            written(ticket("status_changed")), request("zendesk", {}, key="keyed-key")
        )

    assert caught.value.reason == Reason.SIGNATURE_MISSING
