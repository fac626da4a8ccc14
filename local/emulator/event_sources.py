"""Event source mappings: queues whose messages run functions.

moto keeps messages, their visibility and their way to a dead-letter queue. Its own mappings know
neither a limit of concurrency nor which messages of a batch failed, so ours take their place.
"""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from moto.core.responses import ActionResult
from moto.sqs.models import Message, Queue, sqs_backends
from moto.sqs.responses import SQSResponse

from local.emulator.aws import Functions
from local.emulator.execution_environment import EnvironmentStartError
from local.emulator.faults import Injector, Kind
from local.emulator.patching import replace
from local.emulator.settings import ACCOUNT, REGION

# A message that failed waits less than on AWS before it is delivered again.
_RETRY_SECONDS = 0.25
# A message that becomes visible again wakes nobody.
_LOOK_EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class EventSource:
    """What the template says about an event source mapping of a queue.

    Attributes
    ----------
    queue, function : str
        Their ARNs.
    concurrency : int
        At most so many of the queue's messages are with the function at once.
    """

    queue: str
    function: str
    concurrency: int


def patch_queues() -> None:
    """Keep moto's queues from losing messages that come meanwhile, and let messages be redriven."""

    def alone(original: Callable[[Queue, str], None]) -> Callable[[Queue, str], None]:
        def delete_message(queue: Queue, receipt_handle: str) -> None:
            with queue._messages_lock:
                original(queue, receipt_handle)

        return delete_message

    replace(Queue, "delete_message", alone)
    setattr(SQSResponse, "start_message_move_task", _start_message_move_task)  # noqa: B010  # new


def start_polling(source: EventSource, functions: Functions, injector: Injector) -> None:
    """Run a function for the messages of a queue, from now on."""
    poller = _Poller(source, functions, injector)
    threading.Thread(target=poller.poll, daemon=True).start()


class _Poller:
    """Passes a queue's messages on to a function, one a call."""

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
        """Wait for a message; one that was received too often goes to the dead-letter queue."""
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
            queue.wait_for_messages(cast(int, _LOOK_EVERY_SECONDS))

    def _deliver(self, message: Message) -> None:
        try:
            event = json.dumps({"Records": [_record(message, self._queue)]}).encode()
            function = self._source.function.split(":")[6]
            if self._injector.fault_for(f"Lambda lambda:Deliver {function}", {Kind.TWICE}):
                threading.Thread(target=self._succeeds, args=(event,), daemon=True).start()
            if self._succeeds(event):
                self._queue.delete_message(cast(str, message.receipt_handle))
            else:
                self._retry(message)
        finally:
            self._free.release()

    def _succeeds(self, event: bytes) -> bool:
        try:
            result = self._functions.invoke(self._source.function, event)
        except EnvironmentStartError:
            return False
        answer = None if result.failed else json.loads(result.payload)
        return not result.failed and not (answer or {}).get("batchItemFailures")

    def _retry(self, received: Message) -> None:
        """Make a message visible soon, whatever its function has asked for."""
        with self._queue._messages_lock:
            for message in self._queue._messages:
                if message.id == received.id:
                    message.visible_at = (time.time() + _RETRY_SECONDS) * 1000


def _queue(arn: str) -> Queue:
    return sqs_backends[ACCOUNT][REGION].get_queue(arn.rpartition(":")[2])


def _record(message: Message, queue: Queue) -> dict[str, Any]:
    """Return a message as Lambda passes it on."""
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
    """Move all messages of a dead-letter queue to another queue, where they are new ones."""
    source = _queue(self._get_param("SourceArn"))
    destination = _queue(self._get_param("DestinationArn"))
    with source._messages_lock:
        moved = source.messages
        source._messages = [message for message in source._messages if message not in moved]
    for message in moved:
        self.sqs_backend.send_message(destination.name, message.body)
    return ActionResult({"TaskHandle": "done"})
