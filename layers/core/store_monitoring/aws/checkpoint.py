"""Which report the changes of stores were last told from: an item beside the reports."""

import boto3

from store_monitoring.aws.aws_errors import transient_errors
from store_monitoring.aws.dynamodb_items import from_item, to_item
from store_monitoring.errors import TransientError
from store_monitoring.notifications.store_changes import Checkpoint

_KEY = {"report_id": "last_told"}  # no UUID, so no report's


class DynamoDbCheckpointStore:
    """The last report that changes were told from, in the table of reports."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._client = boto3.client("dynamodb")

    def get(self) -> Checkpoint | None:
        """Return it, strongly consistent; None if none was told yet."""
        with transient_errors("read which report was told last"):
            answer = self._client.get_item(
                TableName=self._table, Key=to_item(_KEY), ConsistentRead=True
            )
        if "Item" not in answer:
            return None
        item = from_item(answer["Item"])
        return Checkpoint(item["told"], item["now_us"], item.get("started_at", ""))

    def advance(self, before: Checkpoint | None, after: Checkpoint) -> None:
        """Put another in its place, unless that was done already."""
        values = {":before": "" if before is None else before.report_id}
        told = {"told": after.report_id, "now_us": after.now_us, "started_at": after.started_at}
        try:
            with transient_errors("record which report was told last"):
                self._client.put_item(
                    TableName=self._table,
                    Item=to_item(_KEY | told),
                    ConditionExpression="attribute_not_exists(report_id) OR told = :before",
                    ExpressionAttributeValues=to_item(values),
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise TransientError("another report was told at the same time") from error
