"""What must hold in every schedule: during it, and at its end."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any

import pyarrow as pa

from store_monitoring import errors
from store_monitoring.aws import ingest_log
from store_monitoring.aws.dynamodb_items import item_bytes
from store_monitoring.ingest.outcomes import Upload, UploadStatus
from store_monitoring.notifications.events import EventType
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.report import Status
from store_monitoring.reports.request import ReportRequest
from store_monitoring.storage.keys import plan_key, report_key, request_key
from tests.simulation.caching import cached
from tests.simulation.cloud import Message
from tests.simulation.schedule import FILES, is_bad
from tests.simulation.scheduler import START, Violation
from tests.simulation.world import RETENTION, SMALLEST, World, calm_world

EXPECTED_ERRORS: tuple[type[Exception], ...] = (
    errors.CannotTakeBackError,
    errors.NoPollsError,
    errors.NoStoresError,
    errors.ReportNotFailedError,
    errors.TransientError,
    errors.UnknownIngestError,
    errors.UnknownReportError,
    errors.UnknownStoreError,
    errors.UploadFailedError,
)
"""What functions may raise in a schedule; everything else is a bug."""

_ENDED = ("ABORTED", "TIMED_OUT", "ExecutionDoesNotExist")
_MAX_ITEM_BYTES = 400_000
_START_GRACE_SECONDS = 100  # a report that is recorded may be about to start
_ALL_TIME_US = (-(2**62), 2**62)


State = tuple[Counter[Any], Counter[Any]]
History = tuple[tuple[str, int], ...]
"""Names of files with the order of their uploads, and what is taken back."""

_TAKE_BACK = "take back "


def is_take_back(name: str) -> bool:
    return name.startswith(_TAKE_BACK)


@dataclass(frozen=True)
class Change:
    """What one version of the ingest log adds: an upload, or an ingest that is taken back."""

    version: int
    upload: tuple[str, str] | None = None
    taken_back: str | None = None


class Checks:
    """Watches a world and checks it.

    Attributes
    ----------
    changes
        What was committed, in order.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.changes: list[Change] = []
        self._committed_polls: set[str] = set()
        self._last_report = ""
        world.on_write.append(self._check_write)

    # during a schedule

    def _check_write(self, table: str, writes: list[tuple[Any, Any]]) -> None:
        for before, after in writes:
            if after is not None and _is_large(after) and item_bytes(after) > _MAX_ITEM_BYTES:
                raise Violation(f"an item has {item_bytes(after)} bytes: {after}")
            if table == "reports" and "status" in (after or before or ()):
                self._check_status(before, after)
            elif table == "ingests" and after is not None and after["log"].startswith("uploads/"):
                _check_outcome(before, after)
        versions = (
            [after["version"] for _, after in writes if after and after["log"] == "head"]
            if table == "ingests"
            else []
        )
        for version in versions:
            self._record(version, writes)

    def _check_status(self, before: Any, after: Any) -> None:
        was, now = (item and (item["status"], item["attempt"]) for item in (before, after))
        if now is None or was is None or was == now:
            allowed = True
        elif was[0] == "Failed":
            allowed = now == ("Running", was[1] + 1)
        else:
            allowed = was[0] == "Running" and now[1] == was[1]
        if not allowed:
            raise Violation(f"a report went from {was} to {now}")
        if now is not None and now[0] == "Complete" and was != now:
            self._check_report(after)
        if now is not None and now[0] == "Failed" and was != now:
            running = self._world.executions.executions.get(after["execution"])
            if running and running.status == "RUNNING" and after.get("error", "") in _ENDED:
                raise Violation(f"execution {after['execution'][-6:]} still runs: {after['error']}")

    def _record(self, version: int, writes: list[tuple[Any, Any]]) -> None:
        change = Change(version)
        for before, after in writes:
            if after is None:
                continue
            if after["log"] == "polls":
                self._committed_polls.update(file.key for file in ingest_log._files(after))
            if after["log"].startswith("uploads/"):
                change = Change(version, upload=(after["log"].partition("/")[2], after["entry"]))
            elif "taken_back_in" in after and "taken_back_in" not in (before or ()):
                change = Change(version, taken_back=after["entry"])
        self.changes.append(change)

    def _check_report(self, item: Any) -> None:
        """Check that the report has the bytes that a serial run on its snapshot gives."""
        world, report_id = self._world, item["report_id"]
        plan = Plan.from_json(_json(world, plan_key(report_id)))
        request = ReportRequest.from_json(_json(world, request_key(report_id)))
        csv = world.bucket.current(report_key(report_id, "csv"))
        assert isinstance(csv, bytes)
        if world.deleted:  # the newest poll may be of a deleted store
            if request.period is not None:  # and a period ends with it
                return
            request = replace(request, as_of_us=plan.now_us)
        try:
            _, expected = _serial(self._history(plan.version), request)
        except errors.StoreMonitoringError as error:
            raise Violation(f"report {report_id[-4:]} is Complete, not {error!r}") from error
        assert expected is not None
        rows, expected_rows = (set(text.splitlines()) for text in (csv, expected))
        differing = {
            row for row in rows ^ expected_rows if row.split(b",")[0].decode() not in world.deleted
        }
        if differing or (not world.deleted and csv != expected):
            raise Violation(
                f"report {report_id[-4:]} of version {plan.version} is wrong: {differing}"
            )

    def _history(self, version: int) -> History:
        """Return what is committed in a version: files and when each was uploaded, take-backs.

        In the order of the uploads; if something was taken back, in the order of commits.
        """
        names = {
            (upload.key, upload.version): (name, upload)
            for upload, name in self._world.acknowledged
        }
        changes = [change for change in self.changes if change.version <= version]
        uploads = sorted(
            (names[change.upload][1] for change in changes if change.upload),
            key=lambda upload: upload.uploaded_at,
        )
        rank = {(upload.key, upload.version): number for number, upload in enumerate(uploads)}
        history = [
            (names[change.upload][0], rank[change.upload])
            if change.upload
            else (f"{_TAKE_BACK}{change.taken_back}", -1)
            for change in changes
            if change.upload or change.taken_back
        ]
        if not any(change.taken_back for change in changes):
            history.sort(key=lambda each: each[1])
        return _canonical(tuple(history))

    # at the end of a schedule, without faults

    def call(self, function: str, event: Any) -> Any:
        """Call a function, which must not fail."""
        try:
            return self._world.call(function, event)
        except Exception as error:
            raise Violation(f"{function} raised {error!r}, without faults") from error

    def check_final_state(self) -> None:
        """Check a world after its last event."""
        for function, error in self._world.errors:
            expected = EXPECTED_ERRORS
            if self._world.deleted:
                expected += (errors.IncompleteReportError, errors.MissingObjectError)
            if not isinstance(error, expected):
                raise Violation(f"{function} raised {error!r}")
        self._check_uploads()
        self._check_state()
        self._check_reports()
        self._check_events()

    def _check_uploads(self) -> None:
        """Every upload that was acknowledged has a final outcome, and it is true."""
        committed = {change.upload for change in self.changes}
        for upload, name in self._world.acknowledged:
            item = self._outcome(upload)
            status = None if item is None else UploadStatus(item["status"])
            place = (upload.key, upload.version)
            if is_bad(name) or self._was_too_slow(upload):
                is_true = status is UploadStatus.FAILED and place not in committed
            else:  # without faults, a redriven upload does not fail
                is_true = status is UploadStatus.UNCHANGED or (
                    status is UploadStatus.COMMITTED and place in committed
                )
            if not is_true:
                raise Violation(f"upload of {name} as {place} is {status}: {item}")

    def _outcome(self, upload: Upload) -> Any:
        return self._world.dynamodb.tables["ingests"].get((f"uploads/{upload.key}", upload.version))

    def _was_too_slow(self, upload: Upload) -> bool:
        """Whether services were so slow that a file took longer than it may."""
        return "within 15 minutes" in ((self._outcome(upload) or {}).get("error") or "")

    def _check_state(self) -> None:
        """What is stored is what a serial run of all uploads stores."""
        if any(change.taken_back for change in self.changes):
            history = self._history(10**9)
        else:
            uploads = sorted(self._world.acknowledged, key=lambda each: each[0].uploaded_at)
            good = [
                name
                for upload, name in uploads
                if not is_bad(name) and not self._was_too_slow(upload)
            ]
            history = _canonical(tuple((name, number) for number, name in enumerate(good)))
        try:
            expected, _ = _serial(history, None)
        except errors.StoreMonitoringError as error:
            raise Violation(f"serially, {history} ends with {error!r}") from error
        actual = state_of(self._world)
        for what, wanted, found in zip(("stores", "polls"), expected, actual, strict=True):
            lost, extra = (
                [row for row in rows if row[0] not in self._world.deleted]
                for rows in ((wanted - found).elements(), (found - wanted).elements())
            )
            if lost or extra:
                raise Violation(f"{what} lost: {lost}; too many: {extra}")

    def check_expired(self) -> None:
        """Polls that were committed are deleted once neither the log nor a report needs them.

        Not those that `delete_store` rewrote: they stay, without the store.
        """
        world = self._world
        if world.deleted:
            return
        world.run(lambda: world.scheduler.sleep((RETENTION + timedelta(hours=1)).total_seconds()))
        self.call("compact", None)
        entries = world.dynamodb.tables["ingests"].values()
        used = {
            file.key
            for item in entries
            if item["log"] == "polls"
            for file in ingest_log._files(item)
        }
        left = self._committed_polls.intersection(world.bucket.keys("polls/")) - used
        if left:
            raise Violation(f"nothing needs or will delete {sorted(left)}")

    def delete_again(self) -> None:
        """Delete the stores again that were deleted; after that, a new report succeeds."""
        for store_id in sorted(self._world.deleted):
            self.call("delete_store", store_id)
            self._last_report = self.call("trigger_report", (ReportRequest(), None))

    def check_keys(self) -> None:
        """A key stands for one report, even if that fails to start."""
        for key, ids in self._world.by_key.items():
            if len(ids) > 1:
                raise Violation(f"key {key} made {len(ids)} reports")

    def retry_failed(self) -> None:
        """Retry each report that failed; without faults, only what it is about can fail it."""
        self._world.run(lambda: self._world.scheduler.sleep(_START_GRACE_SECONDS))
        for report_id in self._report_ids():
            if self.call("get_report", report_id).status is Status.FAILED:
                self.call("retry_report", report_id)

    def redrive(self) -> None:
        """Redrive uploads until all are ingested; without faults, only throttling fails one."""
        world = self._world
        while world.dead_letters:
            world.queue.failed.clear()
            world.run(world.redrive)
            for message in world.queue.failed:
                if message.throttles < message.receives:
                    raise Violation(f"{message.body} failed, without faults: {message}")

    def _report_ids(self) -> list[str]:
        table = self._world.dynamodb.tables["reports"]
        return [report_id for (report_id,), item in table.items() if "status" in item]

    def _check_reports(self) -> None:
        world = self._world
        for report_id in self._report_ids():
            report = world.reports.get(report_id)
            assert report is not None
            error = report.failure and report.failure.error
            is_without_request = world.bucket.current(request_key(report_id)) is None
            # A request that names a store may be deleted with it, just before it is recorded.
            if is_without_request and not (world.deleted and error == "MissingObject"):
                raise Violation(f"report {report_id[-4:]} has no objects, but is in the table")
            if report.status is Status.RUNNING:
                raise Violation(f"report {report_id[-4:]} stays Running")
            if report.status is Status.FAILED:
                allowed = ["NoPolls", "NoStores", "UnknownStore"]
                if world.deleted and report_id != self._last_report:
                    allowed += ["IncompleteReport", "MissingObject"]  # its snapshot has changed
                if error not in allowed:
                    raise Violation(
                        f"report {report_id[-4:]} cannot be completed: {report.failure}"
                    )

    def _check_events(self) -> None:
        """An event says what the table says, and each end has one, unless its call was given up."""
        ended = {
            status: {e.detail["report_id"] for e in self._world.events if e.type is kind}
            for status, kind in (
                (Status.COMPLETE, EventType.REPORT_COMPLETED),
                (Status.FAILED, EventType.REPORT_FAILED),
            )
        }
        for (report_id,), item in self._world.dynamodb.tables["reports"].items():
            if "status" not in item:
                continue
            is_complete = item["status"] == "Complete"
            if (
                is_complete
                and report_id not in ended[Status.COMPLETE]
                and not self._world.functions.given_up
            ):
                raise Violation(f"no event says that report {report_id[-4:]} is Complete")
            # A deleted report comes again if its key does, with the same id and no history.
            is_again = bool(self._world.deleted)
            if not is_complete and report_id in ended[Status.COMPLETE] and not is_again:
                raise Violation(f"an event says that report {report_id[-4:]} is Complete")


