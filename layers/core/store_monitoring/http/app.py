"""The app that all API functions share, and its responses; one table maps errors to responses."""

import json
from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import (
    APIGatewayRestResolver,
    CORSConfig,
    Response,
    content_types,
)
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.errors import (
    IdempotencyKeyReusedError,
    InvalidRequestError,
    MalformedReportIdError,
    NoPollsError,
    NoReportError,
    ReportFailedError,
    ReportNotFailedError,
    ReportRunningError,
    RequestTooLargeError,
    ResponseTooLargeError,
    RouteNotFoundError,
    StoreMonitoringError,
    TooManyStoresError,
    TransientError,
    UnknownReportError,
    UnknownStoreError,
    UnknownUploadError,
)
from store_monitoring.http.documentation import PROBLEM_JSON, problem_members
from store_monitoring.logs import logger
from store_monitoring.reports.request import IdempotencyKey, ReportRequest

_RETRY_AFTER_SECONDS = "2"
_BODY_LIMIT_BYTES = 1024 * 1024
_LAMBDA_LIMIT_BYTES = 6 * 1024 * 1024  # of the returned event; our body is a JSON string in it
_HEADERS_BYTES = 64 * 1024  # reserved for all that is returned beside the body
_PAGE_MAX_AGE_SECONDS = 300

_SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
}

