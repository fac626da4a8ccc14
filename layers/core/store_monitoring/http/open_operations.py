"""The descriptions of the calls that need no authorization; without Pydantic."""

from http import HTTPStatus
from typing import Literal

from store_monitoring.http.documentation import Operation, error, operation, page, response

ConsolePart = Literal[
    "action_button.js",
    "addresses.js",
    "api.js",
    "connection.js",
    "console.css",
    "console.js",
    "csv_kinds.js",
    "dom.js",
    "first_steps.js",
    "forms.js",
    "heat_map.js",
    "history.js",
    "live_list.js",
    "make_report.js",
    "overview.js",
    "period_overview.js",
    "report_files.js",
    "report_request.js",
    "report_row.js",
    "reports.js",
    "sample.js",
    "send_file.js",
    "series.js",
    "settings.js",
    "store.js",
    "store_parts.js",
    "stores.js",
    "strip.js",
    "tables.js",
    "texts.js",
    "theme.css",
    "tip.js",
    "upload_queue.js",
    "upload_row.js",
    "uploads.js",
    "week.js",
    "worst_stores.js",
]
DocsPart = Literal["docs.css", "docs.js", "swagger-ui.css", "swagger-ui.js"]

_INDEX = {
    "type": "object",
    "required": ["service", "description", "endpoints", "documentation", "console"],
    "properties": {
        "service": {"type": "string", "const": "store-monitoring"},
        "description": {"type": "string"},
        "endpoints": {"type": "object", "additionalProperties": {"type": "string"}},
        "documentation": {"type": "string"},
        "console": {"type": "string"},
    },
}
_HEALTH = {
    "type": "object",
    "required": ["ok"],
    "properties": {
        "ok": {"type": "boolean"},
        "unreachable": {"type": "array", "items": {"type": "string"}},
    },
}
_DOCUMENT = {
    "type": "object",
    "required": ["openapi", "info", "paths"],
    "properties": {
        "openapi": {"type": "string"},
        "info": {"type": "object"},
        "paths": {"type": "object"},
    },
}
_NO_SUCH_FILE = error(
    "The page has no such file.",
    {"unknown": ("not_found", "the page has no such file")},
)
_NOT_MODIFIED = {"description": "`If-None-Match` has the current `ETag`.", "content": {}}
_HTML = {"text/html": "<!doctype html>…"}


def _get_part(operation_id: str, summary: str, script: str) -> Operation:
    """Describe a call that returns a file of a page; `script` is an example of one."""
    return operation(
        operation_id,
        summary,
        tag="service",
        is_open=True,
        responses={
            HTTPStatus.OK: page(
                "A script or a style sheet.",
                {"text/css": "body { margin: 0; }", "text/javascript": script},
            ),
            HTTPStatus.NOT_MODIFIED: _NOT_MODIFIED,
            HTTPStatus.NOT_FOUND: _NO_SUCH_FILE,
        },
    )


GET_INDEX = operation(
    "get_index",
    "List the endpoints; browsers get the console",
    tag="service",
    is_open=True,
    responses={
        HTTPStatus.OK: response(
            "The service and its endpoints.",
            _INDEX,
            {
                "start": {
                    "service": "store-monitoring",
                    "description": (
                        "How long each store was up and down during its own business hours."
                    ),
                    "endpoints": {"POST /trigger_report": "start a report"},
                    "documentation": "/docs; for machines, /openapi.json",
                    "console": "/ in a browser",
                }
            },
            pages=_HTML,
        ),
        HTTPStatus.NOT_MODIFIED: _NOT_MODIFIED,
    },
)
GET_CONSOLE_PART = _get_part("get_console_part", "Get a file of the console", "export {};")
GET_DOCS = operation(
    "get_docs",
    "Get this document as a page",
    tag="service",
    is_open=True,
    responses={HTTPStatus.OK: page("A page.", _HTML), HTTPStatus.NOT_MODIFIED: _NOT_MODIFIED},
)
GET_DOCS_PART = _get_part("get_docs_part", "Get a file of that page", "SwaggerUIBundle({});")
GET_OPENAPI = operation(
    "get_openapi",
    "Get this document",
    tag="service",
    is_open=True,
    responses={
        HTTPStatus.OK: response(
            "An OpenAPI 3.1 document.",
            _DOCUMENT,
            {
                "start": {
                    "openapi": "3.1.0",
                    "info": {"title": "Store monitoring", "version": "1.0.0"},
                    "paths": {},
                }
            },
        ),
        HTTPStatus.NOT_MODIFIED: _NOT_MODIFIED,
    },
)

GET_HEALTH = operation(
    "get_health",
    "Check the health of the service",
    tag="service",
    description="The result is at most five seconds old.",
    is_open=True,
    responses={
        HTTPStatus.OK: response(
            "All tables and buckets can be reached.", _HEALTH, {"healthy": {"ok": True}}
        ),
        HTTPStatus.SERVICE_UNAVAILABLE: response(
            "Some tables or buckets cannot be reached.",
            _HEALTH,
            {"unhealthy": {"ok": False, "unreachable": ["data bucket"]}},
        ),
    },
)
