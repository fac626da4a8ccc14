"""The outcomes of uploads, in the ingest table.

Key `log`, `entry`:

- ``uploads/<object key>``, a version of the object: the outcome of that upload. It expires.
- ``uploads/<object key>``, ``form``: the presigned POST issued for the key, until an upload under
  the key has an outcome. It expires, too.
- ``uploads``, an object key: the outcome of the last upload under that key, from before the inbox
  was versioned.

The first two are in the index ``by_creation``, except items that are older than the index.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from store_monitoring.aws.clients import transient_errors
from store_monitoring.aws.dynamodb_items import from_item, to_item
from store_monitoring.errors import TransientError
from store_monitoring.ingest.outcomes import (
    UnusedPost,
    Upload,
    UploadCursor,
    UploadOutcome,
    UploadPage,
    UploadStatus,
)
from store_monitoring.instants import to_text, to_us, utc_now

_POST = "form"  # not an S3 version id: those are longer
_BY_CREATION = "by_creation"  # index of presigned POSTs and outcomes, sorted by time
_LIST = "uploads"  # its only partition


class DynamoDbUploads:
    """The recorded outcomes of uploads, in one DynamoDB table.

    Parameters
    ----------
    table : str
    retention_days : int
        How long an outcome is kept.
    config : Config or None
        Timeouts and retries of the client; None for those of boto3.
    clock : callable
        Returns the current time.
    """

    def __init__(
        self,
        table: str,
        retention_days: int,
        config: Config | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._table = table
        self._retention = timedelta(days=retention_days)
        self._clock = clock
        self._client = boto3.client("dynamodb", config=config)

    def get(self, upload: Upload) -> UploadOutcome | None:
        """Return the recorded outcome of an upload, with a strongly consistent read."""
        item = self._get(_partition(upload.key), upload.version)
        return None if item is None else _outcome(upload.key, item)

    def record(self, outcome: UploadOutcome) -> UploadOutcome:
        """Record an outcome unless a final one is recorded; return the recorded one."""
        try:
            with transient_errors("record the upload"):
                self._client.transact_write_items(TransactItems=self.write_requests(outcome))
        except self._client.exceptions.TransactionCanceledException as error:
            if error.response["CancellationReasons"][0]["Code"] != "ConditionalCheckFailed":
                raise TransientError.cannot("record the upload") from error
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
            (_outcome(key, item) for item in items if item["entry"] != _POST),
            key=lambda outcome: (outcome.uploaded_at or outcome.ended_at, outcome.version),
            reverse=True,
        )
        before_versions = self._get("uploads", key)
        return outcomes + ([_outcome(key, before_versions)] if before_versions else [])

    def issue(self, post: UnusedPost) -> None:
        """Record that a presigned POST was issued."""
        item = {
            **_post_key(post.key),
            **_listed(post.issued_at),
            "form_ends_at": post.expires_at.isoformat(),
            "expires_at": self._expires_at(post.expires_at),
        }
        with transient_errors("record the presigned POST"):
            self._client.put_item(TableName=self._table, Item=to_item(item))

    def unused_post(self, key: str) -> UnusedPost | None:
        """Return the presigned POST for a key; None if none was issued, or an outcome is known."""
        item = self._get(_partition(key), _POST)
        return None if item is None else _unused_post(key, item)

    def newest(self, limit: int, after: UploadCursor | None = None) -> UploadPage:
        """Return a page of uploads, newest first; the read is eventually consistent.

        A page may be shorter than its limit although others follow: expired items are skipped.
        """
        start: dict[str, Any] = {}
        if after is not None:
            position = {"list": _LIST, "created_at": after.at}
            key = {"log": _partition(after.key), "entry": after.version}
            start["ExclusiveStartKey"] = to_item(position | key)
        with transient_errors("list the uploads"):
            response = self._client.query(
                TableName=self._table,
                IndexName=_BY_CREATION,
                KeyConditionExpression="#list = :list",
                FilterExpression="expires_at > :now",
                ExpressionAttributeNames={"#list": "list"},
                ExpressionAttributeValues=to_item(
                    {":list": _LIST, ":now": int(self._clock().timestamp())}
                ),
                ScanIndexForward=False,
                Limit=limit,
                **start,
            )
        entries = tuple(_entry(from_item(item)) for item in response["Items"])
        if "LastEvaluatedKey" not in response:
            return UploadPage(entries)
        last = from_item(response["LastEvaluatedKey"])
        return UploadPage(entries, UploadCursor(last["created_at"], _key(last), last["entry"]))

    def write_requests(self, outcome: UploadOutcome) -> list[Any]:
        """Return the writes of a transaction that records an outcome.

        The first write has the condition that no final outcome is recorded.
        """
        values = asdict(outcome) | {"ended_at": outcome.ended_at.isoformat()}
        if outcome.uploaded_at is not None:
            values["uploaded_at"] = outcome.uploaded_at.isoformat()
        condition = "attribute_not_exists(#status) OR #status = :retrying"
        condition_values: dict[str, Any] = {":retrying": UploadStatus.RETRYING.value}
        if outcome.is_final:
            condition += " OR can_be_redriven = :true"
            condition_values[":true"] = True
        item = {
            "log": _partition(values.pop("key")),
            "entry": values.pop("version"),
            **_listed(outcome.uploaded_at or outcome.ended_at),
            "expires_at": self._expires_at(outcome.ended_at),
            **values,
        }
        delete_post = {"TableName": self._table, "Key": to_item(_post_key(outcome.key))}
        put_outcome = {
            "TableName": self._table,
            "Item": to_item(item),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": to_item(condition_values),
        }
        return [{"Put": put_outcome}, {"Delete": delete_post}]

    def _expires_at(self, ended_at: datetime) -> int:
        """Return when an item expires, in seconds: the unit of DynamoDB's TTL."""
        return int((ended_at + self._retention).timestamp())

    def _get(self, partition: str, entry: str) -> dict[str, Any] | None:
        with transient_errors("read the uploads"):
            response = self._client.get_item(
                TableName=self._table,
                Key=to_item({"log": partition, "entry": entry}),
                ConsistentRead=True,
            )
        return from_item(response["Item"]) if "Item" in response else None


_PREFIX = "uploads/"
_NOT_OF_OUTCOMES = ("log", "list", "created_at", "expires_at")


def _partition(key: str) -> str:
    return f"{_PREFIX}{key}"


def _key(item: dict[str, Any]) -> str:
    return str(item["log"]).removeprefix(_PREFIX)


def _post_key(key: str) -> dict[str, str]:
    return {"log": _partition(key), "entry": _POST}


def _listed(created_at: datetime) -> dict[str, str]:
    """Return the attributes that put an item into the index; the texts sort by time."""
    return {"list": _LIST, "created_at": to_text(to_us(created_at))}


def _entry(item: dict[str, Any]) -> UploadOutcome | UnusedPost:
    key = _key(item)
    return _unused_post(key, item) if item["entry"] == _POST else _outcome(key, item)


def _unused_post(key: str, item: dict[str, Any]) -> UnusedPost:
    expires_at = item["form_ends_at"]
    issued_at = item.get("created_at", expires_at)  # older items lack it
    return UnusedPost(key, datetime.fromisoformat(issued_at), datetime.fromisoformat(expires_at))


def _outcome(key: str, item: dict[str, Any]) -> UploadOutcome:
    values = {name: value for name, value in item.items() if name not in _NOT_OF_OUTCOMES}
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
