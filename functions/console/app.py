"""GET /: the console, to browsers; to others, what this is and where its endpoints are."""

from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_REST
from aws_lambda_powertools.utilities.typing import LambdaContext

import store_monitoring
from store_monitoring.aws.upload_forms import upload_origin
from store_monitoring.errors import RouteNotFoundError
from store_monitoring.http.app import answer, new_app, page
from store_monitoring.logs import logger
from store_monitoring.settings import Settings

STATIC = Path(__file__).parent / "static"
LOOK = Path(store_monitoring.__file__).with_name("theme.css")
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript"}
PARTS = {path.name: path for path in (LOOK, *STATIC.iterdir()) if path.suffix in CONTENT_TYPES}
INDEX = {
    "service": "store-monitoring",
    "description": "How long each store was up and down during its own business hours.",
    "endpoints": {
        "POST /trigger_report": "start a report",
        "GET /trigger_report": "the same, for old clients; deprecated",
        "GET /get_report/{report_id}": "how a report stands; with Accept: text/csv, the file",
        "GET /get_report": "the same, with ?report_id=",
        "GET /reports": "the latest reports",
        "POST /reports/{report_id}/retry": "try a failed report again",
        "GET /timeline": "what a store's row of a report rests on, with ?store_id=",
        "GET /stores/{store_id}/timeline": "the same, by path",
        "POST /uploads": "leave to upload a file",
        "GET /uploads/{upload_id}": "what became of an upload",
        "GET /healthz": "whether the service can work",
    },
    "documentation": "/docs; for machines, /openapi.json",
    "console": "/ in a browser",
}

settings = Settings.from_environment()
inbox_origin = upload_origin(settings.inbox_bucket)
app = new_app(settings.cors_origin)


@app.get("/")
def get_root() -> Response[str]:
    """Return the console, or say what this is."""
    event = app.current_event
    if "text/html" not in event.headers.get("Accept", "").lower():
        return answer(HTTPStatus.OK, INDEX, {"Vary": "Accept"})
    # Behind API Gateway, all this lies under the name of a stage, with or without a slash after it.
    base = event.request_context.path.rstrip("/") + "/"
    template = Template((STATIC / "console.html").read_text(encoding="utf-8"))
    return page("text/html", template.substitute(base=base), connect_to=inbox_origin)


@app.get("/console/<part>")
def get_part(part: str) -> Response[str]:
    """Return what the console loads."""
    if part not in PARTS:
        raise RouteNotFoundError("the console has no such part")
    path = PARTS[part]
    return page(CONTENT_TYPES[path.suffix], path.read_text(encoding="utf-8"))


@logger.inject_lambda_context(correlation_id_path=API_GATEWAY_REST, clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer API Gateway."""
    return app.resolve(event, context)
