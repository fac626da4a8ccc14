"""Event source mappings: queues and streams of tables whose messages run functions.

moto provides messages, their visibility and dead-letter queues, and the records of streams. Its own
mappings support neither a limit of concurrency nor partial batch responses, and would run functions
in Docker, so the pollers here replace them.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, cast

from moto.core.responses import ActionResult
from moto.dynamodb.models import dynamodb_backends
from moto.events.models import EventPattern
from moto.sqs.models import Message, Queue, sqs_backends
from moto.sqs.responses import SQSResponse

from local.emulator.aws import Functions
from local.emulator.execution_environment import EnvironmentStartError
from local.emulator.faults import Injector, Kind
from local.emulator.patching import patch
from local.emulator.settings import ACCOUNT, REGION

# Shorter than on AWS: the time until a failed message is delivered again.
_RETRY_SECONDS = 0.25
# moto does not signal when a message becomes visible again.
_POLL_INTERVAL_SECONDS = 0.1
_STREAM_BATCH = 1000


@dataclass(frozen=True, slots=True)
class EventSource:
    """An event source mapping of a queue, as in the template.

    Attributes
    ----------
    queue, function : str
        Their ARNs.
    concurrency : int
        The maximum number of the queue's messages that the function processes at once.
    """

    queue: str
    function: str
    concurrency: int


def patch_queues() -> None:
    """Keep moto's queues from losing messages during a delete, and add the redrive of messages.

    A delete copies all other messages of a queue; one that arrives meanwhile would be lost.
    """

    @patch(Queue, "delete_message")
    def delete_message(
        original: Callable[[Queue, str], None], queue: Queue, receipt_handle: str
    ) -> None:
        with queue._messages_lock:
            original(queue, receipt_handle)

    setattr(SQSResponse, "start_message_move_task", _start_message_move_task)  # noqa: B010  # new


def start_polling(source: EventSource, functions: Functions, injector: Injector) -> None:
    """Start running a function for the messages of a queue."""
    poller = _Poller(source, functions, injector)
    threading.Thread(target=poller.poll, daemon=True).start()


def start_streaming(
    stream: str, function: str, patterns: Sequence[str], functions: Functions
) -> None:
    """Start running a function for a table's changes that match one of the patterns.

    As on AWS, one call at a time gets all changes since the last one, and is repeated if it fails.
    """
    shard = dynamodb_backends[ACCOUNT][REGION].get_table(stream.split("/")[1]).stream_shard
    assert shard is not None
    rules = [EventPattern.load(each) for each in patterns]

    def stream_records() -> None:
        seen = 0
        while True:
            changes = shard.get(shard.starting_sequence_number + seen, _STREAM_BATCH)
            # In an event, an instant is a number.
            records = json.loads(json.dumps(changes, default=datetime.timestamp))
            wanted = [each for each in records if any(rule.matches_event(each) for rule in rules)]
            if wanted and not _succeeds(functions, function, wanted):
                time.sleep(_RETRY_SECONDS)
                continue
            seen += len(records)
            if not records:
                time.sleep(_POLL_INTERVAL_SECONDS)

    threading.Thread(target=stream_records, daemon=True).start()


def _succeeds(functions: Functions, function: str, records: Sequence[Mapping[str, Any]]) -> bool:
    try:
        result = functions.invoke(function, json.dumps({"Records": records}).encode())
    except EnvironmentStartError:
        return False
    response = None if result.failed else json.loads(result.payload)
    return not result.failed and not (response or {}).get("batchItemFailures")


class _Poller:
    """Passes a queue's messages to a function, one message per call."""

    def __init__(self, source: EventSource, functions: Functions, injector: Injector) -> None:
        self._source = source
        self._functions = functions
        self._injector = injector
        self._queue = _queue(source.queue)
        self._free = threading.Semaphore(source.concurrency)
        self._pool = ThreadPoolExecutor(source.concurrency)

    def poll(self) -> None:
        while True:
            self._free.acquire()
            self._pool.submit(self._deliver, self._next())

    def _next(self) -> Message:
        """Wait for a message; moto moves those received too often to the dead-letter queue."""
        backend = sqs_backends[ACCOUNT][REGION]
        queue = self._queue
        while True:
            with queue._messages_lock:
                received = backend.receive_message(
                    queue.name,
                    count=1,
                    wait_seconds_timeout=0,
                    visibility_timeout=cast(Any, queue).visibility_timeout,
                )
            if received:
                return received[0]
            queue.wait_for_messages(cast(int, _POLL_INTERVAL_SECONDS))

    def _deliver(self, message: Message) -> None:
        try:
            call = partial(
                _succeeds,
                self._functions,
                self._source.function,
                [_record(message, self._queue)],
            )
            function = self._source.function.split(":")[6]
            if self._injector.fault_for(f"Lambda lambda:Deliver {function}", {Kind.TWICE}):
                threading.Thread(target=call, daemon=True).start()
            if call():
                self._queue.delete_message(cast(str, message.receipt_handle))
            else:
                self._retry(message)
        finally:
            self._free.release()

    def _retry(self, received: Message) -> None:
        """Make a message visible soon, whatever visibility its function has set."""
        with self._queue._messages_lock:
            for message in self._queue._messages:
                if message.id == received.id:
                    message.visible_at = (time.time() + _RETRY_SECONDS) * 1000


def _queue(arn: str) -> Queue:
    return sqs_backends[ACCOUNT][REGION].get_queue(arn.rpartition(":")[2])


def _record(message: Message, queue: Queue) -> dict[str, Any]:
    """Return a message as Lambda puts it into an event."""
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        },
        "messageAttributes": {},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.queue_arn,
        "awsRegion": queue.region,
    }


def _start_message_move_task(self: SQSResponse) -> ActionResult:
    """Move all messages of a dead-letter queue to another queue, as new messages."""
    source = _queue(self._get_param("SourceArn"))
    destination = _queue(self._get_param("DestinationArn"))
    for message in source.messages:
        message.mark_received()
        self.sqs_backend.send_message(destination.name, message.body)
        source.delete_message(cast(str, message.receipt_handle))
    return ActionResult({"TaskHandle": "done"})
