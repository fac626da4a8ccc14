"""POST /uploads: a presigned POST to upload a file to the inbox."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_REST
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.clients import FAIL_FAST
from store_monitoring.aws.inbox import S3PresignedPosts
from store_monitoring.aws.upload_table import DynamoDbUploads
from store_monitoring.http.app import json_response, new_app
from store_monitoring.http.models import UploadBodyWithExample
from store_monitoring.http.operations import CREATE_UPLOAD
from store_monitoring.http.upload_responses import presigned_post_body
from store_monitoring.instants import utc_now
from store_monitoring.logs import logger
from store_monitoring.settings import DownloadLinkSeconds, EnvironmentSettings, ReportRetentionDays
from store_monitoring.uploads import create_upload


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    inbox_bucket: str
    download_link_seconds: DownloadLinkSeconds
    ingest_table: str
    report_retention_days: ReportRetentionDays
    cors_origin: str


settings = Settings.from_environment()
presigned_posts = S3PresignedPosts(settings.inbox_bucket, settings.download_link_seconds)
uploads = DynamoDbUploads(settings.ingest_table, settings.report_retention_days, FAIL_FAST)
app = new_app(settings.cors_origin, validates=True)


@app.post("/uploads", **CREATE_UPLOAD)
def post_upload(body: UploadBodyWithExample) -> Response[str]:
    """Create an upload of the file that the body describes."""
    now = utc_now()
    expires_at = now + timedelta(seconds=settings.download_link_seconds)
    upload = create_upload(body.to_request(), now, expires_at, presigned_posts, uploads)
    logger.info("upload created", upload_id=upload.upload_id)
    return json_response(HTTPStatus.CREATED, presigned_post_body(upload, expires_at))


@logger.inject_lambda_context(correlation_id_path=API_GATEWAY_REST, clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from API Gateway."""
    return app.resolve(event, context)