def _is_large(item: Any) -> bool:
    """Return whether an item may exceed the limit: UTF-8 has at most four bytes a character."""
    return 4 * len(repr(item)) > _MAX_ITEM_BYTES


def _check_outcome(before: Any, after: Any) -> None:
    if before is None or "status" not in before or before["status"] == "Retrying":
        return
    if not before.get("can_be_redriven"):
        raise Violation(f"a final outcome changed: {before} became {after}")


def _json(world: World, key: str) -> Any:
    content = world.bucket.current(key)
    assert isinstance(content, bytes)
    return json.loads(content)


def state_of(world: World) -> State:
    """Return the current stores and polls, as rows that can be compared."""

    try:
        snapshot = world.log.snapshot()
        stores = world.tables.read_stores(list(snapshot.stores.values()))
        files = world.log.polls(snapshot.version, *_ALL_TIME_US)
        polls = world.tables.read_polls(files, *_ALL_TIME_US)
    except errors.StoreMonitoringError as error:
        raise Violation(f"the current snapshot cannot be read: {error!r}") from error
    return _rows(stores), _rows(polls)


@cached
def _rows(table: pa.Table) -> Counter[Any]:
    names = [name for name in table.column_names if not name.endswith("_uploaded_at")]
    return Counter((row["store_id"], repr(row)) for row in table.select(names).to_pylist())


