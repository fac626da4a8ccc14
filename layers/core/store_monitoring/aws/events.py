"""Events on EventBridge's default bus, and notifications through an SNS topic."""

import json
from collections.abc import Sequence

import boto3

from store_monitoring.aws.clients import transient_errors
from store_monitoring.errors import TransientError
from store_monitoring.notifications.events import Event

SOURCE = "store-monitoring"
_BATCH = 10  # EventBridge takes at most ten entries per call


class EventBus:
    """Publishes events on the account's default bus.

    Parameters
    ----------
    state_machine_arn : str
        The resource of the events; rules use it to select the events of one stack.
    """

    def __init__(self, state_machine_arn: str) -> None:
        self._state_machine_arn = state_machine_arn
        self._client = boto3.client("events")

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events, in order."""
        for first in range(0, len(events), _BATCH):
            entries = [
                {
                    "Source": SOURCE,
                    "Resources": [self._state_machine_arn],
                    "DetailType": event.type.value,
                    "Detail": json.dumps(event.detail),
                }
                for event in events[first : first + _BATCH]
            ]
            with transient_errors("publish events"):
                response = self._client.put_events(Entries=entries)
            if failed := response["FailedEntryCount"]:
                raise TransientError(f"cannot publish {failed} of {len(entries)} events")


class SnsNotifications:
    """Messages to an SNS topic.

    Parameters
    ----------
    topic_arn : str
        If empty, nothing is sent.
    """

    def __init__(self, topic_arn: str) -> None:
        self._topic_arn = topic_arn
        self._client = boto3.client("sns")

    def send(self, subject: str, text: str) -> None:
        """Send a message, if there is a topic."""
        if self._topic_arn:
            with transient_errors("send a notification"):
                self._client.publish(TopicArn=self._topic_arn, Subject=subject, Message=text)
