"""Bugs that the simulator must find: each is put back into the library, or into the state machine.

Most are real: they were in the library once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from store_monitoring.aws import ingest_log, report_table, upload_table
from store_monitoring.errors import SupersededUploadError, TransientError
from store_monitoring.ingest import compaction, ingest_file, outcomes, take_back
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.notifications import store_changes
from store_monitoring.reports import lifecycle, merge, shard
from tests.simulation import objects, world
from tests.simulation.scheduler import START

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Bug:
    """A bug.

    Attributes
    ----------
    put_back
        Patches the library.
    focus
        The kinds of steps that the schedule has.
    seed
        The first seed whose schedule of such steps shows it.
    """

    name: str
    put_back: Callable[[Patch], None]
    focus: tuple[str, ...]
    seed: int

    def __str__(self) -> str:
        return self.name


def _without(owner: Any, name: str, condition: str, other: str = "") -> Callable[[Patch], None]:
    """Drop a condition from the requests to DynamoDB that a method makes."""

    def put_back(patch: Patch) -> None:
        original = getattr(owner, name)

        def method(self: Any, *arguments: Any, **named: Any) -> Any:
            client = _Edited(self._client, condition, other)
            edited = object.__new__(type(self))
            edited.__dict__ |= self.__dict__ | {"_client": client}
            return original(edited, *arguments, **named)

        patch.setattr(owner, name, method)

    return put_back


class _Edited:
    """A client of DynamoDB that drops a part of conditions."""

    def __init__(self, client: Any, part: str, other: str) -> None:
        self._client = client
        self._part = part
        self._other = other

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if name == "exceptions":
            return attribute
        return lambda *arguments, **request: attribute(*arguments, **self._edited(request))

    def _edited(self, request: Any) -> Any:
        if isinstance(request, dict):
            return {name: self._edited(each) for name, each in request.items()}
        if isinstance(request, list):
            return [self._edited(each) for each in request]
        return request.replace(self._part, self._other) if isinstance(request, str) else request


def _one_version_per_key(patch: Patch) -> None:
    original = objects.MemoryInbox.open

    def latest(self: Any, upload: Any) -> Any:
        if int(upload.version) + 1 < len(self._bucket.versions[upload.key]):
            raise SupersededUploadError(f"{upload.key} was replaced or removed")
        return original(self, upload)

    patch.setattr(objects.MemoryInbox, "open", latest)


def _last_ingest_wins(patch: Patch) -> None:
    original = ingest_file._with_content
    patch.setattr(
        ingest_file,
        "_with_content",
        lambda stores, content, _, bucket: original(stores, content, START, bucket),
    )


def _final_outcomes_change(patch: Patch) -> None:
    original = upload_table.DynamoDbUploads.write_requests

    def write_requests(self: Any, outcome: Any) -> Any:
        put, *others = original(self, outcome)
        return [{"Put": {name: put["Put"][name] for name in ("TableName", "Item")}}, *others]

    patch.setattr(upload_table.DynamoDbUploads, "write_requests", write_requests)


def _compaction_deletes_what_another_committed(patch: Patch) -> None:
    patch.setattr(
        compaction,
        "_delete_uncommitted",
        lambda commit, to_delete, _: to_delete.delete([file.key for file in commit.polls_files]),
    )


def _plans_are_not_final(patch: Patch) -> None:
    def create(self: Any, key: str, value: object) -> bool:
        self.write_json(key, value)
        return True

    patch.setattr(objects.MemoryFiles, "create_json", create)


def _a_failed_attempt_is_final(patch: Patch) -> None:
    patch.setattr(
        world,
        "record_failed_attempt",
        lambda upload, error, at, uploads: uploads.record(
            outcomes.UploadOutcome.failed(upload, outcomes.UploadStatus.FAILED, at, str(error))
        ),
    )


def _the_request_is_written_last(patch: Patch) -> None:
    class Late:
        """Writes the request only when the execution starts."""

        def __init__(self, files: Any, machine: Any) -> None:
            self._files, self._machine = files, machine

        def write_json(self, *request: Any) -> None:
            self._request = request

        def start(self, report: Any) -> None:
            self._files.write_json(*self._request)
            self._machine.start(report)

    original = lifecycle.start_report

    def start_report(
        request: Any, now: Any, reports: Any, machine: Any, files: Any, key: Any = None
    ) -> Any:
        late: Any = Late(files, machine)
        return original(request, now, reports, late, late, key)

    patch.setattr(world, "start_report", start_report)


def _keys_are_released(patch: Patch) -> None:
    original = lifecycle.start_report

    def start_report(
        request: Any, now: Any, reports: Any, machine: Any, files: Any, key: Any = None
    ) -> Any:
        try:
            return original(request, now, reports, machine, files, key)
        except TransientError:
            if key is not None:
                item = {"report_id": f"idempotency_key#{key.digest}"}
                reports._client.delete_item(TableName=reports._name, Key=item)
            raise

    patch.setattr(world, "start_report", start_report)


def _outcomes_come_before_commits(patch: Patch) -> None:
    original = ingest_log.DynamoDbIngestLog.commit

    def commit(self: Any, snapshot: Any, new_stores: Any, commit: Any, outcome: Any = None) -> None:
        self._uploads.record(outcome)
        original(self, snapshot, new_stores, commit)

    patch.setattr(ingest_log.DynamoDbIngestLog, "commit", commit)


def _stores_are_not_read_again(patch: Patch) -> None:
    original = ingest_file._Ingest._write_stores
    written: dict[Any, Any] = {}

    def write_stores(self: Any, snapshot: Any, pool: Any) -> Any:
        attempt = id(self.content), self.upload, id(self.log)
        if attempt not in written:
            written[attempt] = original(self, snapshot, pool)
        return written[attempt]

    patch.setattr(ingest_file._Ingest, "_write_stores", write_stores)


def _compacted_polls_count_twice(patch: Patch) -> None:
    original = ingest_log.DynamoDbIngestLog._replacing
    patch.setattr(
        ingest_log.DynamoDbIngestLog,
        "_replacing",
        lambda self, *arguments: original(self, *arguments)[:2],
    )


def _replaced_polls_stay(patch: Patch) -> None:
    def delete_replaced(before: Any, _: Any, log: Any) -> int:
        for replacement in log.replaced_before(before):
            log.delete_replacement(replacement)
        return 0

    patch.setattr(compaction, "_delete_replaced", delete_replaced)


def _a_shard_returns_too_much(patch: Patch) -> None:
    original = world.World._compute_shard
    patch.setattr(
        world.World,
        "_compute_shard",
        lambda self, event: original(self, event) | {"rows": "x" * 2**18},
    )


def _outcomes_are_too_large(patch: Patch) -> None:
    original = ingest_file._Ingest._outcome

    def outcome(self: Any, *arguments: Any) -> Any:
        made = original(self, *arguments)
        return replace(made, error="x" * 400_000) if made.rejected else made

    patch.setattr(ingest_file._Ingest, "_outcome", outcome)


def _reports_share_parts(patch: Patch) -> None:
    for module in (shard, merge, store_changes):
        patch.setattr(module, "part_key", lambda _, number: f"parts/{number}")


def _compactions_are_taken_back(patch: Patch) -> None:
    original = take_back._kind_of

    def kind_of(ingest_id: str, log: Any) -> Kind:
        known = log.committed(Kind.POLLS, ingest_id)
        return original(ingest_id, log) if known is None else Kind.POLLS

    patch.setattr(take_back, "_kind_of", kind_of)


BUGS = (
    Bug(
        "commits overwrite each other",
        _without(
            ingest_log.DynamoDbIngestLog,
            "_transact",
            "attribute_not_exists(version) OR version = :version",
        ),
        ("upload",),
        seed=6,
    ),
    Bug("a file is lost if its key is used again", _one_version_per_key, ("upload",), seed=12),
    Bug("the last ingest wins, not the last upload", _last_ingest_wins, ("upload",), seed=69),
    Bug(
        "a repeated delivery overwrites a final outcome",
        _final_outcomes_change,
        ("upload",),
        seed=7,
    ),
    Bug("the first failed attempt is final", _a_failed_attempt_is_final, ("upload",), seed=8),
    Bug(
        "an outcome is recorded before its commit",
        _outcomes_come_before_commits,
        ("upload",),
        seed=0,
    ),
    Bug(
        "stores are not read again after a conflict",
        _stores_are_not_read_again,
        ("upload",),
        seed=1,
    ),
    Bug(
        "a compaction deletes what another one committed",
        _compaction_deletes_what_another_committed,
        ("upload", "compact"),
        seed=23,
    ),
    Bug("compacted polls count twice", _compacted_polls_count_twice, ("upload", "compact"), seed=0),
    Bug("replaced polls are never deleted", _replaced_polls_stay, ("upload", "compact"), seed=23),
    Bug(
        "a shard returns more than a state may",
        _a_shard_returns_too_much,
        ("upload", "report"),
        seed=5,
    ),
    Bug("an outcome is too large for an item", _outcomes_are_too_large, ("upload",), seed=0),
    Bug("a report is planned twice", _plans_are_not_final, ("upload", "report"), seed=76),
    Bug("reports share parts", _reports_share_parts, ("upload", "report"), seed=8),
    Bug(
        "an idempotency key can be claimed twice",
        _without(
            report_table.ReportTable,
            "claim",
            "attribute_not_exists(report_id) OR expires_at <= :now",
        ),
        ("upload", "schedule", "report"),
        seed=17,
    ),
    Bug(
        "a report is recorded before its request",
        _the_request_is_written_last,
        ("upload", "report"),
        seed=39,
    ),
    Bug(
        "a failed call releases its idempotency key",
        _keys_are_released,
        ("upload", "report"),
        seed=32,
    ),
    Bug(
        "a compaction can be taken back",
        _compactions_are_taken_back,
        ("upload several", "compact", "take back"),
        seed=560,
    ),
)
