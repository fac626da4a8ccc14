"""GET /openapi.json and /docs: the OpenAPI document, and the page that shows it."""

from importlib import resources
from pathlib import Path
from typing import Any

import aws_lambda_powertools.event_handler
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_REST
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.errors import RouteNotFoundError
from store_monitoring.http.app import new_app, page_response
from store_monitoring.logs import logger
from store_monitoring.settings import Settings

HERE = Path(__file__).parent
SWAGGER_UI = resources.files(aws_lambda_powertools.event_handler) / "openapi" / "swagger_ui"
PARTS = {
    "docs.css": ("text/css", HERE / "docs.css"),
    "docs.js": ("text/javascript", HERE / "docs.js"),
    "swagger-ui.css": ("text/css", SWAGGER_UI / "swagger-ui.min.css"),
    "swagger-ui.js": ("text/javascript", SWAGGER_UI / "swagger-ui-bundle.min.js"),
}

settings = Settings.from_environment()
app = new_app(settings.cors_origin)


@app.get("/openapi.json")
def get_openapi() -> Response[str]:
    """Return the OpenAPI document."""
    return page_response("application/json", (HERE / "openapi.json").read_text())


@app.get("/docs")
def get_docs() -> Response[str]:
    """Return the page that shows the document, with Swagger UI."""
    return page_response("text/html", (HERE / "docs.html").read_text())


@app.get("/docs/<part>")
def get_part(part: str) -> Response[str]:
    """Return a script or style of the page."""
    if part not in PARTS:
        raise RouteNotFoundError("the page has no such file")
    content_type, file = PARTS[part]
    return page_response(content_type, file.read_text(encoding="utf-8"))


@logger.inject_lambda_context(correlation_id_path=API_GATEWAY_REST, clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from API Gateway."""
    return app.resolve(event, context)
