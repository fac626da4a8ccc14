"""The HTTP side of our errors: one table from exceptions to answers."""

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

_LAMBDA_LIMIT_BYTES = 6 * 1024 * 1024  # of what a function returns, with our body as a JSON string

_HEADERS_BYTES = 64 * 1024  # and whatever else is returned with a body

_PAGE_LASTS_SECONDS = 300

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


def answer(
    status: HTTPStatus,
    body: object,
    headers: dict[str, str] | None = None,
    ask_for_less: str = "ask for less",
) -> Response[str]:
    """Return an answer in JSON, for nobody to keep, to frame or to take for something else.

    Raises
    ------
    ResponseTooLargeError
        If Lambda would not return it; the message ends with `ask_for_less`.
    """
    text = json.dumps(body)
    size, limit = len(json.dumps(text)), _LAMBDA_LIMIT_BYTES - _HEADERS_BYTES
    if size > limit:
        raise ResponseTooLargeError(
            f"the response has {size:,} bytes, more than {limit:,}: {ask_for_less}"
        )
    return Response(
        int(status), content_types.APPLICATION_JSON, text, _SECURITY_HEADERS | (headers or {})
    )


def page(content_type: str, text: str, connect_to: str = "") -> Response[str]:
    """Return a page or a part of one, which may load what comes from the same place only.

    Parameters
    ----------
    content_type, text : str
    connect_to : str
        Another origin that the page's scripts may call.
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
        "Cache-Control": f"max-age={_PAGE_LASTS_SECONDS}",
        "Content-Security-Policy": "; ".join(policy),
        "Vary": "Accept",
    }
    return Response(
        int(HTTPStatus.OK), f"{content_type}; charset=utf-8", text, _SECURITY_HEADERS | headers
    )


def json_body(event: APIGatewayProxyEvent) -> object:
    """Return a request's body, decoded; an empty one is an empty object.

    Raises
    ------
    InvalidRequestError
        If it is not JSON.
    RequestTooLargeError
        If it is larger than any request that makes sense.
    """
    if not event.body:
        return {}
    if len(event.body.encode(errors="surrogatepass")) > _BODY_LIMIT_BYTES:
        raise RequestTooLargeError(f"the body has more than {_BODY_LIMIT_BYTES:,} bytes")
    try:
        return event.json_body
    except (ValueError, RecursionError):  # no JSON, no UTF-8, a number or a depth beyond reason
        raise InvalidRequestError("the body is not JSON") from None


def path_text(encoded: str) -> str:
    """Return what a part of a path says: a REST API hands it on percent-encoded, as it came.

    >>> path_text("caf%C3%A9%20%2F%2042%25")
    'café / 42%'

    Raises
    ------
    InvalidRequestError
        If it is not UTF-8.
    """
    try:
        return unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        raise InvalidRequestError("the path is not UTF-8") from None


def idempotency_key(event: APIGatewayProxyEvent, request: ReportRequest) -> IdempotencyKey | None:
    """Return the key that a request came with, None if it came without.

    Raises
    ------
    InvalidRequestError
        If it is not of the form that we take.
    """
    key = event.headers.get("Idempotency-Key")
    if key is None:
        return None
    identity = event.request_context.identity
    caller = identity.api_key_id or identity.user_arn or "anonymous"
    return IdempotencyKey.of(caller, key, request)


def new_app(cors_origin: str) -> APIGatewayRestResolver:
    """Return an app whose errors are answered as ``{"error": {"code", "message"}}``.

    Parameters
    ----------
    cors_origin : str
        The origin whose pages may read the answers, ``*`` for all, empty for none.
    """
    cors = CORSConfig(cors_origin, expose_headers=["Retry-After"]) if cors_origin else None
    app = APIGatewayRestResolver(cors=cors)

    def answer_known(error: StoreMonitoringError) -> Response[str]:
        status, code = ERROR_RESPONSES[type(error)]
        headers = {}
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = _RETRY_AFTER_SECONDS
            logger.exception("an upstream service failed")
        return answer(status, _error(code, str(error)), headers)

    def answer_unknown(_: Exception) -> Response[str]:
        logger.exception("a bug")
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return answer(status, _error("internal_error", "something went wrong on our side"))

    def answer_no_route(_: NotFoundError) -> Response[str]:
        return answer_known(RouteNotFoundError("there is nothing here; GET / says what there is"))

    app.not_found(answer_no_route)
    app.exception_handler(list(ERROR_RESPONSES))(answer_known)
    app.exception_handler(Exception)(answer_unknown)  # the outermost boundary: no trace leaves it
    return app


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
