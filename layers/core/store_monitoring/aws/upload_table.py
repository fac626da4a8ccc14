"""The outcomes of uploads, in the ingest table.

Key `log`, `entry`:

- ``uploads/<object key>``, a version of the object: the outcome of that upload. It expires.
- ``uploads/<object key>``, ``form``: the presigned POST issued for the key. It expires, too.
- ``uploads``, an object key: the outcome of the last upload under that key, from before the inbox
  was versioned.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from store_monitoring.aws.clients import error_code, transient_errors
from store_monitoring.aws.dynamodb_items import from_item, to_item
from store_monitoring.ingest.outcomes import Upload, UploadOutcome, UploadStatus

_FORM = "form"  # shorter than any S3 version id


class DynamoDbUploads:
    """The recorded outcomes of uploads, in one DynamoDB table.

    Parameters
    ----------
    table : str
    retention_days : int
        How long an outcome is kept.
    config : Config or None
        Timeouts and retries of the client; None for those of boto3.
    """

    def __init__(self, table: str, retention_days: int, config: Config | None = None) -> None:
        self._table = table
        self._retention = timedelta(days=retention_days)
        self._client = boto3.client("dynamodb", config=config)

    def get(self, upload: Upload) -> UploadOutcome | None:
        """Return the recorded outcome of an upload, with a strongly consistent read."""
        item = self._get(_partition(upload.key), upload.version)
        return None if item is None else _outcome(upload.key, item)

    def record(self, outcome: UploadOutcome) -> UploadOutcome:
        """Record an outcome unless a final one is recorded; return the recorded one."""
        try:
            with transient_errors("record the upload"):
                self._client.put_item(**self.put_request(outcome))
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            item = self._get(_partition(outcome.key), outcome.version)
            return outcome if item is None else _outcome(outcome.key, item)
        return outcome

    def of_key(self, key: str) -> Sequence[UploadOutcome]:
        """Return the outcomes under a key, newest first, with a strongly consistent read."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="#log = :partition",
            ExpressionAttributeNames={"#log": "log"},
            ExpressionAttributeValues=to_item({":partition": _partition(key)}),
        )
        with transient_errors("read the uploads"):
            items = [from_item(item) for page in pages for item in page["Items"]]
        outcomes = sorted(
            (_outcome(key, item) for item in items if item["entry"] != _FORM),
            key=lambda outcome: (outcome.uploaded_at or outcome.ended_at, outcome.version),
            reverse=True,
        )
        before_versions = self._get("uploads", key)
        return outcomes + ([_outcome(key, before_versions)] if before_versions else [])

    def issue(self, key: str, form_ends_at: datetime) -> None:
        """Record that a presigned POST was issued for a key, and when it expires."""
        item = {
            "log": _partition(key),
            "entry": _FORM,
            "form_ends_at": form_ends_at.isoformat(),
            "expires_at": int((form_ends_at + self._retention).timestamp()),
        }
        with transient_errors("record the presigned POST"):
            self._client.put_item(TableName=self._table, Item=to_item(item))

    def form_ends_at(self, key: str) -> datetime | None:
        """Return when the presigned POST for a key expires; None if none was issued."""
        item = self._get(_partition(key), _FORM)
        return None if item is None else datetime.fromisoformat(item["form_ends_at"])

    def put_request(self, outcome: UploadOutcome) -> Any:
        """Return the PutItem request that records an outcome; it can be part of a transaction."""
        values = asdict(outcome) | {"ended_at": outcome.ended_at.isoformat()}
        if outcome.uploaded_at is not None:
            values["uploaded_at"] = outcome.uploaded_at.isoformat()
        names = {"#status": "status"}
        condition = "attribute_not_exists(#status) OR #status = :retrying"
        condition_values: dict[str, Any] = {":retrying": UploadStatus.RETRYING.value}
        if outcome.is_final:
            condition += " OR can_be_redriven = :true"
            condition_values[":true"] = True
        return {
            "TableName": self._table,
            "Item": to_item(
                {
                    "log": _partition(values.pop("key")),
                    "entry": values.pop("version"),
                    "expires_at": int((outcome.ended_at + self._retention).timestamp()),
                    **values,
                }
            ),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": to_item(condition_values),
        }

    def _get(self, partition: str, entry: str) -> dict[str, Any] | None:
        with transient_errors("read the uploads"):
            response = self._client.get_item(
                TableName=self._table,
                Key=to_item({"log": partition, "entry": entry}),
                ConsistentRead=True,
            )
        return from_item(response["Item"]) if "Item" in response else None


def _partition(key: str) -> str:
    return f"uploads/{key}"


def _outcome(key: str, item: dict[str, Any]) -> UploadOutcome:
    values = {name: value for name, value in item.items() if name not in ("log", "expires_at")}
    version = values.pop("entry")
    uploaded_at = values.pop("uploaded_at", None)
    values["partial_store_ids"] = tuple(values.get("partial_store_ids", ()))
    return UploadOutcome(
        key=key,
        version="" if item["log"] == "uploads" else version,
        status=UploadStatus(values.pop("status")),
        uploaded_at=None if uploaded_at is None else datetime.fromisoformat(uploaded_at),
        ended_at=datetime.fromisoformat(values.pop("ended_at")),
        **values,
    )
