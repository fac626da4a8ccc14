"""Uploads whose objects or forms are gone."""

from urllib.parse import urlsplit

from tests.e2e.conftest import User, send_form

POLLS = (
    b"store_id,status,timestamp_utc\n"
    b"uploaded,active,2024-10-14 12:00:00 UTC\n"
    b"uploaded,maybe,2024-10-14 13:00:00 UTC\n"
)


def test_deleted_rejected_rows_have_no_link(guarded: User) -> None:
    form = guarded.create_upload()
    assert send_form(form, POLLS.replace(b"uploaded", b"deleted")).status_code == 204
    key = urlsplit(guarded.ended_upload(form)["rejects_url"]).path.partition("/rejects/")[2]
    bucket = guarded.cloud.outputs["DataBucketName"]
    guarded.s3.delete_object(Bucket=bucket, Key=f"rejects/{key}")
    outcome = guarded.get(f"/uploads/{form['upload_id']}").json()
    assert outcome["rejected"] == 1
    assert "rejects_url" not in outcome


def test_a_form_that_is_not_used_in_time_is_expired(guarded: User) -> None:
    form = guarded.create_upload()
    table = guarded.cloud.outputs["IngestTableName"]
    key = {"log": {"S": f"uploads/{form['fields']['key']}"}, "entry": {"S": "form"}}
    guarded.dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET form_ends_at = :then",
        ExpressionAttributeValues={":then": {"S": "2024-01-01T00:00:00+00:00"}},
    )
    assert guarded.get(f"/uploads/{form['upload_id']}").json()["status"] == "Expired"


def test_a_form_without_a_key_is_refused(guarded: User) -> None:
    response = send_form(guarded.create_upload(), POLLS, key="")
    assert (response.status_code, "AccessDenied" in response.text) == (403, True)
