"""POST /trigger_report (or GET, for old clients): start a report."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_REST
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.executions import StateMachineExecutions
from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.aws.report_files import S3ReportFiles
from store_monitoring.aws.report_table import ReportTable
from store_monitoring.http.app import idempotency_key, json_response, new_app
from store_monitoring.http.models import IdempotencyKeyHeader, ReportBody, ReportBodyOrNone
from store_monitoring.http.operations import TRIGGER_DEFAULT_REPORT, TRIGGER_REPORT
from store_monitoring.http.report_responses import started_body
from store_monitoring.instants import utc_now
from store_monitoring.logs import logger
from store_monitoring.metrics import Metric, emit
from store_monitoring.reports.lifecycle import start_report
from store_monitoring.reports.request import ReportRequest, check_attributes
from store_monitoring.settings import (
    BucketCount,
    DownloadLinkSeconds,
    EnvironmentSettings,
    ReportRetentionDays,
)


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    report_table: str
    report_retention_days: ReportRetentionDays
    state_machine_arn: str
    ingest_table: str
    bucket_count: BucketCount
    data_bucket: str
    download_link_seconds: DownloadLinkSeconds
    cors_origin: str


settings = Settings.from_environment()
reports = ReportTable(settings.report_table, timedelta(days=settings.report_retention_days))
executions = StateMachineExecutions(settings.state_machine_arn)
files = S3ReportFiles(settings.data_bucket, settings.download_link_seconds)
log = DynamoDbIngestLog(settings.ingest_table, settings.bucket_count)
app = new_app(settings.cors_origin, validates=True)

NO_FIELDS = ReportBody()
DEPRECATION = {
    "Deprecation": "@1795478400",  # since 2026-11-24, as RFC 9745 writes it
    "Link": '<trigger_report>; rel="successor-version"',  # the same path, with POST
}


@app.post("/trigger_report", **TRIGGER_REPORT)
def post_trigger_report(
    body: ReportBodyOrNone = NO_FIELDS, key: IdempotencyKeyHeader = None
) -> Response[str]:
    """Start the report that the body describes; an empty body means the default report."""
    request = body.to_request()
    if request.where or request.group_by:
        known = log.snapshot().attributes
        check_attributes("where", [each.attribute for each in request.where], known)
        check_attributes("group_by", request.group_by, known)
    return _start(request, key, {})


@app.get("/trigger_report", **TRIGGER_DEFAULT_REPORT)
def get_trigger_report(key: IdempotencyKeyHeader = None) -> Response[str]:
    """Start the default report."""
    return _start(ReportRequest(), key, DEPRECATION)


def _start(request: ReportRequest, key: str | None, headers: dict[str, str]) -> Response[str]:
    now = utc_now()
    own_key = idempotency_key(app.current_event, key, request)
    report = start_report(request, now, reports, executions, files, own_key)
    logger.append_keys(report_id=report.report_id)
    # A repeated Idempotency-Key returns a report that was started before.
    is_new = report.attempted_at == now
    emit({Metric.REPORTS_STARTED: int(is_new)})
    logger.info("report started" if is_new else "request repeated")
    return json_response(HTTPStatus.ACCEPTED, started_body(report), headers)


@logger.inject_lambda_context(correlation_id_path=API_GATEWAY_REST, clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from API Gateway."""
    return app.resolve(event, context)
