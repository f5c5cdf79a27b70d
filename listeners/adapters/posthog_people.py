"""Whose a PostHog event is: its `distinct_id` is a person's on some, a device's on others.

Pages and phones say which (`$is_identified`). What a server sends is a person's, unless it says
that it keeps no profile, or the source's settings know its anonymous ids. An alias names two ids:
PostHog's Python SDK writes the older one first, all others write it last.
"""

from collections.abc import Mapping
from typing import Any, Final

from listeners.adapters.adapter import Context
from listeners.errors import ItemRefused, Reason

IDENTITY_EVENTS: Final = frozenset(
    {"$identify", "$create_alias", "$merge_dangerously", "$set", "$set_once", "$groupidentify"}
)
"""Those that only say who somebody is: they link, open no session and get no verdict."""

LINKS: Final = frozenset({"$create_alias", "$merge_dangerously"})
"""Those that name a second id of the same person, in `properties.alias`."""

DEVICES: Final = frozenset(
    {"web", "posthog-android", "posthog-ios", "posthog-react-native", "posthog-flutter"}
)
"""Libraries that run where somebody is; others run on servers."""

OLDER_FIRST: Final = "posthog-python"
"""The library whose aliases have the older id as `distinct_id`."""

TRAITS: Final = ("$set", "$set_once")
PERSONAL: Final = ("email", "phone")

PLACES: Final = {
    "": "$",
    "user_id": "$.distinct_id",
    "anonymous_id": "$.distinct_id",
    "device_id": "$.properties.$device_id",
    "previous_id": "$.properties.alias",
    "email": "$.$set.email",
    "phone": "$.$set.phone",
}

People = list[tuple[str, str | int | None]]


def people_of(
    event: str, written: Mapping[str, Any], given: Mapping[str, Any], lib: object, context: Context
) -> People:
    """Type and value of each identifier of an event.

    Raises:
        ItemRefused: It is a server's word on a group, whose `distinct_id` is made up.
    """
    server = not (lib in DEVICES or "$is_identified" in given or "$device_id" in given)
    if event == "$groupidentify" and server:
        raise ItemRefused(
            reason=Reason.NO_IDENTIFIER,
            where="$.distinct_id",
            expected="a person; a server's event on a group has an id that is made up",
            found="none",
        )
    distinct = _id(written.get("distinct_id")) or _id(given.get("distinct_id"))
    older = _id(given.get("alias")) if event in LINKS else None
    if older is not None and lib == OLDER_FIRST:
        distinct, older = older, distinct
    device, anonymous = _id(given.get("$device_id")), _id(given.get("$anon_distinct_id"))
    user = _id(given.get("$user_id"))
    if event == "$identify" or (
        _is_server_person(distinct, written, given, context)
        if server
        else given.get("$is_identified") is True
    ):
        user = user or distinct
    elif str(distinct) != str(user):
        anonymous = anonymous or distinct
    found: People = [
        ("anonymous_id", anonymous),
        ("device_id", None if device == anonymous else device),
        ("user_id", user),
    ]
    for traits in (told.get(name) for told in (written, given) for name in TRAITS):
        if isinstance(traits, dict):
            found += [(trait, _id(traits.get(trait))) for trait in PERSONAL if traits.get(trait)]
    if older is not None and str(older) not in (str(user), str(anonymous)):
        found.append(("previous_id", older))
    return found


def _is_server_person(
    distinct: str | int | None,
    written: Mapping[str, Any],
    given: Mapping[str, Any],
    context: Context,
) -> bool:
    options = written.get("options")
    told = options.get("process_person_profile") if isinstance(options, dict) else None
    if told is False or given.get("$process_person_profile") is False:
        return False
    known = None if context.asked is None else context.asked.anonymous
    return known is None or known.fullmatch(str(distinct)) is None


def _id(value: object) -> str | int | None:
    if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
        return value
    return None


def impersonal(traits: Mapping[str, Any]) -> dict[str, Any]:
    """Traits without those that are personal: they have become identifiers, by their hash."""
    return {key: value for key, value in traits.items() if key not in PERSONAL}
