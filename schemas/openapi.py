"""The OpenAPI 3.1 document of the listeners, built from the models of `inbound`."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from schemas.inbound import NativeTouchpoint, SegmentBatch, SegmentCall

VERSION: Final = "1"

_REF: Final = "#/components/schemas/"
_CALLS: Final = ("track", "page", "screen", "identify", "alias", "group", "merge")
_SHORT: Final = {
    "t": "track",
    "p": "page",
    "s": "screen",
    "i": "identify",
    "a": "alias",
    "g": "group",
}
_ERRORS: Final[Mapping[str, str]] = {
    "400": "The body cannot be read, or the one item it is was refused",
    "401": "No write key, an unknown one, a page that may not use it, or a wrong signature",
    "404": "No such path",
    "405": "Another method is expected",
    "408": "The body came too slowly",
    "413": "The body, an item or the batch is too large",
    "429": "Too many requests; see Retry-After",
    "503": "Nothing can be made durable now; see Retry-After",
}


_TAKEN: Final[Mapping[str, str]] = {
    "/com.snowplowanalytics.snowplow/tp2": "Snowplow events, as a list in `data`",
    "/batch": "PostHog events, as a list in `batch`",
    "/e": "PostHog events, as browsers send them",
    "/i/v0/e": "PostHog events, as browsers send them",
    "/i/v1/analytics/events": "PostHog events; the answer names each by its uuid",
    "/capture": "A PostHog event",
    "/track": "A PostHog event",
    "/engage": "A PostHog event",
    "/s": "A PostHog recording: taken and not kept",
    "/v1/events": "CloudEvents: structured, binary, or a batch",
}
_BY_QUERY: Final = ("/i", "/e", "/i/v0/e", "/capture", "/track", "/engage")
_ASKED: Final[Mapping[str, str]] = {
    "/array/{key}/config": "What PostHog's browser SDK asks first",
    "/flags": "PostHog's feature flags: there are none",
    "/decide": "PostHog's feature flags: there are none",
}
_ASKED_BY_POST: Final = ("/flags", "/decide")


def document(webhooks: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    """Every route with what it takes, its receipt and its errors.

    Args:
        webhooks: Path and summary of the vendors' routes; what their bodies hold is theirs to say.
    """
    _, schemas = models_json_schema(
        [(model, "validation") for model in (NativeTouchpoint, SegmentCall, SegmentBatch)],
        ref_template=_REF + "{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Touchpoints",
            "version": VERSION,
            "description": "What emitters send. A 200 means durable. Content-Type is not trusted; "
            "bodies may be compressed by gzip, deflate or zstd.",
        },
        "security": [{"basic": []}, {"bearer": []}, {"header": []}, {"query": []}],
        "paths": _paths() | {path: _webhook(summary) for path, summary in webhooks},
        "components": {
            "schemas": {**schemas["$defs"], **_answers()},
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "key as user name"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "webhook-signature",
                    "description": "HMAC-SHA256 over webhook-id.webhook-timestamp.body; vendors "
                    "that sign in a way of their own have their own header",
                },
                "header": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
                "query": {
                    "type": "apiKey",
                    "in": "query",
                    "name": "writeKey",
                    "description": "also api_key, token, access_token",
                },
            },
        },
    }


def _paths() -> dict[str, Any]:
    native = {
        "oneOf": [_of("NativeTouchpoint"), {"type": "array", "items": _of("NativeTouchpoint")}]
    }
    call = _of("SegmentCall")
    paths: dict[str, Any] = {
        "/v1/touchpoints": _post(
            "Native touchpoints: one, an array, or NDJSON", native, "application/x-ndjson"
        )
    }
    for name in _CALLS:
        paths[f"/v1/{name}"] = _post(f"Segment {name}", call)
    for short, name in _SHORT.items():
        paths[f"/v1/{short}"] = _post(f"Segment {name}, as browsers spell it", call)
    for name in ("batch", "b", "import"):
        paths[f"/v1/{name}"] = _post("Segment calls, many at once", _of("SegmentBatch"))
    paths["/v1/m"] = _post("An SDK's metrics of itself: taken and not kept", {"type": "object"})
    for path in ("/v1/projects/{key}/settings", "/projects/{key}/settings"):
        paths[path] = _get("What Segment's SDKs ask first", parameter="key")
    paths["/beacon/v1/batch"] = _post("RudderStack's beacon", _of("SegmentBatch"))
    paths["/sourceConfig"] = _get("What RudderStack's SDKs ask first")
    for path, summary in _TAKEN.items():
        paths[path] = _post(summary, {"type": ["object", "array"]})
    for path, summary in _ASKED.items():
        paths[path] = _get(summary, parameter="key" if "{key}" in path else None)
        if path in _ASKED_BY_POST:
            paths[path] |= {"post": paths[path]["get"]}
    for path in _BY_QUERY:
        paths[path] = {**paths.get(path, {}), **_get("The same, in the query")}
    paths["/healthz"] = _get("Am I up")
    paths["/readyz"] = _get("Can I deliver")
    paths["/openapi.json"] = _get("This document")
    script = {"text/javascript": {"schema": {"type": "string"}}}
    paths["/emitter.js"] = {
        "get": {
            "summary": "The browser emitter, for a script tag",
            "security": [],
            "responses": {"200": {"description": "The script", "content": script}},
        }
    }
    return paths


def _post(summary: str, schema: Mapping[str, Any], *more: str) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    for kind in more:
        content[kind] = {"schema": {"type": "string"}}
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": content},
            "responses": _responses(_of("Receipts")),
        }
    }


def _webhook(summary: str) -> dict[str, Any]:
    """A vendor's route: known by its signature or by a key."""
    route = _post(summary, {}, "application/x-www-form-urlencoded")
    route["post"]["security"] = [
        {name: []} for name in ("signature", "basic", "bearer", "header", "query")
    ]
    return route