ERROR_RESPONSES: dict[type[StoreMonitoringError], tuple[HTTPStatus, str]] = {
    RequestTooLargeError: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request_too_large"),
    InvalidRequestError: (HTTPStatus.BAD_REQUEST, "invalid_request"),
    MalformedReportIdError: (HTTPStatus.BAD_REQUEST, "malformed_report_id"),
    ResponseTooLargeError: (HTTPStatus.UNPROCESSABLE_ENTITY, "response_too_large"),
    TooManyStoresError: (HTTPStatus.UNPROCESSABLE_ENTITY, "too_many_stores"),
    IdempotencyKeyReusedError: (HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
    RouteNotFoundError: (HTTPStatus.NOT_FOUND, "not_found"),
    UnknownReportError: (HTTPStatus.NOT_FOUND, "unknown_report"),
    UnknownStoreError: (HTTPStatus.NOT_FOUND, "unknown_store"),
    UnknownUploadError: (HTTPStatus.NOT_FOUND, "unknown_upload"),
    NoPollsError: (HTTPStatus.CONFLICT, "no_polls"),
    NoReportError: (HTTPStatus.CONFLICT, "no_report"),
    ReportRunningError: (HTTPStatus.CONFLICT, "report_running"),
    ReportFailedError: (HTTPStatus.CONFLICT, "report_failed"),
    ReportNotFailedError: (HTTPStatus.CONFLICT, "report_not_failed"),
    TransientError: (HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
}


def json_response(
    status: HTTPStatus,
    body: object,
    headers: dict[str, str] | None = None,
    advice: str = "ask for less",
) -> Response[str]:
    """Return a JSON response. Its headers forbid caching, framing and content sniffing.

    Parameters
    ----------
    status : HTTPStatus
    body : object
        Anything that `json.dumps` takes.
    headers : dict or None
        Further headers.
    advice : str
        How to get a smaller response; the end of the error message if this one is too large.

    Raises
    ------
    ResponseTooLargeError
        If the response is larger than Lambda can return.
    """
    text = json.dumps(body)
    size, limit = len(json.dumps(text)), _LAMBDA_LIMIT_BYTES - _HEADERS_BYTES
    if size > limit:
        raise ResponseTooLargeError(
            f"the response has {size:,} bytes, more than {limit:,}: {advice}"
        )
    return Response(
        int(status), content_types.APPLICATION_JSON, text, _SECURITY_HEADERS | (headers or {})
    )


def page_response(
    event: APIGatewayProxyEvent, content_type: str, text: str, connect_to: str = ""
) -> Response[str]:
    """Return a page, script, style or document, or 304 if the client's copy is current.

    The policy allows a page to load resources of its own origin only.

    Parameters
    ----------
    event : APIGatewayProxyEvent
        The request.
    content_type, text : str
    connect_to : str
        A further origin that the page's scripts may call.
    """
    policy = (
        "default-src 'none'",
        f"connect-src 'self' {connect_to}".rstrip(),
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    tag = f'"{sha256(text.encode()).hexdigest()[:32]}"'
    headers = _SECURITY_HEADERS | {
        "Cache-Control": f"max-age={_PAGE_MAX_AGE_SECONDS}",
        "Content-Security-Policy": "; ".join(policy),
        "ETag": tag,
        "Vary": "Accept",
    }
    if tag in event.headers.get("If-None-Match", ""):  # a list, maybe with weak tags
        return Response(int(HTTPStatus.NOT_MODIFIED), None, "", headers)
    return Response(int(HTTPStatus.OK), f"{content_type}; charset=utf-8", text, headers)


def next_page_link(event: APIGatewayProxyEvent, page_token: str) -> dict[str, str]:
    """Return the header that links to the next page: the same query with its token (RFC 8288)."""
    query = urlencode({**event.query_string_parameters, "page_token": page_token})
    return {"Link": f'<?{query}>; rel="next"'}


def idempotency_key(
    event: APIGatewayProxyEvent, key: str | None, request: ReportRequest
) -> IdempotencyKey | None:
    """Return the idempotency key of a request, None if it has none."""
    if key is None:
        return None
    identity = event.request_context.identity
    caller = identity.api_key_id or identity.user_arn or "anonymous"
    return IdempotencyKey.of(caller, key, request)


class Api(APIGatewayRestResolver):
    """Powertools' resolver, adapted to requests as API Gateway and old clients send them."""

    def resolve(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Handle a request.

        A body is JSON whatever its `Content-Type`: curl calls it a form by default. Of repeated
        parameters and headers the last one counts.
        """
        headers = event.get("headers") or {}
        body = event.get("body")
        if body and event.get("isBase64Encoded"):
            # What is not UTF-8 becomes surrogates, which `_json_object` refuses.
            body = b64decode(body).decode(errors="surrogateescape")
        plain = {
            "headers": {
                name: value for name, value in headers.items() if name.lower() != "content-type"
            },
            "multiValueHeaders": None,
            "multiValueQueryStringParameters": None,
            "body": body or "{}",
            "isBase64Encoded": False,
        }
        return super().resolve({**event, **plain}, context)


def new_app(cors_origin: str, *, validates: bool = False) -> Api:
    """Return an app whose error responses are ``{"error": {"code", "message"}}``.

    An error about one field or parameter also has `field`, its name. For clients that accept
    `application/problem+json`, errors are also problem details (RFC 9457).

    Parameters
    ----------
    cors_origin : str
        The origin whose pages may read the responses, ``*`` for all, empty for none.
    validates : bool
        Whether handlers have parameters or bodies that Pydantic checks.
    """
    exposed = ["Deprecation", "ETag", "Link", "Retry-After"]
    app = Api(
        cors=CORSConfig(cors_origin, expose_headers=exposed) if cors_origin else None,
        enable_validation=validates,
        json_body_deserializer=_json_object,
    )

    def error_response(
        status: HTTPStatus,
        code: str,
        message: str,
        headers: dict[str, str] | None = None,
        field: str | None = None,
    ) -> Response[str]:
        about = {} if field is None else {"field": field}
        body: dict[str, object] = {"error": {"code": code, "message": message, **about}}
        headers = headers or {}
        if PROBLEM_JSON in app.current_event.headers.get("Accept", "").lower():
            body = problem_members(status, message) | body
            headers = headers | {"Content-Type": PROBLEM_JSON}
        return json_response(status, body, headers)

    def known_error(error: StoreMonitoringError) -> Response[str]:
        status, code = ERROR_RESPONSES[type(error)]
        headers = {}
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = _RETRY_AFTER_SECONDS
            logger.exception("an upstream service failed")
        field = error.field if isinstance(error, InvalidRequestError) else None
        return error_response(status, code, str(error), headers, field)

    def invalid_request(error: RequestValidationError) -> Response[str]:
        return known_error(_request_error(error.errors()[0], app.current_event.path))

    def unexpected_error(_: Exception) -> Response[str]:
        logger.exception("unexpected error")
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return error_response(status, "internal_error", "something went wrong on our side")

    def no_route(_: NotFoundError) -> Response[str]:
        return known_error(RouteNotFoundError("no such route; GET / lists the endpoints"))

    app.not_found(no_route)
    app.exception_handler(list(ERROR_RESPONSES))(known_error)
    app.exception_handler(RequestValidationError)(invalid_request)
    app.exception_handler(Exception)(unexpected_error)  # callers never see a stack trace
    return app


def _request_error(error: Mapping[str, Any], path: str) -> StoreMonitoringError:
    """Return the error for what Pydantic found; the message names the field.

    >>> missing = {"loc": ("query", "store_id"), "type": "missing", "msg": "Field required"}
    >>> _request_error(missing, "/timeline")
    InvalidRequestError('store_id: missing; this is GET /timeline?store_id=')
    >>> _request_error({**missing, "loc": ("body", "period", "to")}, "/trigger_report")
    InvalidRequestError('period.to: missing')
    """
    place, field, *within = error["loc"]
    if field == "report_id":  # a missing one; `checked_report_id` rejects malformed ones
        return MalformedReportIdError("a report_id is a UUID, as trigger_report returned it")
    if field == "period":  # an object with fields of its own
        field = ".".join([field, *within[:1]])
    match error["type"]:
        case "extra_forbidden":
            return InvalidRequestError(f"unknown field {field!r}", field)
        case "missing" if place == "query":
            reason = f"missing; this is GET {path}?{field}="
        case "missing":
            reason = "missing"
        case "value_error":
            reason = str(error["ctx"]["error"])
        case "too_short":
            reason = "at least {min_length} needed, not {actual_length}".format(**error["ctx"])
        case "too_long":
            reason = "at most {max_length} allowed, not {actual_length}".format(**error["ctx"])
        case _:
            reason = f"{error['msg'][0].lower()}{error['msg'][1:]}"
    return InvalidRequestError.about(field, reason)


def _json_object(text: str) -> dict[str, Any]:
    """Decode a body.

    Raises
    ------
    InvalidRequestError
        If it is not a JSON object.
    RequestTooLargeError
        If it is larger than 1 MiB.
    """
    try:
        if len(text.encode()) > _BODY_LIMIT_BYTES:
            raise RequestTooLargeError(f"the body has more than {_BODY_LIMIT_BYTES:,} bytes")
        body = json.loads(text)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, too many digits or levels
        raise InvalidRequestError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise InvalidRequestError("the body is not a JSON object")
    return body
