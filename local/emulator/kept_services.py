"""Services whose data outlive the cloud: patches of moto that keep them in a `StateFolder`.

A resource that is created gets the data that are kept for its name, and from then on every change
is kept before it can be seen. What a restart changes:

- A running execution is aborted, with an error of its own.
- All messages of queues are visible, with no deliveries counted; events for functions that were
  not processed are delivered again. So both can be processed twice.
- The stream of a table begins with all its items, since some may not have been processed.
- Parts of unfinished multipart uploads are lost; so are tags and access control lists of objects.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler
from moto.glue.models import FakeDatabase, FakeTable, GlueBackend
from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, s3_backends
from moto.s3.utils import _VersionedKeyStore
from moto.sqs.models import Message, Queue, SQSBackend
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.backend.execution import Execution
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local.emulator.patching import patch
from local.emulator.settings import ACCOUNT, REGION
from local.emulator.state_folder import Kind, Record, StateFolder
from local.emulator.template import Template

_INTERRUPTED = "LocalCloudStopped"
"""The error of an execution that ran when the local cloud stopped."""

_PARTITION = "aws"
_NAMED = {
    "buckets": "AWS::S3::Bucket",
    "tables": "AWS::DynamoDB::Table",
    "queues": "AWS::SQS::Queue",
    "databases": "AWS::Glue::Database",
    "state machines": "AWS::StepFunctions::StateMachine",
}


def names_of_data(template: Template) -> dict[str, list[str]]:
    """Return the names of the resources whose data can be kept."""
    return {
        kind: sorted(each.name for each in template.resources(resource_type))
        for kind, resource_type in _NAMED.items()
    }


def keep_services(state: StateFolder) -> None:
    """Make moto keep the data of its services. Call this before any resource is created."""
    _keep_objects(state)
    _keep_items(state)
    _keep_messages(state)
    _keep_executions(state)
    _keep_catalog(state)


def end_interrupted_executions(state: StateFolder, on_end: Callable[[Execution], None]) -> None:
    """End the executions that ran when the cloud stopped: they are aborted.

    Parameters
    ----------
    state
    on_end
        Called with each of them.
    """
    backend = stepfunctions_parser_backends[ACCOUNT][REGION]
    machines: list[Any] = backend.state_machines  # of another class than their type says
    for state_machine in machines:
        for record in state.records(Kind.EXECUTION, state_machine.arn):
            execution = Execution(
                name=record.id,
                sm_type=state_machine.sm_type,
                role_arn=state_machine.roleArn,
                exec_arn=record.value["arn"],
                account_id=ACCOUNT,
                region_name=REGION,
                state_machine=state_machine,
                start_date=datetime.fromisoformat(record.value["started_at"]),
                cloud_watch_logging_session=None,
                activity_store={},
                input_data=record.value["input"],
            )
            execution.exec_status = ExecutionStatus.ABORTED
            execution.stop_date = datetime.now(UTC)
            execution.error = _INTERRUPTED
            execution.cause = "the local cloud stopped during the execution"
            state_machine.executions.append(execution)
            on_end(execution)


def delete_execution_record(state: StateFolder, execution: Execution) -> None:
    """Delete the record of an ended execution; call it after the end has been published."""
    state.write(Record(Kind.EXECUTION, execution.state_machine.arn, execution.name, None))


def _keep_objects(state: StateFolder) -> None:
    @patch(FakeBucket, "__init__")
    def create(
        original: Callable[..., None], bucket: FakeBucket, name: str, *arguments: Any, **named: Any
    ) -> None:
        original(bucket, name, *arguments, **named)
        bucket.keys = _KeptKeys(state, name)

    @patch(FakeKey, "set_metadata")
    def set_metadata(
        original: Callable[..., None], key: FakeKey, *arguments: Any, **named: Any
    ) -> None:
        original(key, *arguments, **named)
        bucket = s3_backends[ACCOUNT][_PARTITION].buckets.get(str(key.bucket_name))
        if bucket is not None:
            cast(_KeptKeys, bucket.keys).update_record(key)


class _KeptKeys(_VersionedKeyStore):
    """The objects of a bucket, each with its versions."""

    def __init__(self, state: StateFolder, bucket: str) -> None:
        super().__init__()
        self._state = state
        self._bucket = bucket
        self._ids: dict[FakeKey | FakeDeleteMarker, str] = {}
        for record in state.records(Kind.OBJECT, bucket):
            name = record.value["key"]
            version = self._restored(name, record)
            self._ids[version] = record.id
            super().setlist(name, [*self.getlist(name, []), version])

    def __setitem__(self, key: str, value: Any) -> None:
        self._keep(key, [*self.getlist(key, []), value])
        super().__setitem__(key, value)

    def setlist(self, key: str, list_: Any) -> None:
        self._keep(key, list_)
        super().setlist(key, list_)

    def pop(self, key: str) -> None:  # type: ignore[override]  # moto's own signature
        self._keep(key, [])
        super().pop(key)

    def update_record(self, key: FakeKey) -> None:
        """Keep what has changed of an object besides its bytes."""
        if key in self._ids:
            self._state.write(self._record(key))

    def _keep(self, name: str, versions: list[FakeKey | FakeDeleteMarker]) -> None:
        """Keep these versions of an object and no others."""
        before = self.getlist(name, [])
        added = [version for version in versions if version not in before]
        for version in added:
            self._ids[version] = uuid4().hex
            if isinstance(version, FakeKey):
                self._file(version).write_bytes(version.value)
        gone = {self._ids.pop(version): version for version in before if version not in versions}
        self._state.write(
            *(self._record(version) for version in added),
            *(Record(Kind.OBJECT, self._bucket, each, None) for each in gone),
        )
        for each in gone:
            self._state.object_file(each).unlink(missing_ok=True)  # a delete marker has none

    def _file(self, version: FakeKey) -> Path:
        return self._state.object_file(self._ids[version])

    def _record(self, version: FakeKey | FakeDeleteMarker) -> Record:
        value: dict[str, Any] = {
            "key": version.name,
            "version_id": version.version_id,
            "modified_at": version.last_modified.isoformat(),
        }
        if isinstance(version, FakeKey):
            value |= {
                "etag": version.etag.strip('"'),
                "size_bytes": version.size,
                "versioned": version._is_versioned,
                "metadata": dict(version.metadata),
            }
        return Record(Kind.OBJECT, self._bucket, self._ids[version], value)

    def _restored(self, name: str, record: Record) -> FakeKey | FakeDeleteMarker:
        value = record.value
        version: FakeKey | FakeDeleteMarker
        if "etag" in value:
            version = _KeptKey(self._bucket, value, self._state.object_file(record.id))
        else:
            hidden = self.get(name) or FakeKey(name, b"", ACCOUNT, REGION)
            version = FakeDeleteMarker(hidden)
            version._version_id = value["version_id"]
        version.last_modified = datetime.fromisoformat(value["modified_at"])
        return version


class _KeptKey(FakeKey):
    """An object of an earlier run: its bytes are read from its file whenever they are needed."""

    def __init__(self, bucket: str, record: Mapping[str, Any], file: Path) -> None:
        self._file = file
        super().__init__(
            record["key"],
            b"",
            account_id=ACCOUNT,
            region_name=REGION,
            etag=record["etag"],
            is_versioned=record["versioned"],
            version_id=record["version_id"],
            bucket_name=bucket,
        )
        self.contentsize = record["size_bytes"]
        self.metadata.update(record["metadata"])

    @property
    def value(self) -> bytes:
        return self._file.read_bytes()

    @value.setter
    def value(self, new_value: bytes) -> None:
        """Ignore what moto's constructor sets."""