def _get(summary: str, parameter: str | None = None) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "security": [],
        "responses": _responses({"type": "object"}, only=("401", "404", "405", "503")),
    }
    if parameter is not None:
        operation["parameters"] = [
            {"name": parameter, "in": "path", "required": True, "schema": {"type": "string"}}
        ]
    return {"get": operation}


def _responses(schema: Mapping[str, Any], only: tuple[str, ...] = tuple(_ERRORS)) -> dict[str, Any]:
    found: dict[str, Any] = {
        "200": {"description": "Durable", "content": {"application/json": {"schema": schema}}}
    }
    for status in only:
        found[status] = {
            "description": _ERRORS[status],
            "content": {"application/json": {"schema": _of("Error")}},
        }
        if status in ("429", "503"):
            found[status]["headers"] = {
                "Retry-After": {"description": "seconds", "schema": {"type": "integer"}}
            }
    return found


def _answers() -> dict[str, Any]:
    text = {"type": "string"}
    receipt = {
        "type": "object",
        "required": ["id", "status"],
        "properties": {
            "id": {"type": ["string", "null"]},
            "status": {"enum": ["accepted", "rejected"]},
            "code": text,
            "where": {**text, "description": "the place, as a JSON path"},
            "expected": text,
            "found": {**text, "description": "in words; never the value"},
        },
    }
    return {
        "Receipt": receipt,
        "Receipts": {
            "type": "object",
            "required": ["success", "status", "accepted", "rejected", "receipts"],
            "properties": {
                "success": {"type": "boolean"},
                "status": {"type": "integer"},
                "accepted": {"type": "integer"},
                "rejected": {"type": "integer"},
                "receipts": {"type": "array", "items": _of("Receipt")},
            },
        },
        "Error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "success": {"const": False},
                "status": {"const": 0},
                "code": text,
                "message": text,
            },
        },
    }


def _of(name: str) -> dict[str, str]:
    return {"$ref": _REF + name}
