"""Write `openapi.json` from the handlers' routes and models: `make openapi`."""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi import OpenAPIMerge
from aws_lambda_powertools.event_handler.openapi.models import Server, Tag

from store_monitoring.http.app import ERROR_RESPONSES
from store_monitoring.http.documentation import error_schemas

FUNCTIONS = Path(__file__).resolve().parents[1] / "functions"
DOCUMENT = FUNCTIONS / "pages" / "openapi.json"

# In the order of the document.
API_FUNCTIONS = (
    *("trigger_report", "get_report", "list_reports", "retry_report", "list_stores"),
    *("get_timeline", "create_upload", "get_upload", "pages", "healthz"),
)
_ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "BUCKET_COUNT": "64",
    "CORS_ORIGIN": "",
    "COVERAGE_MINUTES": "120",
    "DATA_BUCKET": "data",
    "DOWNLOAD_LINK_SECONDS": "900",
    "FUTURE_POLL_TOLERANCE_MINUTES": "60",
    "INBOX_BUCKET": "inbox",
    "INGEST_TABLE": "ingests",
    "MAP_CONCURRENCY": "100",
    "NOTIFICATION_TOPIC_ARN": "",
    "POLL_MEMORY_DAYS": "14",
    "REPORT_RETENTION_DAYS": "90",
    "REPORT_TABLE": "reports",
    "SHARD_POLLS": "50000",
    "STATE_MACHINE_ARN": "arn:aws:states:us-east-1:123456789012:stateMachine:report",
    "STORE_EVENT_LIMIT": "0",
    "TARGET_PERCENT": "99",
    "UPLOAD_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/uploads",
}
_SECURITY_SCHEMES: dict[str, Any] = {
    "api_key": {
        "type": "apiKey",
        "name": "x-api-key",
        "in": "header",
        "description": "The stack's key, unless the stack was made with `ApiAuth: AWS_IAM`.",
    },
    "sigv4": {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "description": (
            "AWS Signature Version 4 by a principal that may `execute-api:Invoke`, if the stack"
            " was made with `ApiAuth: AWS_IAM`."
        ),
    },
}

_GUIDES = """\
Trigger a report, poll its status, download it. Timestamps are ISO 8601 in UTC. Each call below can
be tried on this page; **Authorize** takes the API key.

### Make a report

1. `POST /trigger_report`, with `{}` for all stores as of the last poll. The response has the
   `report_id`.
2. `GET /get_report/{report_id}` until `status` is `Complete` or `Failed`; meanwhile, `progress`
   counts the shards.
3. Download the CSV from `url`, within 15 minutes; for a new link, repeat step 2. With
   `?download=true`, that call redirects to the file.

### Read the figures

- `GET /reports/{report_id}/summary`: all stores together.
- `GET /stores`: find, filter and sort the stores of the newest report, page by page.
- `GET /stores/{store_id}/timeline`: why a store has its figures: its polls, hours and outages.

### Upload data

1. `POST /uploads` with the `kind` and the name of a CSV file returns a `url` and form `fields`.
2. POST the file to that URL as `multipart/form-data`: first all fields, then the file as `file`.
3. `GET /uploads/{upload_id}` until `status` is `Committed`, `Unchanged` or `Failed`.

### Errors

An error is `{"error": {"code", "message"}}`: codes are stable, messages are for people. With
`Accept: application/problem+json`, it has the members of RFC 9457, too.
"""
_WHAT_TO_DO = {
    "forbidden": "Send a valid key in the header `x-api-key`; check the path, too.",
    "idempotency_key_reused": "Use a new `Idempotency-Key` for another request.",
    "internal_error": "Try again later; tell the operators, whose logs have the details.",
    "invalid_request": "Correct the field or parameter that the message names.",
    "malformed_report_id": "Use the `report_id` that `POST /trigger_report` returned.",
    "method_not_allowed": "Use a method that the header `Allow` names.",
    "no_polls": "Upload a file of polls first, or name an `as_of`.",
    "no_report": "Make a report of all stores first.",
    "not_found": "Check the path: `GET /` lists the calls.",
    "quota_exceeded": "Wait until tomorrow, or ask the operators for a higher quota.",
    "refused": "Check the key or signature, and the format of the request.",
    "report_failed": "See `error` in `GET /get_report/{report_id}`, and retry if `can_retry`.",
    "report_not_failed": "Only failed reports are retried.",
    "report_running": "Wait until the report is Complete.",
    "request_too_large": "Send at most 1 MiB.",
    "response_too_large": "Ask for a part by `from` and `to`.",
    "too_many_requests": "Wait a moment, and send less at a time.",
    "too_many_stores": "Download the report, or make one with `where`.",
    "unavailable": "Try again after the seconds in `Retry-After`.",
    "unknown_report": "Check the id; reports expire.",
    "unknown_store": "Find the store by `GET /stores?q=`, which suggests similar ids.",
    "unknown_upload": "Check the id; uploads expire.",
}
"""What callers can do about each error code."""

