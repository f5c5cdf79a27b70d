"""Typeform: the answers to one form, each scored answer a touchpoint of its own.

Which scale an answer is on says its field's reference, as its author wrote it: `nps`, `ces` or
`csat`; a field of the type nps is one anyway. Who answered, and about what, stands in hidden
fields.

Source: Typeform's pages on webhooks and hidden fields. `docs/vendors.md` accounts for every field.
"""

from collections.abc import Mapping
from typing import Any, Final

from listeners.adapters.adapter import Context, Envelope, Limits, lacks
from listeners.adapters.presets import kind_of_survey, signals_of_survey
from listeners.adapters.vendor import (
    Said,
    listed,
    mapping,
    moment,
    number,
    object_in,
    text,
    touchpoint_of,
    value_in,
)
from listeners.adapters.vendor import device_of as device_of
from listeners.exchange import Delivery
from schemas.identifiers import CLASSES
from schemas.records import Scale, Touchpoint

SCALES: Final[tuple[Scale, ...]] = ("ces", "nps", "csat")

_ABOUT: Final = ("session_id", "interaction_id")
"""Hidden fields that name what was asked about: a call, a chat, a visit."""

_SCORED: Final = frozenset({"nps", "opinion_scale", "rating"})


def unpack(body: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a response into its scored answers; one without any is one item.

    Raises:
        Unreadable: It is not JSON.
        TooLarge: Too many answers.
    """
    value = value_in(body)
    answers = mapping(mapping(value).get("form_response")).get("answers")
    scored = [
        index
        for index, one in enumerate(answers if isinstance(answers, list) else [])
        if scale_of(mapping(one)) is not None
    ]
    if not scored:
        return listed([value], limits, batch=False)
    return listed([{**value, "answer": index} for index in scored], limits)


def scale_of(answer: Mapping[str, Any]) -> Scale | None:
    """The scale of an answer, None where it is no score."""
    field = mapping(answer.get("field"))
    kind, ref = text(field.get("type")), str(field.get("ref") or "").lower()
    if kind not in _SCORED or number(answer.get("number")) is None:
        return None
    if kind == "nps":
        return "nps"
    return next((scale for scale in SCALES if ref == scale or ref.startswith(f"{scale}_")), None)


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one answer a touchpoint.

    Raises:
        ItemRefused: It is no response, or names nobody and no session.
    """
    value = object_in(item, context)
    response = mapping(value.get("form_response"))
    if not response:
        raise lacks(where="$.form_response", expected="the response to a form")
    return touchpoint_of(_said(value, response), context)


def _said(value: Mapping[str, Any], response: Mapping[str, Any]) -> Said:
    hidden, index = mapping(response.get("hidden")), value.get("answer")
    listed_answers = response.get("answers")
    answers = [mapping(one) for one in listed_answers] if isinstance(listed_answers, list) else []
    rating, ref = None, None
    if isinstance(index, int) and 0 <= index < len(answers):
        scale, score = scale_of(answers[index]), number(answers[index].get("number"))
        if scale is not None and score is not None:
            rating, ref = (scale, score), text(mapping(answers[index].get("field")).get("ref"))
    session = next((text(hidden[name]) for name in _ABOUT if text(hidden.get(name))), None)
    form, event = mapping(response.get("definition")), text(value.get("event_id"))
    people = [(name, text(one)) for name, one in hidden.items() if name in CLASSES]
    rest = {
        name: one
        for name, one in hidden.items()
        if name not in CLASSES and name not in (*_ABOUT, "mission")
    }
    return Said(
        name=text(form.get("title")) or text(response.get("form_id")) or "form_response",
        channel="survey",
        people=people,
        properties={
            "survey": {"kind": kind_of_survey(session), "question": ref},
            "answers": [_answer(one) for one in answers],
            **({"hidden": rest} if rest else {}),
            **{
                name: response[name]
                for name in ("calculated", "landed_at", "token")
                if response.get(name) is not None
            },
        },
        at=moment(response.get("submitted_at")),
        id=None if event is None else f"{event}/{ref}" if ref else event,
        content=(value,),
        location=text(response.get("form_id")),
        session=session,
        signals=signals_of_survey(kind_of_survey(session)),
        intent=text(hidden.get("mission")),
        rating=rating,
    )


def _answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer without what was written: its question, its type, and a number or choice."""
    field = mapping(answer.get("field"))
    found = {"ref": field.get("ref"), "type": field.get("type")}
    for name in ("number", "boolean", "choice", "choices"):
        if name in answer:
            found[name] = answer[name]
    if isinstance(answer.get("text"), str):
        found["text_length"] = len(answer["text"])
    return found
