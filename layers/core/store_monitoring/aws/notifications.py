"""Notifications to people, through an SNS topic."""

import boto3

from store_monitoring.aws.aws_errors import transient_errors


class Notifications:
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
