"""Signatures against vectors that their authors published, and against every way to forge one."""

from datetime import UTC, datetime, timedelta

import pytest

from listeners.errors import Reason, Unauthorised
from listeners.signatures import SCHEMES
from tests.unit.listeners.doors import NOON
from tests.unit.listeners.signing import (
    BASE,
    TWILIO_TOKEN,
    form,
    hmac_of,
    request,
    sha256_hex,
    twilio_signature,
    typeform_headers,
    zendesk_headers,
)

WINDOW = timedelta(seconds=300)
CALL = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
]
EXAMPLE = "https://mycompany.com/myapp.php?foo=1&bar=2"


def wired(headers, url=BASE + "/x"):
    return request("notes", headers, url)


def check(scheme, wire, body, secret, now=NOON):
    one = SCHEMES[scheme]
    return one.check(wire, body, one.key(secret), now, WINDOW)


def reason_of(*given, **more):
    with pytest.raises(Unauthorised) as caught:
        check(*given, **more)
    return caught.value.reason


def test_the_published_vector_of_standard_webhooks_holds():
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,bm9ldHUgZm9y v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    at = datetime.fromtimestamp(1614265330, UTC)
    given = (wired(headers), b'{"test": 2432232314}', "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    proof = check("webhook", *given, now=at + WINDOW)

    assert proof.id == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    late, early = at + WINDOW + timedelta(seconds=1), at - WINDOW - timedelta(seconds=1)
    assert reason_of("webhook", *given, now=late) == Reason.SIGNATURE_EXPIRED
    assert reason_of("webhook", *given, now=early) == Reason.SIGNATURE_EXPIRED


@pytest.mark.parametrize(
    ("caller", "signature"),
    [
        ("+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="),
    ],
)
def test_the_published_vectors_of_twilio_hold(caller, signature):
    fields = dict(CALL) | {"Caller": caller, "From": caller}
    wire = wired({"X-Twilio-Signature": signature}, EXAMPLE)

    proof = SCHEMES["twilio"].check(wire, form(list(fields.items())), b"12345", NOON, WINDOW)

    assert proof.id is None


def test_a_repeated_form_field_is_signed_once_a_value_in_order():
    pairs = [("Tag", "b"), ("Tag", "a"), ("Tag", "b"), ("A", "é +&")]
    wire = wired({"X-Twilio-Signature": twilio_signature(BASE + "/x", pairs)}, BASE + "/x")

    assert check("twilio", wire, form(pairs), TWILIO_TOKEN)


@pytest.mark.parametrize(
    ("signed", "seen"),
    [
        (f"{BASE}:443/ivr/twilio?menu=a", f"{BASE}/ivr/twilio?menu=a"),
        (f"{BASE}/ivr/twilio?menu=a", f"{BASE}:443/ivr/twilio?menu=a"),
    ],
)
def test_twilio_may_sign_the_default_port_or_not(signed, seen):
    wire = wired({"X-Twilio-Signature": twilio_signature(signed, CALL)}, seen)

    assert check("twilio", wire, form(CALL), TWILIO_TOKEN)


@pytest.mark.parametrize(
    ("url", "pairs", "token"),
    [
        (EXAMPLE + "&more=1", CALL, TWILIO_TOKEN),
        (EXAMPLE.replace("https", "http"), CALL, TWILIO_TOKEN),
        (EXAMPLE, [*CALL, ("Extra", "1")], TWILIO_TOKEN),
        (EXAMPLE, CALL[1:], TWILIO_TOKEN),
        (EXAMPLE, [("CallSid", "CA2"), *CALL[1:]], TWILIO_TOKEN),
        (EXAMPLE, CALL, TWILIO_TOKEN[::-1]),
    ],
    ids=["query", "scheme", "added", "taken", "changed", "token"],
)
def test_a_twilio_request_changed_anywhere_is_refused(url, pairs, token):
    wire = wired({"X-Twilio-Signature": twilio_signature(EXAMPLE, CALL)}, url)

    assert reason_of("twilio", wire, form(pairs), token) == Reason.SIGNATURE_INVALID


SID, LEG = "CA" + "0123456789abcdef" * 2, "CA" + "fedcba9876543210" * 2
BARE = [("ApiVersion", "2010-04-01"), ("CallSid", SID), ("From", "+442079460042")]
LIVE = [*BARE[:2], ("CallStatus", "in-progress")]
OF_LEG = [*BARE[:2], ("ParentCallSid", LEG)]


@pytest.mark.parametrize(
    ("pairs", "cut"),
    [
        (BARE, [BARE[0], ("CallSi", f"d{SID}"), BARE[2]]),
        (BARE, [("ApiVersion", f"2010-04-01CallSid{SID}"), BARE[2]]),
        (BARE, [("ApiVersion2010-04-01CallSid", SID), BARE[2]]),
        (BARE, [BARE[0], ("CallSid", f"{SID}From+442079460042")]),
        (BARE, [BARE[0], ("CallSid", SID[:12]), (SID[12:] + "From", "+442079460042")]),
        (LIVE, [*LIVE[:2], ("CallStatu", "sin-progress")]),
        (LIVE, [*LIVE[:2], ("CallStatus", "in-"), ("progress", "")]),
        (OF_LEG, [("A", f"piVersion2010-04-01CallSid{SID}Parent"), ("CallSid", LEG)]),
        (CALL, [("CallSi", "dCA1234567890ABCDE"), *CALL[1:]]),
    ],
    ids=["name", "swallowed", "prefix", "more", "less", "status", "less-status", "leg", "short"],
)
def test_a_twilio_form_cut_so_that_its_call_is_another_is_refused(pairs, cut):
    headers = {"X-Twilio-Signature": twilio_signature(EXAMPLE, pairs)}
    assert twilio_signature(EXAMPLE, cut) == headers["X-Twilio-Signature"]

    assert check("twilio", wired(headers, EXAMPLE), form(pairs), TWILIO_TOKEN).call is not None
    given = (wired(headers, EXAMPLE), form(cut), TWILIO_TOKEN)
    assert reason_of("twilio", *given) == Reason.SIGNATURE_INVALID


def test_a_twilio_form_of_no_call_needs_none():
    pairs = [("EventType", "task.created"), ("TaskAttributes", f'{{"call_sid":"{SID}"}}')]
    wire = wired({"X-Twilio-Signature": twilio_signature(EXAMPLE, pairs)}, EXAMPLE)

    assert check("twilio", wire, form(pairs), TWILIO_TOKEN).call is None


def test_twilios_json_is_signed_by_its_hash_in_the_address():
    body = b'[{"specversion": "1.0"}]'
    url = f"{BASE}/ivr/twilio?bodySHA256={sha256_hex(body)}"
    headers = {"X-Twilio-Signature": twilio_signature(url, [])}
    wire = wired(headers, url)

    assert check("twilio", wire, body, TWILIO_TOKEN)
    assert reason_of("twilio", wire, body + b" ", TWILIO_TOKEN) == Reason.SIGNATURE_INVALID
    unsigned = wired(headers, f"{BASE}/ivr/x?bodySHA256={sha256_hex(body)}")
    assert reason_of("twilio", unsigned, body, TWILIO_TOKEN) == Reason.SIGNATURE_INVALID


def test_zendesk_signs_time_and_body_in_either_order_within_the_window():
    body, at, secret = b'{"id": "1"}', "2026-11-22T11:58:00Z", "zendesk-secret"
    headers = zendesk_headers(body, secret, at)
    older = headers | {
        "X-Zendesk-Webhook-Signature": hmac_of("sha256", secret.encode(), body + at.encode())
    }

    assert check("zendesk", wired(headers), body, secret)
    assert check("zendesk", wired(older), body, secret)
    assert reason_of("zendesk", wired(headers), body + b" ", secret) == Reason.SIGNATURE_INVALID
    moved = headers | {"X-Zendesk-Webhook-Signature-Timestamp": "2026-11-22T11:58:01Z"}
    assert reason_of("zendesk", wired(moved), body, secret) == Reason.SIGNATURE_INVALID
    later = NOON + timedelta(minutes=4)
    assert reason_of("zendesk", wired(headers), body, secret, later) == Reason.SIGNATURE_EXPIRED


def test_typeform_signs_the_body():
    body = b'{"event_id": "1"}'
    wire = wired(typeform_headers(body, "typeform-secret"))

    assert check("typeform", wire, body, "typeform-secret")
    assert reason_of("typeform", wire, body + b" ", "typeform-secret") == Reason.SIGNATURE_INVALID
    assert reason_of("typeform", wire, body, "another-secret") == Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("stamp", ["", "soon", "-1", "9" * 40, "١٢", "1614265330.5"])
@pytest.mark.parametrize("scheme", ["webhook", "zendesk"])
def test_a_time_that_is_none_is_refused(scheme, stamp):
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": stamp,
        "webhook-signature": "v1,x",
        "X-Zendesk-Webhook-Signature-Timestamp": stamp,
        "X-Zendesk-Webhook-Signature": hmac_of("sha256", b"zendesk-secret", stamp.encode() + b"{}"),
    }
    secret = "zendesk-secret" if scheme == "zendesk" else "whsec_" + "A" * 32

    assert reason_of(scheme, wired(headers), b"{}", secret) in (
        Reason.SIGNATURE_INVALID,
        Reason.SIGNATURE_EXPIRED,
    )


@pytest.mark.parametrize("secret", ["", "plain", "whsec_", "whsec_AAAA", "whsec_not base64!"])
def test_a_generic_secret_is_written_as_its_specification_says(secret):
    with pytest.raises(ValueError, match="whsec_"):
        SCHEMES["webhook"].key(secret)