def _keep_items(state: StateFolder) -> None:
    @patch(DynamoDBBackend, "create_table")
    def create_table(
        original: Callable[..., Table], backend: DynamoDBBackend, name: str, **definition: Any
    ) -> Table:
        table = original(backend, name, **definition)
        for record in state.records(Kind.ITEM, name):
            table.put_item(record.value)
        return table

    @patch(DynamoHandler, "call_action")
    def call_action(original: Callable[[DynamoHandler], Any], handler: DynamoHandler) -> Any:
        response = original(handler)
        written = _written(handler.headers["X-Amz-Target"].rpartition(".")[2], handler.body)
        records = [_item_record(*each) for each in written]
        if records:
            state.write(*records)
        return response


def _written(operation: str, request: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the tables that a request changes, with the keys or whole items."""
    match operation:
        case "PutItem":
            yield request["TableName"], request["Item"]
        case "UpdateItem" | "DeleteItem":
            yield request["TableName"], request["Key"]
        case "BatchWriteItem":
            for table, writes in request["RequestItems"].items():
                for write in writes:
                    [change] = write.values()
                    yield table, change.get("Item") or change["Key"]
        case "TransactWriteItems":
            for write in request["TransactItems"]:
                [change] = write.values()
                yield change["TableName"], change.get("Item") or change["Key"]


def _item_record(table_name: str, attributes: Mapping[str, Any]) -> Record:
    table = dynamodb_backends[ACCOUNT][REGION].get_table(table_name)
    hash_key = DynamoType(attributes[table.hash_key_attr])
    range_key = DynamoType(attributes[table.range_key_attr]) if table.range_key_attr else None
    item = table.get_item(hash_key, range_key)
    value = None if item is None else item.to_json()["Attributes"]
    return Record(Kind.ITEM, table_name, repr((hash_key, range_key)), value)


def _keep_messages(state: StateFolder) -> None:
    @patch(Queue, "__init__")
    def create(
        original: Callable[..., None], queue: Queue, name: str, *arguments: Any, **named: Any
    ) -> None:
        original(queue, name, *arguments, **named)
        for record in state.records(Kind.MESSAGE, ""):
            if record.value["queue"] == name:
                message = Message(record.id, record.value["body"])
                message.sent_timestamp = record.value["sent_at_ms"]
                queue._messages.append(message)

    @patch(Queue, "add_message")
    def add_message(
        original: Callable[[Queue, Message], None], queue: Queue, message: Message
    ) -> None:
        # The queue is no part of the key: a move to a dead-letter queue is one change.
        value = {"queue": queue.name, "body": message.body, "sent_at_ms": message.sent_timestamp}
        state.write(Record(Kind.MESSAGE, "", message.id, value))
        original(queue, message)

    @contextmanager
    def recording_deletions(queue: Queue) -> Iterator[None]:
        before = {message.id for message in queue._messages}
        yield
        gone = before - {message.id for message in queue._messages}
        state.write(*(Record(Kind.MESSAGE, "", each, None) for each in gone))

    @patch(Queue, "delete_message")
    def delete_message(
        original: Callable[[Queue, str], None], queue: Queue, receipt_handle: str
    ) -> None:
        with recording_deletions(queue):
            original(queue, receipt_handle)

    @patch(SQSBackend, "purge_queue")
    def purge_queue(
        original: Callable[[SQSBackend, str], None], backend: SQSBackend, queue_name: str
    ) -> None:
        with recording_deletions(backend.get_queue(queue_name)):
            original(backend, queue_name)


def _keep_executions(state: StateFolder) -> None:
    @patch(Execution, "start")
    def start(original: Callable[[Execution], None], execution: Execution) -> None:
        value = {
            "arn": execution.exec_arn,
            "input": execution.execution_input,
            "started_at": execution.start_date.isoformat(),
        }
        state.write(Record(Kind.EXECUTION, execution.state_machine.arn, execution.name, value))
        original(execution)


def _keep_catalog(state: StateFolder) -> None:
    @patch(GlueBackend, "create_database")
    def create_database(
        original: Callable[..., FakeDatabase],
        backend: GlueBackend,
        name: str,
        *arguments: Any,
        **named: Any,
    ) -> FakeDatabase:
        database = original(backend, name, *arguments, **named)
        for record in state.records(Kind.TABLE, name):
            database.tables[record.id] = FakeTable(name, record.id, record.value, ACCOUNT)
        return database

    for operation in ("create_table", "update_table", "delete_table"):

        @patch(GlueBackend, operation)
        def change(
            original: Callable[..., Any],
            backend: GlueBackend,
            database: str,
            table: str,
            *arguments: Any,
        ) -> Any:
            result = original(backend, database, table, *arguments)
            found = backend.get_database(database).tables.get(table)
            value = None if found is None else found.versions[str(found._current_version)]
            state.write(Record(Kind.TABLE, database, table, value))
            return result
