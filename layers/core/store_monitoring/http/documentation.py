"""Helpers that describe calls in the OpenAPI document: summaries, responses, errors, examples."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypedDict

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"

# The codes of API Gateway's own errors; template.yaml has their messages.
GATEWAY_CODES = frozenset(
    {"forbidden", "method_not_allowed", "quota_exceeded", "refused", "too_many_requests"}
)


class Operation(TypedDict):
    """Arguments of Powertools' route decorators that describe a call."""

    operation_id: str
    summary: str
    description: str | None
    tags: list[str]
    responses: Any  # Powertools' type lacks what its document may contain
    security: list[dict[str, list[str]]] | None
    deprecated: bool


def operation(
    operation_id: str,
    summary: str,
    *,
    tag: str,
    responses: dict[HTTPStatus, dict[str, Any]],
    description: str | None = None,
    is_open: bool = False,
    deprecated: bool = False,
) -> Operation:
    """Describe a call. Errors that any call can have are added.

    Parameters
    ----------
    operation_id, summary, tag : str
    responses : dict
        Responses by status.
    description : str or None
    is_open : bool
        Whether it needs no authorization.
    deprecated : bool
    """
    common = {
        HTTPStatus.TOO_MANY_REQUESTS: _TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR: _INTERNAL_SERVER_ERROR,
    }
    if not is_open:
        common |= {
            HTTPStatus.FORBIDDEN: _FORBIDDEN,
            HTTPStatus.SERVICE_UNAVAILABLE: _SERVICE_UNAVAILABLE,
        }
    return {
        "operation_id": operation_id,
        "summary": summary,
        "description": description,
        "tags": [tag],
        "responses": {int(status): each for status, each in sorted((common | responses).items())},
        "security": None if is_open else [{"api_key": []}, {"sigv4": []}],
        "deprecated": deprecated,
    }


def response(
    description: str,
    model: object,
    examples: dict[str, object],
    headers: dict[str, str] | None = None,
    links: dict[str, Any] | None = None,
    pages: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Describe a JSON response.

    Parameters
    ----------
    description : str
    model : object
        The type of its body, one of `models`; or its JSON schema.
    examples : dict
        Bodies by name.
    headers : dict or None
        Descriptions of its headers.
    links : dict or None
        The calls that its body has parameters for.
    pages : dict or None
        Bodies of other content types that the call can return: the start of each as an example.
    """
    kind = "schema" if isinstance(model, dict) else "model"
    described: dict[str, Any] = {
        "description": description,
        "content": {JSON: {kind: model, "examples": _named(examples)}, **_pages(pages or {})},
    }
    if headers:
        described["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in headers.items()
        }
    if links:
        described["links"] = links
    return described


def error(
    description: str, examples: dict[str, tuple[str, str]], *, by_gateway: bool = False
) -> dict[str, Any]:
    """Describe an error response.

    Parameters
    ----------
    description : str
    examples : dict
        Code and message of errors, by name.
    by_gateway : bool
        Whether API Gateway returns it: then it is never in the form of problem details.
    """
    bodies = {
        name: {"error": {"code": code, "message": message}}
        for name, (code, message) in examples.items()
    }
    content = {JSON: {"schema": _reference("Error"), "examples": _named(bodies)}}
    if not by_gateway:
        content[PROBLEM_JSON] = {"schema": _reference("Problem")}
    return {"description": description, "content": content}


def problem_members(status: HTTPStatus, message: str) -> dict[str, object]:
    """Return the members of RFC 9457 that an error gets in addition."""
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": message,
    }


def error_schemas(codes: frozenset[str]) -> dict[str, Any]:
    """Return the schemas of errors.

    Parameters
    ----------
    codes : frozenset of str
        The codes of our own errors.
    """
    error = {
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"type": "string", "enum": sorted(codes | GATEWAY_CODES)},
            "message": {"type": "string", "description": "For people; it may change."},
            "field": {
                "type": "string",
                "description": (
                    "The field or parameter that an `invalid_request` is about, if it is about one."
                    " That of a field in an object is `period.to`."
                ),
            },
        },
    }
    return {
        "Error": {"type": "object", "required": ["error"], "properties": {"error": error}},
        "Problem": {
            "type": "object",
            "description": "An error with the members of RFC 9457, if `Accept` asks for them.",
            "examples": [
                problem_members(HTTPStatus.NOT_FOUND, "there is no such upload")
                | {"error": {"code": "unknown_upload", "message": "there is no such upload"}}
            ],
            "required": ["type", "title", "status", "detail", "error"],
            "properties": {
                "type": {"type": "string", "const": "about:blank"},
                "title": {"type": "string"},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {"type": "string"},
                "error": error,
            },
        },
    }


def page(description: str, examples: dict[str, str]) -> dict[str, Any]:
    """Describe a response that is a page, script or style: the start of each by content type."""
    return {"description": description, "content": _pages(examples)}


def _pages(examples: dict[str, str]) -> dict[str, Any]:
    return {
        content_type: {"schema": {"type": "string"}, "examples": _named({"start": text})}
        for content_type, text in examples.items()
    }


def _named(examples: Mapping[str, object]) -> dict[str, Any]:
    return {name: {"value": example} for name, example in examples.items()}


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


_FORBIDDEN = error(
    "The request has no API key, or an invalid one.",
    {"no key": ("forbidden", "the header x-api-key has no valid key")},
    by_gateway=True,
)
_TOO_MANY_REQUESTS = error(
    "Too many requests: per second (`too_many_requests`), or per day (`quota_exceeded`).",
    {
        "rate": ("too_many_requests", "too many requests: try again in a moment"),
        "quota": ("quota_exceeded", "this key has used up its requests of the day"),
    },
    by_gateway=True,
)
_INTERNAL_SERVER_ERROR = error(
    "Something went wrong on our side.",
    {"our side": ("internal_error", "something went wrong on our side")},
)
_SERVICE_UNAVAILABLE = error(
    "An AWS service behind the API failed temporarily. Nothing was started, or the started report"
    " is Failed.",
    {
        "busy": (
            "unavailable",
            "cannot read the report: a service behind it is busy or does not answer",
        )
    },
) | {
    "headers": {
        "Retry-After": {
            "description": "Seconds after which to retry.",
            "schema": {"type": "integer", "minimum": 1},
        }
    }
}
