"""GET /: what this is and where its endpoints are."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_REST
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.api import answer, new_app
from store_monitoring.logs import logger
from store_monitoring.settings import Settings

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
        "GET /stores/{store_id}/timeline": "what a store's row of a report rests on",
        "GET /healthz": "whether the service can work",
    },
    "documentation": "/docs; for machines, /openapi.json",
}

settings = Settings.from_environment()
app = new_app(settings.cors_origin)


@app.get("/")
def get_index() -> Response[str]:
    """Say what this is."""
    return answer(HTTPStatus.OK, INDEX)


@logger.inject_lambda_context(correlation_id_path=API_GATEWAY_REST, clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer API Gateway."""
    return app.resolve(event, context)
