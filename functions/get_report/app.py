"""GET /get_report and /reports/{report_id}/summary: a report's status, links and summary."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_REST
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.executions import StateMachineExecutions
from store_monitoring.aws.report_files import S3ReportFiles
from store_monitoring.aws.report_table import ReportTable
from store_monitoring.http.app import json_response, new_app
from store_monitoring.http.models import Download, ReportIdInPath, ReportIdInQuery
from store_monitoring.http.operations import GET_REPORT, GET_REPORT_BY_QUERY, GET_SUMMARY
from store_monitoring.http.report_responses import report_body
from store_monitoring.instants import utc_now
from store_monitoring.logs import logger
from store_monitoring.reports.queries import read_report, read_summary
from store_monitoring.reports.report import Format, Status
from store_monitoring.settings import DownloadLinkSeconds, EnvironmentSettings, ReportRetentionDays


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    report_table: str
    report_retention_days: ReportRetentionDays
    state_machine_arn: str
    data_bucket: str
    download_link_seconds: DownloadLinkSeconds
    cors_origin: str


settings = Settings.from_environment()
reports = ReportTable(settings.report_table, timedelta(days=settings.report_retention_days))
executions = StateMachineExecutions(settings.state_machine_arn)
files = S3ReportFiles(settings.data_bucket, settings.download_link_seconds)
app = new_app(settings.cors_origin, validates=True)


@app.get("/get_report", **GET_REPORT_BY_QUERY)
def get_report_by_query(report_id: ReportIdInQuery, download: Download = "false") -> Response[str]:
    """Return the status of the report that the query string names."""
    return get_report(report_id, download)


@app.get("/get_report/<report_id>", **GET_REPORT)
def get_report(report_id: ReportIdInPath, download: Download = "false") -> Response[str]:
    """Return the status of a report, or redirect to its CSV file."""
    accept, now = app.current_event.headers.get("Accept", ""), utc_now()
    logger.append_keys(report_id=report_id)
    view = read_report(report_id, now, reports, executions, files)
    logger.info("report read", status=view.report.status.value)
    body = report_body(view, now + timedelta(seconds=settings.download_link_seconds))
    if download == "true" or "text/csv" in accept.lower():
        if view.report.status is Status.COMPLETE:
            return json_response(HTTPStatus.SEE_OTHER, body, {"Location": view.urls[Format.CSV]})
        has_failed = view.report.status is Status.FAILED
        return json_response(HTTPStatus.CONFLICT if has_failed else HTTPStatus.ACCEPTED, body)
    return json_response(HTTPStatus.OK, body)


@app.get("/reports/<report_id>/summary", **GET_SUMMARY)
def get_summary(report_id: ReportIdInPath) -> Response[str]:
    """Return the summary of a report."""
    logger.append_keys(report_id=report_id)
    summary = read_summary(report_id, utc_now(), reports, executions, files)
    return json_response(HTTPStatus.OK, summary)


@logger.inject_lambda_context(correlation_id_path=API_GATEWAY_REST, clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from API Gateway."""
    return app.resolve(event, context)