def _canonical(history: History) -> History:
    """Return a shorter history with the same result, if nothing was taken back.

    Polls accumulate, and kinds have nothing to do with each other.
    """
    if any(is_take_back(name) for name, _ in history):
        return history
    names = [name for name, _ in history]
    polls = sorted({name for name in names if name.startswith("polls")})
    others = sorted((name for name in names if name not in polls), key=lambda name: name.split()[0])
    return tuple((name, number) for number, name in enumerate([*polls, *others]))


@cache
def _serial(history: History, request: ReportRequest | None) -> tuple[State, bytes | None]:
    """Ingest files and take ingests back, one after the other; then make a report."""
    with calm_world() as world:
        for name, number in history:
            if is_take_back(name):
                world.call("take_back_ingest", name.removeprefix(_TAKE_BACK))
            else:
                at = START + (number + 1) * SMALLEST
                upload = Upload(f"{name.split()[0]}/{number}.csv", "etag", at, "0")
                world.inbox.put(upload.key, FILES[name].encode())
                world.call("ingest", Message(upload, 0.0))
        csv = None if request is None else _report(world, request)
        return world.run(lambda: state_of(world)), csv


def _report(world: World, request: ReportRequest) -> bytes:
    event = {"report_id": "r"}
    world.bucket.versions[request_key("r")] = [json.dumps(request.to_json()).encode()]
    planning = event | {"step": "plan", "inline_shards": 40}
    shards = world.call("plan_and_merge", planning)["shard_numbers"]
    for shard in shards:
        world.call("compute_shard", event | {"shard": shard})
    world.call("plan_and_merge", event | {"step": "merge"})
    csv = world.bucket.current(report_key("r", "csv"))
    assert isinstance(csv, bytes)
    return csv


def clear_serial_results() -> None:
    """Clear the cached results of serial runs: there are too many, or the library has changed."""
    _serial.cache_clear()
