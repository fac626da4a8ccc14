"""A report's objects and their presigned URLs, without a network."""

from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from store_monitoring.aws.report_files import S3ReportFiles
from store_monitoring.errors import MissingObjectError, TransientError

REGIONS = ["us-east-1", "eu-central-1"]


@pytest.fixture(params=REGIONS)
def region(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_DEFAULT_REGION", request.param)
    return request.param


@pytest.fixture
def files(region: str) -> S3ReportFiles:
    return S3ReportFiles("data-bucket", link_seconds=900)


def test_a_presigned_url_is_regional_and_signed_with_version_4(
    files: S3ReportFiles, region: str
) -> None:
    url = urlsplit(files.presigned_url("reports/r/report.csv", "store-report-r.csv"))
    query = {name: value for name, [value] in parse_qs(url.query).items()}
    assert url.scheme == "https"
    assert url.netloc == f"data-bucket.s3.{region}.amazonaws.com"
    assert url.path == "/reports/r/report.csv"
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Credential"].startswith("AKIDEXAMPLE/")
    assert query["X-Amz-Credential"].endswith(f"/{region}/s3/aws4_request")
    assert query["X-Amz-Security-Token"] == "session"
    assert query["X-Amz-Expires"] == "900"
    assert query["response-content-disposition"] == 'attachment; filename="store-report-r.csv"'
    assert len(query["X-Amz-Signature"]) == 64


def test_a_presigned_page_url_shows_the_page(files: S3ReportFiles) -> None:
    url = urlsplit(files.presigned_page_url("reports/r/report.html"))
    query = {name: value for name, [value] in parse_qs(url.query).items()}
    assert query["response-content-disposition"] == "inline"
    assert query["response-content-type"] == "text/html; charset=utf-8"


def test_the_start_of_an_object_is_read(files: S3ReportFiles) -> None:
    with Stubber(files._client) as stub:
        expected = {"Bucket": "data-bucket", "Key": "rejects/i.csv", "Range": "bytes=0-9"}
        stub.add_response("get_object", {"Body": BytesIO(b"line,reaso")}, expected)
        assert files.read_start("rejects/i.csv", 10) == b"line,reaso"


def test_json_is_written_with_its_content_type(files: S3ReportFiles) -> None:
    with Stubber(files._client) as stub:
        stub.add_response(
            "put_object",
            {},
            {
                "Bucket": "data-bucket",
                "Key": "reports/r/plan.json",
                "Body": b'{"stores": [1, 2]}',
                "ContentType": "application/json",
            },
        )
        files.write_json("reports/r/plan.json", {"stores": [1, 2]})
        stub.assert_no_pending_responses()


def test_an_existing_object_is_not_overwritten(files: S3ReportFiles) -> None:
    expected = {
        "Bucket": "data-bucket",
        "Key": "reports/r/plan.json",
        "Body": b"{}",
        "ContentType": "application/json",
        "IfNoneMatch": "*",
    }
    with Stubber(files._client) as stub:
        stub.add_response("put_object", {}, expected)
        assert files.create_json("reports/r/plan.json", {})
        stub.add_client_error("put_object", "PreconditionFailed", expected_params=expected)
        assert not files.create_json("reports/r/plan.json", {})
        stub.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
        with pytest.raises(TransientError, match="cannot write reports/r/plan"):
            files.create_json("reports/r/plan.json", {})
        stub.add_client_error("put_object", "AccessDenied", http_status_code=403)
        with pytest.raises(ClientError, match="AccessDenied"):
            files.create_json("reports/r/plan.json", {})


def test_a_missing_object_is_an_error(files: S3ReportFiles) -> None:
    with Stubber(files._client) as stub:
        stub.add_client_error("get_object", "NoSuchKey", http_status_code=404)
        with pytest.raises(MissingObjectError, match=r"reports/r/request\.json"):
            files.read_json("reports/r/request.json")


def test_all_pages_are_counted(files: S3ReportFiles) -> None:
    expected = {"Bucket": "data-bucket", "Prefix": "reports/r/parts/"}
    with Stubber(files._client) as stub:
        first_page = {"KeyCount": 1000, "IsTruncated": True, "NextContinuationToken": "next"}
        stub.add_response("list_objects_v2", first_page, expected)
        stub.add_response(
            "list_objects_v2", {"KeyCount": 7}, expected | {"ContinuationToken": "next"}
        )
        assert files.count("reports/r/parts/") == 1007


def test_transient_errors(files: S3ReportFiles) -> None:
    with Stubber(files._client) as stub:
        stub.add_client_error("put_object", "SlowDown", http_status_code=503)
        with pytest.raises(TransientError, match="cannot write reports/r/plan"):
            files.write_json("reports/r/plan.json", {})
        stub.add_client_error("list_objects_v2", "InternalError", http_status_code=500)
        with pytest.raises(TransientError, match="cannot list reports/r/parts/"):
            files.count("reports/r/parts/")
