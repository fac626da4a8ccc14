"""The pages for browsers, open to all: the console, the documentation, the OpenAPI document."""

from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Any

import aws_lambda_powertools.event_handler
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_REST
from aws_lambda_powertools.utilities.typing import LambdaContext

import store_monitoring
from store_monitoring.aws.inbox import upload_origin
from store_monitoring.errors import RouteNotFoundError
from store_monitoring.http.app import json_response, new_app, page_response
from store_monitoring.http.open_operations import (
    GET_CONSOLE_PART,
    GET_DOCS,
    GET_DOCS_PART,
    GET_INDEX,
    GET_OPENAPI,
    ConsolePart,
    DocsPart,
)
from store_monitoring.logs import logger
from store_monitoring.settings import EnvironmentSettings

HERE = Path(__file__).parent
THEME = Path(store_monitoring.__file__).with_name("theme.css")
SWAGGER_UI = resources.files(aws_lambda_powertools.event_handler) / "openapi" / "swagger_ui"
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript"}
# The scripts and styles of each page, by the last part of their path.
PARTS: dict[str, dict[str, Traversable]] = {
    "console": {
        path.name: path
        for path in (THEME, *(HERE / "console").iterdir())
        if path.suffix in CONTENT_TYPES
    },
    "docs": {
        "docs.css": HERE / "docs" / "docs.css",
        "docs.js": HERE / "docs" / "docs.js",
        "swagger-ui.css": SWAGGER_UI / "swagger-ui.min.css",
        "swagger-ui.js": SWAGGER_UI / "swagger-ui-bundle.min.js",
    },
}
INDEX = {
    "service": "store-monitoring",
    "description": "How long each store was up and down during its own business hours.",
    "endpoints": {
        "POST /trigger_report": "start a report",
        "GET /trigger_report": "the same, for old clients; deprecated",
        "GET /get_report/{report_id}": "the status of a report; with Accept: text/csv, its file",
        "GET /get_report": "the same, with ?report_id=",
        "GET /reports": "the latest reports",
        "GET /reports/{report_id}/summary": "the summary of a report",
        "GET /reports/{report_id}/stores": "find stores of a report",
        "POST /reports/{report_id}/retry": "retry a failed report",
        "GET /stores": "find stores in the newest report of all stores",
        "GET /stores/{store_id}/timeline": "the last week of a store",
        "GET /timeline": "the same, with ?store_id=",
        "GET /stores/{store_id}/history": "the uptime of a store by day, week or month",
        "POST /uploads": "a presigned POST to upload a file",
        "GET /uploads": "the latest uploads",
        "GET /uploads/{upload_id}": "the outcome of an upload",
        "GET /healthz": "whether the service is healthy",
    },
    "documentation": "/docs; for machines, /openapi.json",
    "console": "/ in a browser",
}


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    inbox_bucket: str
    cors_origin: str


settings = Settings.from_environment()
inbox_origin = upload_origin(settings.inbox_bucket)
app = new_app(settings.cors_origin)


@app.get("/", **GET_INDEX)
def get_root() -> Response[str]:
    """Return the console to a browser, the list of endpoints to other clients."""
    event = app.current_event
    if "text/html" not in event.headers.get("Accept", "").lower():
        return json_response(HTTPStatus.OK, INDEX, {"Vary": "Accept"})
    # Behind API Gateway, the path begins with the stage's name; a trailing slash may be missing.
    base = event.request_context.path.rstrip("/") + "/"
    template = Template((HERE / "console" / "console.html").read_text(encoding="utf-8"))
    text = template.substitute(base=base)
    return page_response(event, "text/html", text, connect_to=inbox_origin)


@app.get("/console/<part>", **GET_CONSOLE_PART)
def get_console_part(part: ConsolePart) -> Response[str]:
    """Return a script or style of the console."""
    return _part("console", part)


@app.get("/docs", **GET_DOCS)
def get_docs() -> Response[str]:
    """Return the page that shows the OpenAPI document, with Swagger UI."""
    text = (HERE / "docs" / "docs.html").read_text(encoding="utf-8")
    return page_response(app.current_event, "text/html", text)


@app.get("/docs/<part>", **GET_DOCS_PART)
def get_docs_part(part: DocsPart) -> Response[str]:
    """Return a script or style of the documentation."""
    return _part("docs", part)


@app.get("/openapi.json", **GET_OPENAPI)
def get_openapi() -> Response[str]:
    """Return the OpenAPI document."""
    text = (HERE / "openapi.json").read_text(encoding="utf-8")
    return page_response(app.current_event, "application/json", text)


def _part(page: str, part: str) -> Response[str]:
    """Return a script or style of a page."""
    if part not in PARTS[page]:
        raise RouteNotFoundError("the page has no such file")
    text = PARTS[page][part].read_text(encoding="utf-8")
    return page_response(app.current_event, CONTENT_TYPES[Path(part).suffix], text)


@logger.inject_lambda_context(correlation_id_path=API_GATEWAY_REST, clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from API Gateway."""
    return app.resolve(event, context)
