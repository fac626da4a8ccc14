"""GET /uploads and /uploads/{upload_id}: the latest uploads, and the status of one."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_REST
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.clients import FAIL_FAST
from store_monitoring.aws.inbox import S3Inbox
from store_monitoring.aws.report_files import S3ReportFiles
from store_monitoring.aws.upload_table import DynamoDbUploads
from store_monitoring.http.app import json_response, new_app, next_page_link
from store_monitoring.http.models import Limit, UploadIdInPath, UploadPageToken
from store_monitoring.http.operations import GET_UPLOAD, LIST_UPLOADS
from store_monitoring.http.upload_responses import upload_body, upload_page_body
from store_monitoring.instants import utc_now
from store_monitoring.logs import logger
from store_monitoring.settings import DownloadLinkSeconds, EnvironmentSettings, ReportRetentionDays
from store_monitoring.uploads import list_uploads, read_upload


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    ingest_table: str
    report_retention_days: ReportRetentionDays
    inbox_bucket: str
    data_bucket: str
    download_link_seconds: DownloadLinkSeconds
    cors_origin: str


settings = Settings.from_environment()
uploads = DynamoDbUploads(settings.ingest_table, settings.report_retention_days, FAIL_FAST)
inbox = S3Inbox(settings.inbox_bucket, FAIL_FAST)
files = S3ReportFiles(settings.data_bucket, settings.download_link_seconds)
app = new_app(settings.cors_origin, validates=True)


@app.get("/uploads", **LIST_UPLOADS)
def get_uploads(limit: Limit = 20, page_token: UploadPageToken = None) -> Response[str]:
    """Return one page of uploads, newest first."""
    now = utc_now()
    page = list_uploads(limit, page_token, now, uploads, inbox, files)
    ends_at = now + timedelta(seconds=settings.download_link_seconds)
    headers = next_page_link(app.current_event, page.end.to_token()) if page.end else {}
    return json_response(HTTPStatus.OK, upload_page_body(page, ends_at), headers)


@app.get("/uploads/<upload_id>", **GET_UPLOAD)
def get_upload(upload_id: UploadIdInPath) -> Response[str]:
    """Return the status of an upload, with a link to its rejected rows."""
    now = utc_now()
    view = read_upload(upload_id, now, uploads, inbox, files)
    ends_at = now + timedelta(seconds=settings.download_link_seconds)
    return json_response(HTTPStatus.OK, upload_body(view, ends_at))


@logger.inject_lambda_context(correlation_id_path=API_GATEWAY_REST, clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from API Gateway."""
    return app.resolve(event, context)
