"""The table of dialects: what each is written in, where it is sent, and how it is answered.

A new channel is one file in `adapters/` and one row here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

from listeners import bodies
from listeners.adapters import cloudevents, native, posthog, presets, questions, segment, snowplow
from listeners.adapters.adapter import Adapter
from listeners.adapters.chatbot import botframework, dialogflow, rasa
from listeners.adapters.crm import zendesk
from listeners.adapters.ivr import amazon_connect, asterisk, twilio
from listeners.adapters.surveys import typeform
from listeners.exchange import Answer, Delivery, Receipt, receipted


class Route(NamedTuple):
    """One path that takes touchpoints, with and without a trailing slash.

    Attributes:
        path: From the root.
        call: What the path says of the items' type.
        methods: Those of HTTP that it is asked by.
        statuses: Where an SDK needs another status than the usual one for what is refused.
        answer: What the emitter is told where it is not what its dialect's routes say.
    """

    path: str
    call: str | None = None
    methods: tuple[str, ...] = ("POST",)
    statuses: Mapping[int, int] = {}
    answer: Callable[[Receipt], Answer] | None = None


class Question(NamedTuple):
    """One path that an SDK asks before or beside what it sends.

    Attributes:
        path: May have a `{key}`; else the key stands in a header or the query.
        answer: From the key, our scheme and our host, what the SDK is told.
        methods: Those of HTTP that it is asked by.
        keyed: Whether only a known key is answered.
    """

    path: str
    answer: Callable[[str, str, str], Mapping[str, Any]]
    methods: tuple[str, ...] = ("GET", "HEAD")
    keyed: bool = True


class Dialect(NamedTuple):
    """One row.

    Attributes:
        adapter: A module with the functions of `Adapter`.
        routes: Where its touchpoints are sent.
        questions: What its SDKs ask.
        discards: Paths whose bodies are taken, counted and not kept.
        summary: What it is, for the OpenAPI document; empty where that says more of it.
        schemes: The signatures that its requests may bear, the vendor's own first.
        signs: Whether the vendor signs, so that a key alone is not enough.
        bearer: Whether its maker may show a token that is signed; see `tokens`.
        opened: Makes a body, as received, the bytes that the adapter unpacks.
        answer: What the emitter is told of a receipt that is a success.
        shared: What a body's headers say of all its items, as `Envelope` has it, for a dead letter.
        partial: Whether a body can be read only with headers or a query that no letter keeps.
    """

    adapter: Adapter
    routes: tuple[Route, ...]
    questions: tuple[Question, ...] = ()
    discards: tuple[str, ...] = ()
    summary: str = ""
    schemes: tuple[str, ...] = ("webhook",)
    signs: bool = False
    bearer: bool = False
    opened: Callable[[bytes, Delivery, int], bytes] = bodies.delivered
    answer: Callable[[Receipt], Answer] = receipted
    shared: Callable[[Delivery], str | None] = lambda _: None
    partial: Callable[[Delivery], bool] = lambda _: False


DIALECTS: Final[Mapping[str, Dialect]] = {
    "native": Dialect(cast(Adapter, native), (Route("/v1/touchpoints"),)),
    "notes": Dialect(
        cast(Adapter, presets),
        (Route("/v1/notes", "agent"),),
        summary="Agents' notes: native, channel agent",
    ),
    "surveys": Dialect(
        cast(Adapter, presets),
        (Route("/v1/surveys", "survey"),),
        summary="Answers to surveys: native, channel survey",
    ),
    "twilio": Dialect(
        cast(Adapter, twilio),
        (Route("/ivr/twilio"),),
        summary="Twilio Voice: webhooks, status callbacks, TaskRouter, Studio",
        schemes=("twilio", "webhook"),
        signs=True,
    ),
    "amazon-connect": Dialect(
        cast(Adapter, amazon_connect),
        (Route("/ivr/amazon-connect"),),
        summary="Amazon Connect: contact events and contact records",
    ),
    "asterisk": Dialect(
        cast(Adapter, asterisk),
        (Route("/ivr/asterisk"),),
        summary="Asterisk: events that the bridge reads from the manager interface",
    ),
    "rasa": Dialect(
        cast(Adapter, rasa),
        (Route("/chatbot/rasa"),),
        summary="Rasa: events of its tracker, or calls of its action server",
        answer=rasa.answer,
    ),
    "dialogflow": Dialect(
        cast(Adapter, dialogflow),
        (Route("/chatbot/dialogflow"),),
        summary="Dialogflow CX: webhook calls, or rows of its interaction log",
    ),
    "botframework": Dialect(
        cast(Adapter, botframework),
        (Route("/chatbot/botframework"),),
        summary="Microsoft Bot Framework: activities",
        bearer=True,
    ),
    "zendesk": Dialect(
        cast(Adapter, zendesk),
        (Route("/v1/notes/zendesk"),),
        summary="Zendesk: events of tickets",
        schemes=("zendesk", "webhook"),
        signs=True,
    ),
    "typeform": Dialect(
        cast(Adapter, typeform),
        (Route("/v1/surveys/typeform"),),
        summary="Typeform: responses to forms",
        schemes=("typeform", "webhook"),
        signs=True,
    ),
    "segment": Dialect(
        cast(Adapter, segment),
        (
            *(Route(f"/v1/{path}", call) for path, call in segment.PATHS.items()),
            Route("/beacon/v1/batch"),  # RudderStack's, as the page is left
        ),
        questions=(
            Question("/v1/projects/{key}/settings", questions.segment_settings),
            Question("/projects/{key}/settings", questions.segment_settings),
            Question("/sourceConfig", questions.rudder_source_config),
        ),
        discards=("/v1/m",),
    ),
    "snowplow": Dialect(
        cast(Adapter, snowplow),
        (
            # Trackers send again whatever was answered but by a few statuses; 413 is not of them.
            Route("/com.snowplowanalytics.snowplow/tp2", statuses={413: 400}),
            Route("/i", methods=("GET",), statuses={413: 400}, answer=snowplow.pixel),
        ),
        opened=snowplow.opened,
    ),
    "posthog": Dialect(
        cast(Adapter, posthog),
        (
            Route("/batch"),
            # posthog-js drops what is answered by 429, and sends again what is answered by 503.
            *(
                Route(path, methods=("POST", "GET"), statuses={429: 503})
                for path in ("/e", "/i/v0/e", "/capture", "/track", "/engage")
            ),
            Route("/i/v1/analytics/events", answer=posthog.results),
        ),
        questions=(
            Question("/array/{key}/config", questions.posthog_config),
            *(
                Question(path, questions.posthog_flags, ("POST", "GET", "HEAD"), keyed=False)
                for path in ("/flags", "/decide")
            ),
        ),
        discards=("/s",),
        opened=posthog.opened,
        shared=posthog.shared,
        partial=posthog.partial,
    ),
    "cloudevents": Dialect(
        cast(Adapter, cloudevents),
        (Route("/v1/events"),),
        opened=cloudevents.opened,
        partial=cloudevents.binary,
    ),
}
"""Every dialect by its name."""


def summaries() -> list[tuple[str, str]]:
    """Path and summary of each vendor's route."""
    return [
        (route.path, one.summary)
        for one in DIALECTS.values()
        for route in one.routes
        if one.summary
    ]