_GATEWAY_STATUSES = {
    **{"forbidden": "403", "method_not_allowed": "405", "refused": "4xx"},
    **{"quota_exceeded": "429", "too_many_requests": "429"},
}


def _errors() -> str:
    """Return a table of the error codes in Markdown, by status."""
    statuses = _GATEWAY_STATUSES | {"internal_error": "500"}
    statuses |= {code: str(status.value) for status, code in ERROR_RESPONSES.values()}
    rows = sorted((statuses[code], code) for code in statuses)
    lines = [f"| {status} | `{code}` | {_WHAT_TO_DO[code]} |" for status, code in rows]
    return "\n".join(["| status | code | what to do |", "|---|---|---|", *lines])


def document() -> dict[str, Any]:
    """Return the OpenAPI document of all calls."""
    merge = OpenAPIMerge(
        title="Store monitoring",
        version="1.0.0",
        summary="How long each store was up and down during its own business hours.",
        description=f"{_GUIDES}\n{_errors()}",
        servers=[Server(url=".")],
        tags=[Tag(name="reports"), Tag(name="uploads"), Tag(name="service")],
        on_conflict="error",
    )
    for function in API_FUNCTIONS:
        schema = load_app(function).get_openapi_schema(security_schemes=_SECURITY_SCHEMES)
        merge.add_schema(schema.model_dump(by_alias=True, exclude_none=True))
    merged: dict[str, Any] = json.loads(merge.get_openapi_json_schema())
    schemas: dict[str, Any] = merged["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):
        schemas.pop(unused, None)
    ours = frozenset(code for _, code in ERROR_RESPONSES.values()) | {"internal_error"}
    schemas |= error_schemas(ours)
    merged["components"]["schemas"] = dict(sorted(schemas.items()))
    for methods in merged["paths"].values():
        for operation in methods.values():
            operation["responses"] = _responses(operation["responses"])
    return merged | {part: _without_titles(merged[part]) for part in ("paths", "components")}


def text() -> str:
    """Return the document as it is stored."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(text(), encoding="utf-8")


def load_app(function: str) -> APIGatewayRestResolver:
    """Load a function's handler and return its app."""
    name, path = f"function_{function}", FUNCTIONS / function / "app.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with patch.dict(os.environ, _ENVIRONMENT):
        spec.loader.exec_module(module)
    app: APIGatewayRestResolver = module.app
    return app


def _responses(responses: dict[str, Any]) -> dict[str, Any]:
    """Return responses by status, without Powertools' own 422: what it describes is our 400."""
    return {
        status: response
        for status, response in sorted(responses.items())
        if response["description"] != "Validation Error"
    }


def _without_titles(value: Any) -> Any:
    """Drop Pydantic's titles, which repeat the names of fields. A field `title` is no string."""
    if isinstance(value, dict):
        return {
            name: each if name == "examples" else _without_titles(each)
            for name, each in value.items()
            if name != "title" or not isinstance(each, str)
        }
    if isinstance(value, list):
        return [_without_titles(each) for each in value]
    return value


if __name__ == "__main__":
    main()
