"""The app that all API functions share: its responses, and one table from errors to responses."""

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import (
    APIGatewayRestResolver,
    CORSConfig,
    Response,
    content_types,
)
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from store_monitoring.errors import (
    IdempotencyKeyReusedError,
    InvalidRequestError,
    MalformedReportIdError,
    NoPollsError,
    ReportFailedError,
    ReportNotFailedError,
    ReportRunningError,
    RequestTooLargeError,
    ResponseTooLargeError,
    RouteNotFoundError,
    StoreMonitoringError,
    TransientError,
    UnknownReportError,
    UnknownStoreError,
    UnknownUploadError,
)
from store_monitoring.logs import logger
from store_monitoring.reports.idempotency import IdempotencyKey
from store_monitoring.reports.request import ReportRequest

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
    IdempotencyKeyReusedError: (HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
    RouteNotFoundError: (HTTPStatus.NOT_FOUND, "not_found"),
    UnknownReportError: (HTTPStatus.NOT_FOUND, "unknown_report"),
    UnknownStoreError: (HTTPStatus.NOT_FOUND, "unknown_store"),
    UnknownUploadError: (HTTPStatus.NOT_FOUND, "unknown_upload"),
    NoPollsError: (HTTPStatus.CONFLICT, "no_polls"),
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


def page_response(content_type: str, text: str, connect_to: str = "") -> Response[str]:
    """Return a page, script or style. A page may load resources of its own origin only.

    Parameters
    ----------
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
    headers = {
        "Cache-Control": f"max-age={_PAGE_MAX_AGE_SECONDS}",
        "Content-Security-Policy": "; ".join(policy),
        "Vary": "Accept",
    }
    return Response(
        int(HTTPStatus.OK), f"{content_type}; charset=utf-8", text, _SECURITY_HEADERS | headers
    )


def json_body(event: APIGatewayProxyEvent) -> object:
    """Return a request's body, decoded from JSON. An empty body becomes an empty object.

    Raises
    ------
    InvalidRequestError
        If the body is not JSON.
    RequestTooLargeError
        If the body is larger than 1 MiB.
    """
    if not event.body:
        return {}
    if len(event.body.encode(errors="surrogatepass")) > _BODY_LIMIT_BYTES:
        raise RequestTooLargeError(f"the body has more than {_BODY_LIMIT_BYTES:,} bytes")
    try:
        return event.json_body
    except (ValueError, RecursionError):  # not JSON, not UTF-8, too many digits or levels
        raise InvalidRequestError("the body is not JSON") from None


def decode_path_parameter(encoded: str) -> str:
    """Decode a path parameter: API Gateway's REST APIs pass it on percent-encoded.

    >>> decode_path_parameter("caf%C3%A9%20%2F%2042%25")
    'café / 42%'

    Raises
    ------
    InvalidRequestError
        If the decoded bytes are not UTF-8.
    """
    try:
        return unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        raise InvalidRequestError("the path is not UTF-8") from None


def idempotency_key(event: APIGatewayProxyEvent, request: ReportRequest) -> IdempotencyKey | None:
    """Return the idempotency key of a request, None if it has none.

    Raises
    ------
    InvalidRequestError
        If the key is malformed.
    """
    key = event.headers.get("Idempotency-Key")
    if key is None:
        return None
    identity = event.request_context.identity
    caller = identity.api_key_id or identity.user_arn or "anonymous"
    return IdempotencyKey.of(caller, key, request)


def new_app(cors_origin: str) -> APIGatewayRestResolver:
    """Return an app whose error responses are ``{"error": {"code", "message"}}``.

    Parameters
    ----------
    cors_origin : str
        The origin whose pages may read the responses, ``*`` for all, empty for none.
    """
    cors = CORSConfig(cors_origin, expose_headers=["Retry-After"]) if cors_origin else None
    app = APIGatewayRestResolver(cors=cors)

    def known_error(error: StoreMonitoringError) -> Response[str]:
        status, code = ERROR_RESPONSES[type(error)]
        headers = {}
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = _RETRY_AFTER_SECONDS
            logger.exception("an upstream service failed")
        return json_response(status, _error(code, str(error)), headers)

    def unexpected_error(_: Exception) -> Response[str]:
        logger.exception("unexpected error")
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return json_response(status, _error("internal_error", "something went wrong on our side"))

    def no_route(_: NotFoundError) -> Response[str]:
        return known_error(RouteNotFoundError("no such route; GET / lists the endpoints"))

    app.not_found(no_route)
    app.exception_handler(list(ERROR_RESPONSES))(known_error)
    app.exception_handler(Exception)(unexpected_error)  # callers never see a stack trace
    return app


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
