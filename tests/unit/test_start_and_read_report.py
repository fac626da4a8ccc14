"""Start reports and read their status."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from store_monitoring.domain.parameters import PollFilter
from store_monitoring.errors import (
    IdempotencyKeyReusedError,
    ReportFailedError,
    ReportRunningError,
    TransientError,
    UnknownReportError,
)
from store_monitoring.http.models import ReportBody
from store_monitoring.http.report_responses import report_body
from store_monitoring.reports.failures import EXECUTION_GONE, can_retry
from store_monitoring.reports.lifecycle import start_report
from store_monitoring.reports.queries import ReportView, read_report, read_summary, report_entry
from store_monitoring.reports.report import (
    Failure,
    Format,
    Report,
    ReportWarning,
    Status,
    TableName,
    checked_report_id,
)
from store_monitoring.reports.request import IdempotencyKey, ReportRequest
from store_monitoring.storage.keys import part_key, request_key, summary_key
from testing.fakes import FolderFiles, MemoryExecutions, MemoryReports
from tests.cases import utc

STARTED_AT = utc("2024-10-15 00:00")
SOON = STARTED_AT + timedelta(seconds=59)
LATER = STARTED_AT + timedelta(seconds=61)
RUNNING = Report("r", Status.RUNNING, STARTED_AT)
PLANNED = replace(RUNNING, as_of="2024-10-14T23:55:18.727055Z", shards_total=3)
COMPLETE = replace(PLANNED, status=Status.COMPLETE, stores=7)
DEFAULT = ReportRequest()
THROTTLED = MemoryExecutions(start_error=TransientError("cannot start the report: slow down"))
TIMED_OUT = Failure("TIMED_OUT", "the report's execution is TIMED_OUT")


def reports_of(report: Report) -> MemoryReports:
    return MemoryReports({report.report_id: report})


# --- start ----------------------------------------------------------------------------------


def test_a_report_is_recorded_after_its_request_so_that_it_can_be_retried(tmp_path: Path) -> None:
    class FailingReports(MemoryReports):
        def add(self, report: Report, request: ReportRequest) -> Report:
            raise TransientError("killed")

    with pytest.raises(TransientError, match="killed"):
        start_report(
            DEFAULT, STARTED_AT, FailingReports(), MemoryExecutions(), FolderFiles(tmp_path)
        )
    assert [path.name for path in tmp_path.rglob("*.json")] == ["request.json"]


def test_a_report_is_recorded_as_running_and_its_execution_started(tmp_path: Path) -> None:
    reports, executions, files = MemoryReports(), MemoryExecutions(), FolderFiles(tmp_path)
    request = ReportRequest(
        poll_filter=PollFilter.BUSINESS_HOURS,
        formats=(Format.CSV, Format.JSON),
        include_outages=True,
    )
    report = start_report(request, STARTED_AT, reports, executions, files)
    assert checked_report_id(report.report_id) == report.report_id
    assert (report.status, report.started_at) == (Status.RUNNING, STARTED_AT)
    assert (report.poll_filter, report.formats, report.tables) == (
        request.poll_filter,
        request.formats,
        request.tables,
    )
    stored = files.read_json(request_key(report.report_id))
    assert ReportRequest.from_json(stored) == request
    assert reports.reports == {report.report_id: report}
    assert executions.started == [report.report_id]


@pytest.mark.parametrize(
    ("request_", "is_of_all"), [(DEFAULT, True), (ReportRequest(as_of_us=0), False)]
)
def test_a_report_is_recorded_with_its_request_and_whether_it_is_of_all_stores_now(
    tmp_path: Path, request_: ReportRequest, is_of_all: bool
) -> None:
    added = []

    class RecordedReports(MemoryReports):
        def add(self, report: Report, request: ReportRequest) -> Report:
            added.append((report.all_stores_now, request))
            return super().add(report, request)

    start_report(request_, STARTED_AT, RecordedReports(), MemoryExecutions(), FolderFiles(tmp_path))
    assert added == [(is_of_all, request_)]


def test_each_report_has_its_own_id(tmp_path: Path) -> None:
    reports, executions = MemoryReports(), MemoryExecutions()
    for _ in range(3):
        start_report(ReportRequest(), STARTED_AT, reports, executions, FolderFiles(tmp_path))
    assert len(reports.reports) == 3
    assert set(reports.reports) == set(executions.started)


def test_a_report_that_cannot_be_started_is_marked_failed(tmp_path: Path) -> None:
    reports = MemoryReports()
    with pytest.raises(TransientError):
        start_report(ReportRequest(), STARTED_AT, reports, THROTTLED, FolderFiles(tmp_path))
    [report] = reports.reports.values()
    assert (report.status, report.ended_at) == (Status.FAILED, STARTED_AT)
    assert report.failure is not None
    assert report.failure.error == "NotStarted"


# --- start, with an idempotency key ---------------------------------------------------------


def key_of(request: ReportRequest = DEFAULT, key: str = "k", caller: str = "me") -> IdempotencyKey:
    return IdempotencyKey.of(caller, key, request)


@dataclass
class Service:
    """A service that starts reports with idempotency keys."""

    folder: Path
    reports: MemoryReports = field(default_factory=MemoryReports)
    executions: MemoryExecutions = field(default_factory=MemoryExecutions)

    def start(
        self,
        request: ReportRequest = DEFAULT,
        now: datetime = STARTED_AT,
        key: str = "k",
        caller: str = "me",
    ) -> Report:
        return start_report(
            request,
            now,
            self.reports,
            self.executions,
            FolderFiles(self.folder),
            key_of(request, key, caller),
        )


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def test_a_repeated_request_returns_the_same_report(service: Service) -> None:
    report = service.start()
    assert service.start(now=SOON) == report
    assert set(service.executions.started) == {report.report_id}
    assert len(service.reports.reports) == 1


def test_a_repeated_request_returns_the_current_status(service: Service) -> None:
    report = service.start()
    complete = replace(report, status=Status.COMPLETE, stores=7)
    service.reports.reports[report.report_id] = complete
    assert service.start(now=LATER) == complete
    assert service.executions.started == [report.report_id]


def test_a_request_that_crashed_halfway_is_completed_by_a_repeated_one(
    service: Service,
) -> None:
    service.reports.claim(key_of(), "claimed", STARTED_AT)  # and no further step
    report = service.start(now=SOON)
    assert report.report_id == "claimed"
    assert service.executions.started == ["claimed"]


def test_a_key_with_another_request_is_refused(service: Service) -> None:
    service.start()
    with pytest.raises(IdempotencyKeyReusedError):
        service.start(ReportRequest(as_of_us=0))


@pytest.mark.parametrize(("key", "caller"), [("another", "me"), ("k", "another")])
def test_another_key_or_caller_is_another_report(service: Service, key: str, caller: str) -> None:
    assert service.start().report_id != service.start(key=key, caller=caller).report_id


def test_a_key_lasts_a_day(service: Service) -> None:
    report = service.start()
    day = timedelta(hours=24)
    assert service.start(now=STARTED_AT + day - timedelta(seconds=1)) == report
    assert service.start(now=STARTED_AT + day).report_id != report.report_id


def test_a_repeated_request_starts_a_report_that_could_not_be_started(tmp_path: Path) -> None:
    service = Service(tmp_path, executions=THROTTLED)
    with pytest.raises(TransientError):
        service.start()
    [failed] = service.reports.reports
    service.executions = MemoryExecutions()
    report = service.start(now=SOON)
    assert (report.report_id, report.status) == (failed, Status.RUNNING)
    assert report.attempted_at == SOON
    assert service.executions.started == [report.execution]
    assert service.start(now=LATER) == report


def test_a_repeated_request_starts_a_report_whose_first_caller_crashed(service: Service) -> None:
    crashed = service.start()
    failed = replace(crashed, status=Status.FAILED, failure=EXECUTION_GONE, ended_at=SOON)
    service.reports.reports[crashed.report_id] = failed  # a reader has found no execution
    report = service.start(now=LATER)
    assert (report.report_id, report.status, report.attempt) == (
        crashed.report_id,
        Status.RUNNING,
        2,
    )
    assert service.executions.started == [crashed.execution, report.execution]


def test_a_repeated_request_does_not_start_a_report_again_that_was_started(
    service: Service,
) -> None:
    report = service.start()
    failed = replace(report, status=Status.FAILED, failure=TIMED_OUT, ended_at=SOON)
    service.reports.reports[report.report_id] = failed
    assert service.start(now=LATER) == failed
    assert service.executions.started == [report.execution]


def test_a_caller_that_fails_does_not_fail_what_a_concurrent_one_started(
    service: Service,
) -> None:
    class Interrupted(FolderFiles):
        def write_json(self, key: str, value: object) -> None:
            service.start(now=SOON)
            raise TransientError("cannot write the request")

    with pytest.raises(TransientError):
        start_report(
            DEFAULT,
            STARTED_AT,
            service.reports,
            service.executions,
            Interrupted(service.folder),
            key_of(),
        )
    [report] = service.reports.reports.values()
    assert report.status is Status.RUNNING
    assert service.start(now=LATER) == report


def test_a_repeated_request_that_fails_does_not_fail_the_report(service: Service) -> None:
    report = service.start()
    service.executions = THROTTLED
    with pytest.raises(TransientError):
        service.start(now=SOON)
    assert service.reports.get(report.report_id) == report


def test_equivalent_requests_have_the_same_digest() -> None:
    bodies: list[dict[str, Any]] = [{}, {"formats": ["csv"], "as_of": None}, {"poll_filter": "all"}]
    requests = [ReportBody.model_validate(body).to_request() for body in bodies]
    assert len({key_of(request) for request in requests}) == 1


# --- read -----------------------------------------------------------------------------------


def test_an_unknown_report(tmp_path: Path) -> None:
    with pytest.raises(UnknownReportError, match=r"r$"):
        read_report("r", SOON, MemoryReports(), MemoryExecutions(), FolderFiles(tmp_path))


def test_a_report_that_is_not_planned_yet_has_no_progress(tmp_path: Path) -> None:
    view = read_report("r", SOON, reports_of(RUNNING), MemoryExecutions(), FolderFiles(tmp_path))
    assert view == ReportView(RUNNING)
    assert report_body(view, LATER) == {"report_id": "r", "status": "Running"}


def test_progress_is_the_number_of_existing_parts(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path)
    for shard in (0, 2):
        files.write_json(part_key("r", shard), {})
    files.write_json(part_key("another", 1), {})
    view = read_report("r", LATER, reports_of(PLANNED), MemoryExecutions(), files)
    assert view == ReportView(PLANNED, shards_done=2)
    assert report_body(view, LATER) == {
        "report_id": "r",
        "status": "Running",
        "progress": {"shards_done": 2, "shards_total": 3},
    }


def test_a_complete_report_has_download_urls(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path)
    view = read_report("r", LATER, reports_of(COMPLETE), MemoryExecutions(), files)
    url = files.presigned_url("reports/r/report.csv", "store-report-r.csv")
    assert view == ReportView(COMPLETE, urls={Format.CSV: url})
    assert report_body(view, utc("2024-10-15 00:15:00.5")) == {
        "report_id": "r",
        "status": "Complete",
        "url": url,
        "urls": {"csv": url},
        "expires_at": "2024-10-15T00:15:00.500000Z",
        "stores": 7,
        "as_of": "2024-10-14T23:55:18.727055Z",
    }


@pytest.mark.parametrize("report", [RUNNING, PLANNED, COMPLETE], ids=lambda each: each.status)
def test_a_report_has_its_warnings(tmp_path: Path, report: Report) -> None:
    expected = [{"code": "no_known_polls", "message": "no store has data"}]
    warned = replace(report, warnings=(ReportWarning(**expected[0]),))
    reports, executions = reports_of(warned), MemoryExecutions()
    view = read_report("r", SOON, reports, executions, FolderFiles(tmp_path))
    body = dict(report_body(view, LATER))
    assert body.pop("warnings") == expected
    assert body == report_body(replace(view, report=report), LATER)
    assert report_entry(warned) == report_entry(report) | {"warnings": expected}


def test_further_tables_have_urls_by_file_name(tmp_path: Path) -> None:
    formats = (Format.JSON, Format.HTML)
    report = replace(COMPLETE, formats=formats, tables=(TableName.GROUPS, TableName.OUTAGES))
    files = FolderFiles(tmp_path)
    view = read_report("r", LATER, reports_of(report), MemoryExecutions(), files)
    names = ["json", "html", "groups.csv", "groups.json", "outages.csv", "outages.json"]
    body: Any = report_body(view, LATER)
    assert list(body["urls"]) == names
    url = files.presigned_url("reports/r/groups.csv", "store-report-r-groups.csv")
    assert body["urls"]["groups.csv"] == url


def test_a_failed_report_has_a_reason(tmp_path: Path) -> None:
    failed = replace(PLANNED, status=Status.FAILED, failure=Failure("NoPolls", "no polls yet"))
    view = read_report("r", LATER, reports_of(failed), MemoryExecutions(), FolderFiles(tmp_path))
    assert report_body(view, LATER) == {
        "report_id": "r",
        "status": "Failed",
        "error": {"code": "NoPolls", "message": "no polls yet"},
        "can_retry": True,
    }


@pytest.mark.parametrize(
    ("code", "before_plan", "after_plan"),
    [
        ("NoPolls", True, True),
        ("NoStores", True, False),
        ("UnknownStore", False, False),
        ("TooManyStores", False, False),
        ("TooManyGroups", False, False),
        ("InvalidRequest", False, False),
        ("TransientError", True, True),
        ("States.Timeout", True, True),
        ("KeyError", True, True),
    ],
)
def test_a_report_can_be_retried_if_that_can_help(
    code: str, before_plan: bool, after_plan: bool, tmp_path: Path
) -> None:
    for report, expected in ((RUNNING, before_plan), (PLANNED, after_plan)):
        failure = Failure(code, "…", step="merge")
        failed = replace(report, status=Status.FAILED, failure=failure)
        files = FolderFiles(tmp_path)
        view = read_report("r", LATER, reports_of(failed), MemoryExecutions(), files)
        body: Any = report_body(view, LATER)
        assert body["can_retry"] == report_entry(failed)["can_retry"] == expected
        assert body["error"]["step"] == report_entry(failed)["error"]["step"] == "merge"
        assert not can_retry(report)


def test_a_report_as_html_can_be_opened(tmp_path: Path) -> None:
    report = replace(COMPLETE, formats=(Format.CSV, Format.HTML))
    files = FolderFiles(tmp_path)
    view = read_report("r", LATER, reports_of(report), MemoryExecutions(), files)
    body: Any = report_body(view, LATER)
    assert body["open_url"] == files.presigned_page_url("reports/r/report.html")


def test_a_list_has_the_request_and_the_headline_of_a_report(tmp_path: Path) -> None:
    request = ReportRequest(store_ids=("1", "2"))
    files = FolderFiles(tmp_path)
    report = start_report(request, SOON, MemoryReports(), MemoryExecutions(), files)
    entry = report_entry(replace(report, headline={"outages_last_week": 3}))
    assert entry["request"]["store_ids"] == ["1", "2"]
    assert entry["headline"] == {"outages_last_week": 3}
    assert not report_entry(RUNNING).keys() & {"request", "headline"}


def test_a_running_report_whose_execution_failed_is_marked_failed(tmp_path: Path) -> None:
    reports, executions = reports_of(PLANNED), MemoryExecutions(failures={"r": TIMED_OUT})
    view = read_report("r", LATER, reports, executions, FolderFiles(tmp_path))
    assert view.report == replace(PLANNED, status=Status.FAILED, failure=TIMED_OUT, ended_at=LATER)
    assert reports.reports["r"] == view.report


def test_a_report_that_was_just_started_is_not_marked_failed(tmp_path: Path) -> None:
    not_there = Failure("ExecutionDoesNotExist", "the report's execution no longer exists")
    executions = MemoryExecutions(failures={"r": not_there})
    view = read_report("r", SOON, reports_of(RUNNING), executions, FolderFiles(tmp_path))
    assert view.report.status is Status.RUNNING


def test_a_report_that_completes_while_it_is_read_is_complete(tmp_path: Path) -> None:
    reports = reports_of(PLANNED)

    class Completing(MemoryExecutions):
        def failure(self, report_id: str) -> Failure | None:
            reports.reports[report_id] = COMPLETE
            return TIMED_OUT

    view = read_report("r", LATER, reports, Completing(), FolderFiles(tmp_path))
    assert view.report == COMPLETE
    assert Format.CSV in view.urls


@pytest.mark.parametrize("report", [COMPLETE, replace(PLANNED, status=Status.FAILED)])
def test_an_ended_report_does_not_change(tmp_path: Path, report: Report) -> None:
    executions = MemoryExecutions(failures={"r": TIMED_OUT})
    view = read_report("r", LATER, reports_of(report), executions, FolderFiles(tmp_path))
    assert view.report == report


# --- the summary ----------------------------------------------------------------------------


def read_summary_of(report: Report, folder: Path) -> object:
    reports = reports_of(report)
    return read_summary("r", SOON, reports, MemoryExecutions(), FolderFiles(folder))


def test_the_summary_of_a_complete_report(tmp_path: Path) -> None:
    FolderFiles(tmp_path).write_json(summary_key("r"), {"stores": 7})
    assert read_summary_of(COMPLETE, tmp_path) == {"stores": 7}


def test_there_is_no_summary_before_a_report_is_complete(tmp_path: Path) -> None:
    with pytest.raises(ReportRunningError):
        read_summary_of(PLANNED, tmp_path)
    failed = replace(PLANNED, status=Status.FAILED, failure=TIMED_OUT)
    with pytest.raises(ReportFailedError):
        read_summary_of(failed, tmp_path)


def test_a_report_of_an_older_version_has_no_summary(tmp_path: Path) -> None:
    with pytest.raises(UnknownReportError, match="has no summary"):
        read_summary_of(COMPLETE, tmp_path)
