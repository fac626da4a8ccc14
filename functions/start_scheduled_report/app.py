"""Called by EventBridge Scheduler: start a report."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.executions import StateMachineExecutions
from store_monitoring.aws.report_files import S3ReportFiles
from store_monitoring.aws.report_table import ReportTable
from store_monitoring.domain.time_zones import local_time
from store_monitoring.instants import to_us, utc_now
from store_monitoring.logs import log_context, logger
from store_monitoring.metrics import Metric, emit
from store_monitoring.reports.lifecycle import start_report
from store_monitoring.reports.request import IdempotencyKey, ScheduledRequest
from store_monitoring.settings import DownloadLinkSeconds, EnvironmentSettings, ReportRetentionDays


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    report_table: str
    report_retention_days: ReportRetentionDays
    state_machine_arn: str
    data_bucket: str
    download_link_seconds: DownloadLinkSeconds
    scheduled_request: str
    schedule_zone: str


settings = Settings.from_environment()
reports = ReportTable(settings.report_table, timedelta(days=settings.report_retention_days))
executions = StateMachineExecutions(settings.state_machine_arn)
files = S3ReportFiles(settings.data_bucket, settings.download_link_seconds)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Start the report of one scheduled time. A repeated call starts no second report."""
    scheduled_us = to_us(datetime.fromisoformat(event["scheduled_time"]))
    today = local_time(settings.schedule_zone, scheduled_us).date()
    request, now = ScheduledRequest(settings.scheduled_request).on(today), utc_now()
    key = IdempotencyKey.of("schedule", event["scheduled_time"], request)
    report = start_report(request, now, reports, executions, files, key)
    with log_context(report_id=report.report_id):
        emit({Metric.REPORTS_STARTED: int(report.attempted_at == now)})
        logger.info("report started", scheduled_time=event["scheduled_time"])
