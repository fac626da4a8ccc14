"""The checkpoint of store changes: an item in the table of reports."""

import boto3

from store_monitoring.aws.clients import transient_errors
from store_monitoring.aws.dynamodb_items import from_item, to_item
from store_monitoring.errors import TransientError
from store_monitoring.notifications.store_changes import Checkpoint

_KEY = {"report_id": "last_told"}  # not a UUID, so not the id of a report


class DynamoDbCheckpointStore:
    """The last report whose store changes were published, in the table of reports."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._client = boto3.client("dynamodb")

    def get(self) -> Checkpoint | None:
        """Return the checkpoint, with a strongly consistent read; None if there is none yet."""
        with transient_errors("read the checkpoint of store changes"):
            response = self._client.get_item(
                TableName=self._table, Key=to_item(_KEY), ConsistentRead=True
            )
        if "Item" not in response:
            return None
        item = from_item(response["Item"])
        return Checkpoint(item["told"], item["now_us"], item.get("started_at", ""))

    def advance(self, before: Checkpoint | None, after: Checkpoint) -> None:
        """Replace the checkpoint, on condition that it is still `before`."""
        values = {":before": "" if before is None else before.report_id}
        item = {"told": after.report_id, "now_us": after.now_us, "started_at": after.started_at}
        try:
            with transient_errors("record the checkpoint of store changes"):
                self._client.put_item(
                    TableName=self._table,
                    Item=to_item(_KEY | item),
                    ConditionExpression="attribute_not_exists(report_id) OR told = :before",
                    ExpressionAttributeValues=to_item(values),
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise TransientError("another call moved the checkpoint of store changes") from error
