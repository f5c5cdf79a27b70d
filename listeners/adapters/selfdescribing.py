"""Self-describing JSON: data with the address of its schema, as Snowplow's events and contexts are.

    {"schema": "iglu:com.example/bill_paid/jsonschema/1-0-0", "data": {"amount": 12.5}}

It comes as a string in a field, plain or in base64url, padded or not, and wrapped once more in
what says that it is an event, or a list of contexts.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from listeners.adapters.adapter import Limits, lacks
from listeners.adapters.bounds import object_of
from listeners.errors import ItemRefused, Reason
from schemas.inbound import kind_of


def described(written: Mapping[str, Any], limits: Limits) -> tuple[str, Any]:
    """The schema and the data of an event's `ue_px` or `ue_pr`.

    Raises:
        ItemRefused: There is none, or it cannot be read.
    """
    where = "$.ue_px" if written.get("ue_px") else "$.ue_pr"
    outer = _embedded(written, "ue_pr", "ue_px", limits)
    if outer is None:
        raise lacks(where=where, expected="a self-describing event")
    inner = outer.get("data")
    inner = inner if isinstance(inner, dict) else {}
    schema = inner.get("schema")
    if not isinstance(schema, str):
        raise lacks(where=f"{where}.data.schema", expected="the schema of what happened")
    return schema, inner.get("data") or {}


def contexts_of(written: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """The data of each context of `cx` or `co` by its name; a list where several have one name.

    Raises:
        ItemRefused: They cannot be read.
    """
    found: dict[str, Any] = {}
    outer = _embedded(written, "co", "cx", limits)
    if outer is None:
        return found
    where = "$.cx" if written.get("cx") else "$.co"
    listed = outer.get("data")
    if not isinstance(listed, list):
        raise _invalid(where=f"{where}.data", expected="a list of contexts", found=listed)
    for index, one in enumerate(listed):
        schema = one.get("schema") if isinstance(one, dict) else None
        if not isinstance(schema, str):
            raise _invalid(
                where=f"{where}.data[{index}]", expected="a context with its schema", found=one
            )
        name, data = schema_name(schema), one.get("data")
        if name not in found:
            found[name] = data
        elif isinstance(found[name], list):
            found[name].append(data)
        else:
            found[name] = [found[name], data]
    return found


def first_of(contexts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The context of a name, the first where there are several; empty without one."""
    found = contexts.get(name)
    if isinstance(found, list):
        found = found[0] if found else None
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=1024)
def schema_name(schema: str) -> str:
    """`screen_view` of `iglu:com.snowplowanalytics.mobile/screen_view/jsonschema/1-0-0`."""
    parts = schema.removeprefix("iglu:").split("/")
    return parts[1] if len(parts) > 1 else parts[0]


def _embedded(
    written: Mapping[str, Any], plain: str, encoded: str, limits: Limits
) -> dict[str, Any] | None:
    """The object that a string holds as JSON, or as JSON in base64url."""
    if text := written.get(encoded):
        where = f"$.{encoded}"
        try:
            raw = str(text).rstrip("=").replace("-", "+").replace("_", "/")
            raw += "=" * (-len(raw) % 4)
            found = msgspec.convert(raw, bytes)  # Several times as quick as Python's own.
        except (msgspec.ValidationError, ValueError) as error:
            raise _invalid(where=where, expected="JSON in base64url", found=text) from error
    elif text := written.get(plain):
        where, found = f"$.{plain}", str(text).encode(errors="surrogatepass")
    else:
        return None
    try:
        return object_of(found, limits.bounds)
    except ItemRefused as refused:
        raise ItemRefused(
            reason=refused.reason,
            where=where + refused.where.removeprefix("$"),
            expected=refused.expected,
            found=refused.found,
        ) from refused


def _invalid(*, where: str, expected: str, found: object) -> ItemRefused:
    return ItemRefused(
        reason=Reason.FIELD_INVALID, where=where, expected=expected, found=kind_of(found)
    )
