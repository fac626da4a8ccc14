"""GET /healthz: whether the tables and buckets can be reached."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_REST
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.health import Health
from store_monitoring.http.app import json_response, new_app
from store_monitoring.http.open_operations import GET_HEALTH
from store_monitoring.logs import logger
from store_monitoring.settings import EnvironmentSettings


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    report_table: str
    ingest_table: str
    data_bucket: str
    inbox_bucket: str
    cors_origin: str


settings = Settings.from_environment()
health = Health(
    tables={"report table": settings.report_table, "ingest table": settings.ingest_table},
    buckets={"data bucket": settings.data_bucket, "inbox bucket": settings.inbox_bucket},
)
app = new_app(settings.cors_origin)


@app.get("/healthz", **GET_HEALTH)
def get_healthz() -> Response[str]:
    """Return 200 if all tables and buckets can be reached, else 503 and the names of the others."""
    if missing := health.unreachable():
        return json_response(HTTPStatus.SERVICE_UNAVAILABLE, {"ok": False, "unreachable": missing})
    return json_response(HTTPStatus.OK, {"ok": True})


@logger.inject_lambda_context(correlation_id_path=API_GATEWAY_REST, clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from API Gateway."""
    return app.resolve(event, context)
