"""One deployment in one schedule: the functions of the template, wired to services in memory.

Each function does what its handler in `functions/` does, without the parts about HTTP and logs.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from random import Random
from typing import Any

from store_monitoring.aws.checkpoint import DynamoDbCheckpointStore
from store_monitoring.aws.executions import StateMachineExecutions, failure_of
from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.aws.report_table import ReportTable
from store_monitoring.aws.upload_table import DynamoDbUploads
from store_monitoring.delete_store import delete_store
from store_monitoring.domain.parameters import DAY_US, DEFAULT_COVERAGE_US
from store_monitoring.errors import TransientError, UploadFailedError
from store_monitoring.ingest.compaction import compact_polls
from store_monitoring.ingest.deadline import Deadline
from store_monitoring.ingest.delivery import (
    ingest_upload,
    record_failed_attempt,
    redelivery_seconds,
)
from store_monitoring.ingest.outcomes import Delivery, Upload, fail_upload
from store_monitoring.ingest.take_back import take_back_ingest
from store_monitoring.instants import to_text
from store_monitoring.notifications.events import Event, EventType
from store_monitoring.notifications.report_events import announce_end
from store_monitoring.notifications.store_changes import publish_store_changes
from store_monitoring.reports.lifecycle import end_report, retry_report, start_report
from store_monitoring.reports.merge import merge_report
from store_monitoring.reports.planner import plan_report
from store_monitoring.reports.queries import read_report
from store_monitoring.reports.request import IdempotencyKey, ReportRequest
from store_monitoring.reports.shard import compute_shard
from store_monitoring.storage.keys import shards_key
from tests.simulation.cloud import (
    Function,
    Integrations,
    Lambda,
    Message,
    Queue,
    StepFunctions,
)
from tests.simulation.dynamodb import DynamoDb
from tests.simulation.library import Environment, other_environment, set_environment
from tests.simulation.objects import (
    Bucket,
    MemoryFiles,
    MemoryInbox,
    MemoryObjects,
    MemoryTables,
)
from tests.simulation.scheduler import START, Scheduler, ServiceError
from tests.simulation.state_machine import StateError, StateMachine
from tests.template.translation import ROOT

BUCKET_COUNT = 2
MEMORY_DAYS = 14
RETENTION = timedelta(days=2)  # of reports, and of files that compaction replaced
SMALLEST = timedelta(microseconds=1)
SHARD_POLLS = 110_000  # a shard for each bucket
_INGEST_SECONDS = 900
_API_SECONDS = 29
_GRACE_SECONDS = 60
_ARN = "arn:aws:states:eu-central-1:1:stateMachine:reports"
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_NAMES = {
    "PlanAndMergeFunctionArn": "plan_and_merge",
    "ComputeShardFunctionArn": "compute_shard",
    "ReportTable": "reports",
}


@dataclass(frozen=True)
class Settings:
    """What differs between the worlds of two schedules.

    Attributes
    ----------
    concurrency
        How many functions may run at once.
    ingest_concurrency
        How many messages of the upload queue are processed at once.
    lateness
        The mean seconds until an event of S3 or EventBridge is delivered.
    duplicates
        The probability that such an event, or a message, is delivered twice.
    inline_shards
        Up to how many shards an inline Map computes; more are a Distributed Map.
    """

    concurrency: int = 20
    ingest_concurrency: int = 4
    lateness: float = 0.1
    duplicates: float = 0.0
    inline_shards: int = 40


class World:
    """The deployment.

    Parameters
    ----------
    scheduler
    settings

    Attributes
    ----------
    on_write
        Called after each write to DynamoDB: see `DynamoDb`.
    errors
        The functions that raised an error, with it.
    events
        What was published.
    acknowledged
        The uploads that S3 has acknowledged, each with the name of its file.
    by_key
        The ids of reports that clients were given, by idempotency key.
    deleted
        The stores that clients wanted to delete.
    """

    def __init__(self, scheduler: Scheduler, settings: Settings) -> None:
        self.scheduler = scheduler
        self.settings = settings
        self.rng = Random(scheduler.seed)
        self.on_write: list[Callable[[str, list[Any]], None]] = []
        self.dynamodb = DynamoDb(
            scheduler,
            {"ingests": ("log", "entry"), "reports": ("report_id",)},
            lambda table, changes: [each(table, changes) for each in self.on_write],
        )
        self.bucket = Bucket(scheduler)
        self.inbox = MemoryInbox(Bucket(scheduler))
        self.tables = MemoryTables(self.bucket)
        self.files = MemoryFiles(self.bucket)
        self.objects = MemoryObjects(self.bucket)
        self.functions = Lambda(scheduler, settings.concurrency, self._on_error)
        self.functions.functions |= self._deployed()
        self.errors: list[tuple[str, Exception]] = []
        self.acknowledged: list[tuple[Upload, str]] = []
        self.by_key: dict[str, set[str]] = {}
        self.deleted: set[str] = set()
        self.events: list[Event] = []
        self.upload_count = 0
        self.dead_letters: list[Message] = []
        failures = Queue(self.functions, "fail_upload", 60, 10, 2, self.dead_letters)
        self.queue = Queue(
            *(self.functions, "ingest", 5400, 5, settings.ingest_concurrency, failures),
            duplicates=settings.duplicates,
        )
        self.failures = failures
        requests = Integrations(self.functions, self.dynamodb, self._read_items)
        self.executions = StepFunctions(
            scheduler,
            StateMachine(definition(settings.inline_shards), scheduler, requests),
            self._execution_ended,
        )
        clients = {"dynamodb": self.dynamodb, "stepfunctions": self.executions}
        self.environment = Environment(scheduler, clients)
        set_environment(self.environment)
        self.uploads = DynamoDbUploads("ingests", RETENTION.days)
        self.log = DynamoDbIngestLog("ingests", BUCKET_COUNT, uploads=self.uploads)
        self.reports = ReportTable("reports", RETENTION, self.clock)
        self.checkpoints = DynamoDbCheckpointStore("reports")
        self.machine = StateMachineExecutions(_ARN)

    def clock(self) -> datetime:
        return self.scheduler.instant

    def upload(self, key: str, content: bytes) -> Upload:
        """Upload a file; an event is on its way to the queue."""
        version = self.inbox.put(key, content)
        self.upload_count += 1
        uploaded_at = START + self.upload_count * SMALLEST  # only their order matters
        upload = Upload(key, "etag", uploaded_at, version)
        self.scheduler.say(f"uploads {key}")
        self._deliver(lambda: self.queue.send(upload))
        return upload

    def redrive(self) -> None:
        """Move the messages of the dead-letter queue back to the queue of uploads."""
        messages, self.dead_letters[:] = list(self.dead_letters), []
        for message in messages:
            self.queue.send(message.body)

    def run(self, action: Callable[[], Any]) -> Any:
        """Run an action as a task, and everything that is due, and return its result."""
        task = self.scheduler.start("operator", action)
        self.scheduler.run()
        if task.error is not None:
            raise task.error
        return task.result

    def call(self, function: str, event: Any) -> Any:
        """Call a function's handler, and return its result."""
        return self.run(lambda: self.functions.functions[function].handler(event))

    # events

    def _deliver(self, action: Callable[[], None]) -> None:
        """Do something when an event is delivered: late, and perhaps twice."""
        deliveries = 2 if self.rng.random() < self.settings.duplicates else 1
        for _ in range(deliveries):
            self.scheduler.after(self.rng.expovariate(1 / self.settings.lateness), action)

    def _execution_ended(self, description: dict[str, Any]) -> None:
        self._deliver(lambda: self.functions.invoke_later("end_report", description))

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events: the port `Events`."""

        def put() -> None:
            for event in events:
                self.scheduler.say(f"publishes {event.type}")
                self.events.append(event)
                if event.type is EventType.REPORT_COMPLETED:
                    name = "publish_store_changes"
                    self._deliver(partial(self.functions.invoke_later, name, event.detail))

        try:
            self.scheduler.request(("PutEvents",), put)
        except ServiceError:
            raise TransientError.cannot("publish events") from None

    def send(self, subject: str, text: str) -> None:
        """Send a notification: the port `Notifications`."""

    def _on_error(self, function: str, error: Exception) -> None:
        self.errors.append((function, error))

    # functions

    def _deployed(self) -> dict[str, Function]:
        return {
            "ingest": Function(self._ingest, _INGEST_SECONDS),
            "fail_upload": Function(self._fail_upload, 10),
            "compact": Function(self._compact, 900),
            "take_back_ingest": Function(self._take_back, 900),
            "delete_store": Function(self._delete_store, 900),
            "trigger_report": Function(self._trigger_report, _API_SECONDS),
            "start_scheduled_report": Function(self._start_scheduled_report, 60),
            "get_report": Function(self._get_report, _API_SECONDS),
            "retry_report": Function(self._retry_report, _API_SECONDS),
            "plan_and_merge": Function(self._plan_and_merge, 900),
            "compute_shard": Function(self._compute_shard, 90),
            "end_report": Function(self._end_report, 10),
            "publish_store_changes": Function(self._publish_store_changes, 300),
        }

    def _ingest(self, message: Message) -> None:
        ends_at = self.scheduler.now + _INGEST_SECONDS
        left = Deadline(lambda: ends_at - self.scheduler.now)
        receives, sent_at = message.receives, START + timedelta(seconds=message.sent_at)
        upload: Upload = message.body
        self._hide(message, _INGEST_SECONDS + _GRACE_SECONDS)
        try:
            ingest_upload(
                *(Delivery(upload, sent_at), BUCKET_COUNT, left, self.clock),
                *(self.inbox, self.tables, self.log, self.uploads),
                future_tolerance=timedelta(0),
            )
        except Exception as error:
            self._hide(message, redelivery_seconds(receives, self.scheduler.task.rng))
            record_failed_attempt(upload, error, self.clock(), self.uploads)
            raise

    def _hide(self, message: Message, seconds: float) -> None:
        try:
            self.scheduler.request(
                ("ChangeMessageVisibility", round(seconds), "s"),
                lambda: self.queue.hide(message, seconds),
            )
        except ServiceError:
            return

    def _fail_upload(self, message: Message) -> None:
        delivery = Delivery(message.body, START + timedelta(seconds=message.sent_at))
        outcome = fail_upload(delivery, self.clock(), self.uploads)
        if outcome.can_be_redriven:
            raise UploadFailedError(outcome.error)

    def _compact(self, _: Any) -> None:
        compact_polls(
            *(MEMORY_DAYS * DAY_US, BUCKET_COUNT, RETENTION, self.clock),
            *(self.tables, self.objects, self.log),
        )

    def _take_back(self, ingest_id: str) -> None:
        take_back_ingest(ingest_id, self.clock, self.tables, self.log)

    def _delete_store(self, store_id: str) -> None:
        delete_store(store_id, BUCKET_COUNT, self.tables, self.objects, self.log, self.reports)

    def _trigger_report(self, event: tuple[ReportRequest, str | None]) -> str:
        request, name = event
        key = None if name is None else IdempotencyKey.of("caller", name, request)
        report = start_report(request, self.clock(), self.reports, self.machine, self.files, key)
        return report.report_id

    def _start_scheduled_report(self, scheduled_time: str) -> str:
        return self._trigger_report((ReportRequest(), f"schedule {scheduled_time}"))

    def _get_report(self, report_id: str) -> Any:
        return read_report(report_id, self.clock(), self.reports, self.machine, self.files).report

    def _retry_report(self, report_id: str) -> None:
        retry_report(report_id, self.clock(), self.reports, self.machine)

    def _plan_and_merge(self, event: dict[str, Any]) -> dict[str, Any]:
        return {"plan": self._plan, "merge": self._merge}[event["step"]](event)

    def _plan(self, event: dict[str, Any]) -> dict[str, Any]:
        report_id = event["report_id"]
        plan = plan_report(
            *(report_id, MEMORY_DAYS * DAY_US, DEFAULT_COVERAGE_US, "99", SHARD_POLLS),
            *(BUCKET_COUNT, self.log, self.files),
            publish_changes=True,
            inline_shards=event["inline_shards"],
        )
        return {
            "as_of": to_text(plan.now_us),
            "shards": len(plan.shards),
            "shard_numbers": [shard.shard for shard in plan.shards],
            "shards_key": shards_key(report_id),
            "max_concurrency": 40,
            "warnings": [asdict(warning) for warning in plan.warnings],
        }

    def _compute_shard(self, event: dict[str, Any]) -> dict[str, Any]:
        return asdict(compute_shard(event["report_id"], event["shard"], self.tables))

    def _merge(self, event: dict[str, Any]) -> dict[str, Any]:
        summary = merge_report(event["report_id"], self.tables).summary
        return {"stores": summary.stores, "headline": summary.headline()}

    def _end_report(self, description: dict[str, Any]) -> None:
        failure = failure_of(description)
        report = end_report(description["name"], failure, self.clock(), self.reports)
        if report is not None:
            announce_end(report, self, self)

    def _publish_store_changes(self, detail: Mapping[str, Any]) -> None:
        publish_store_changes(
            *(detail["report_id"], detail["started_at"], 100),
            *(self.tables, self.checkpoints, self),
        )

    def _read_items(self, key: str) -> Any:
        try:
            return self.files.read_json(key)
        except TransientError as error:
            raise StateError("S3.SdkClientException") from error


@contextmanager
def calm_world() -> Iterator[World]:
    """Make a world without faults, within the schedule of another one."""
    with other_environment():
        yield World(Scheduler(0), Settings())


@cache
def definition(inline_shards: int) -> dict[str, Any]:
    """Return the state machine, with functions and tables by their names here."""
    text = (ROOT / "statemachine/report.asl.json").read_text(encoding="utf-8")
    made: dict[str, Any] = json.loads(
        _PLACEHOLDER.sub(lambda match: _NAMES.get(match[1], match[1]), text)
    )
    [_, choice] = made["States"]["ChooseMap"]["Choices"]
    choice["NumericLessThanEquals"] = inline_shards
    made["States"]["Plan"]["Parameters"]["Payload"]["inline_shards"] = inline_shards
    return made
