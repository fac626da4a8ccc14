"""The snapshot that a report reads, and how it is split into shards."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_monitoring.domain.parameters import (
    DAY_US,
    MINUTE_US,
    WEEK_US,
    Period,
    PeriodUnit,
    PollFilter,
)
from store_monitoring.domain.windows import period_windows
from store_monitoring.errors import (
    InvalidRequestError,
    NoPollsError,
    NoStoresError,
    TooManyStoresError,
    UnknownStoreError,
)
from store_monitoring.ingest.ports import Commit, Snapshot
from store_monitoring.instants import to_us
from store_monitoring.reports import planner
from store_monitoring.reports.plan import (
    PartInfo,
    Plan,
    max_windows,
    min_windows,
    read_complete_plan,
)
from store_monitoring.reports.planner import (
    FILE_COST_POLLS,
    STORE_COST_POLLS,
    WINDOW_COST_POLLS,
    plan_report,
)
from store_monitoring.reports.report import Report, Status
from store_monitoring.reports.request import ReportRequest
from store_monitoring.storage.keys import bucket_of, polls_key, request_key, stores_key
from store_monitoring.storage.ports import PollsFile, StoresFile, WrittenPolls
from testing.fakes import FolderFiles, FolderTables, MemoryLog, MemoryReports
from tests.cases import utc

NOW_US = 20_000 * DAY_US
MEMORY_US = 14 * DAY_US
COVERAGE_US = 15 * MINUTE_US
SHARD_POLLS = 50_000_000


def polls_file(
    bucket: int, rows: int = 1, oldest_days: float = 1, latest_days: float = 0, name: str = "a"
) -> PollsFile:
    """Return a file of polls between two ages in days."""
    min_timestamp_us = NOW_US - int(oldest_days * DAY_US)
    max_timestamp_us = NOW_US - int(latest_days * DAY_US)
    return PollsFile(bucket, polls_key(bucket, name), rows, 100, min_timestamp_us, max_timestamp_us)


def stores_file(bucket: int, stores: int = 1) -> StoresFile:
    return StoresFile(bucket, stores_key(bucket, "00000001-a"), stores, 100)


def log_of(stores: Sequence[StoresFile], *commits: Sequence[PollsFile]) -> MemoryLog:
    log = MemoryLog()
    for number, files in enumerate(commits):
        log.commit(log.snapshot(), stores, commit(str(number), *files))
    return log


def commit(ingest_id: str, *files: PollsFile) -> Commit:
    """Return the manifest entry of an ingest whose polls are all of the current week."""
    written = [WrittenPolls(file, Counter({NOW_US - 3 * DAY_US: file.rows})) for file in files]
    rows = sum(file.rows for file in files)
    return Commit("polls", ingest_id, rows, 0, utc("2024-10-15 00:00"), tuple(written))


@pytest.fixture
def files(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path)


def plan_of(
    log: MemoryLog,
    files: FolderFiles,
    request: ReportRequest = ReportRequest(),  # noqa: B008  # frozen
    shard_polls: int = SHARD_POLLS,
    publish_changes: bool = False,
    inline_shards: int = 40,
) -> Plan:
    files.write_json(request_key("r"), request.to_json())
    return plan_report(
        *("r", MEMORY_US, COVERAGE_US, "98.5", shard_polls, 64, log, files),
        publish_changes=publish_changes,
        inline_shards=inline_shards,
    )


# --- now ------------------------------------------------------------------------------------


def test_now_is_the_greatest_timestamp(files: FolderFiles) -> None:
    log = log_of([stores_file(0)], [polls_file(0)], [polls_file(0, latest_days=0.5, name="b")])
    assert plan_of(log, files).now_us == NOW_US


def test_the_newest_poll_does_not_depend_on_as_of(files: FolderFiles) -> None:
    log = log_of([stores_file(0)], [polls_file(0)])
    request = ReportRequest(as_of_us=NOW_US - 7)
    assert plan_of(log, files, request).max_timestamp_us == log.snapshot().max_timestamp_us


def test_without_polls_there_is_no_newest_poll(files: FolderFiles) -> None:
    zones_only = MemoryLog([Snapshot(1, {0: stores_file(0)}, None)])
    assert plan_of(zones_only, files, ReportRequest(as_of_us=NOW_US)).max_timestamp_us is None


def test_now_is_as_of_if_the_request_has_it(files: FolderFiles) -> None:
    log = log_of([stores_file(0)], [polls_file(0)])
    assert plan_of(log, files, ReportRequest(as_of_us=NOW_US - 7)).now_us == NOW_US - 7


def test_without_polls_and_as_of_there_is_no_plan(files: FolderFiles) -> None:
    with pytest.raises(NoPollsError, match=r"^no polls .* upload a polls file first$"):
        plan_of(MemoryLog(), files)
    zones_only = MemoryLog([Snapshot(1, {0: stores_file(0)}, None)])
    with pytest.raises(NoPollsError):
        plan_of(zones_only, files)
    assert files.count("reports/r/plan") == files.count("reports/r/shards") == 0


def test_without_polls_as_of_is_now(files: FolderFiles) -> None:
    zones_only = MemoryLog([Snapshot(1, {0: stores_file(0)}, None)])
    plan = plan_of(zones_only, files, ReportRequest(as_of_us=NOW_US))
    assert [shard.polls_files for shard in plan.shards] == [()]


def test_without_stores_there_is_no_plan(files: FolderFiles) -> None:
    # The state machine would hand an empty list to its map.
    with pytest.raises(NoStoresError, match=r"^no store .* upload a file first$"):
        plan_of(MemoryLog(), files, ReportRequest(as_of_us=NOW_US))
    assert files.count("reports/r/plan") == files.count("reports/r/shards") == 0


def test_without_stores_a_requested_store_is_unknown(files: FolderFiles) -> None:
    with pytest.raises(UnknownStoreError, match="s1"):
        plan_of(MemoryLog(), files, ReportRequest(as_of_us=NOW_US, store_ids=("s1",)))


@pytest.mark.parametrize(
    ("since_newest_us", "codes"),
    [(None, []), (-DAY_US, []), (MEMORY_US, []), (MEMORY_US + 1, ["no_known_polls"])],
)
def test_a_report_in_which_no_poll_is_known_has_a_warning(
    files: FolderFiles, since_newest_us: int | None, codes: list[str]
) -> None:
    log = log_of([stores_file(0)], [polls_file(0)])
    as_of_us = None if since_newest_us is None else NOW_US + since_newest_us
    warnings = plan_of(log, files, ReportRequest(as_of_us=as_of_us)).warnings
    assert [warning.code for warning in warnings] == codes


def test_a_report_without_any_polls_has_a_warning(files: FolderFiles) -> None:
    zones_only = MemoryLog([Snapshot(1, {0: stores_file(0)}, None)])
    [warning] = plan_of(zones_only, files, ReportRequest(as_of_us=NOW_US)).warnings
    assert warning.code == "no_known_polls"


# --- the snapshot ---------------------------------------------------------------------------


def test_files_outside_the_memory_are_left_out(files: FolderFiles) -> None:
    too_old = polls_file(0, oldest_days=30, latest_days=14.000001, name="too old")
    just_old_enough = polls_file(0, oldest_days=30, latest_days=14, name="just")
    around = polls_file(0, oldest_days=30, latest_days=-30, name="around")
    from_now = polls_file(0, oldest_days=0, latest_days=-30, name="from now")
    too_late = polls_file(0, oldest_days=-0.000001, latest_days=-30, name="too late")
    log = log_of([stores_file(0)], [too_old, just_old_enough, around], [from_now, too_late])
    [shard] = plan_of(log, files, ReportRequest(as_of_us=NOW_US)).shards
    assert set(shard.polls_files) == {just_old_enough, around, from_now}


def test_files_from_before_a_period_that_no_status_reaches_are_left_out(files: FolderFiles) -> None:
    """A status is known from a week before a period, with a poll memory of two weeks (rule 21)."""
    request = ReportRequest(period=Period(date(2024, 9, 1), date(2024, 9, 3), PeriodUnit.TOTAL))
    assert request.period is not None
    since_us = request.period.span_us[0] - WEEK_US
    just, too_old = (
        replace(polls_file(0, name=name), min_timestamp_us=0, max_timestamp_us=latest_us)
        for name, latest_us in (("just", since_us), ("too old", since_us - 1))
    )
    log = log_of([stores_file(0)], [just, too_old], [polls_file(0)])
    [shard] = plan_of(log, files, request).shards
    assert shard.polls_files == (just,)


def test_a_concurrent_ingest_is_left_out(files: FolderFiles) -> None:
    log = log_of([stores_file(0)], [polls_file(0)])

    class Busy(MemoryLog):
        def snapshot(self) -> Snapshot:
            snapshot = super().snapshot()
            self.commit(snapshot, [stores_file(0, stores=2)], commit("b", late))
            return snapshot

    late = polls_file(0, name="b")
    plan = plan_of(Busy(log.snapshots, log.commits, log.versions), files)
    assert plan.version == 1
    [shard] = plan.shards
    assert (shard.stores, shard.polls_files) == (1, (polls_file(0),))


def test_the_plan_is_written(files: FolderFiles) -> None:
    stores = [stores_file(bucket, stores=bucket + 1) for bucket in range(3)]
    log = log_of(stores, [polls_file(0), polls_file(2)])
    plan = plan_of(log, files, ReportRequest(NOW_US, PollFilter.BUSINESS_HOURS), shard_polls=1)
    assert Plan.from_json(files.read_json("reports/r/plan.json")) == plan
    assert plan.poll_filter is PollFilter.BUSINESS_HOURS
    assert (plan.report_id, plan.memory_us, plan.stores) == ("r", MEMORY_US, 1 + 2 + 3)


@pytest.mark.parametrize(("requested", "target"), [(None, "98.5"), (Decimal("97.25"), "97.25")])
def test_the_target_is_the_request_s_or_else_the_stack_s(
    files: FolderFiles, requested: Decimal | None, target: str
) -> None:
    log = log_of([stores_file(0)], [polls_file(0)])
    assert plan_of(log, files, ReportRequest(target_percent=requested)).target_percent == target


def test_the_first_plan_of_a_report_is_final(files: FolderFiles) -> None:
    first = plan_of(log_of([stores_file(0)], [polls_file(0)]), files)
    more = log_of([stores_file(0), stores_file(1)], [polls_file(0), polls_file(1)])
    assert plan_of(more, files, shard_polls=1) == first


@pytest.mark.parametrize(("inline_shards", "shards"), [(3, 0), (2, 3), (0, 3)])
def test_only_a_distributed_map_has_a_list_of_shards(
    files: FolderFiles, inline_shards: int, shards: int
) -> None:
    log = log_of([stores_file(bucket) for bucket in range(3)], [polls_file(0)])
    path = files.folder / "reports/r/shards.json"
    for _ in range(2):  # the first call may end between the plan and the list
        plan_of(log, files, shard_polls=1, inline_shards=inline_shards)
        listed = json.loads(path.read_bytes()) if path.exists() else []
        assert listed == [{"shard": number} for number in range(shards)]
        path.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("by", "names", "stores", "fits"),
    [
        (None, 0, 9, True),  # a row a store is never too much
        (PeriodUnit.TOTAL, 0, 9, True),
        (PeriodUnit.DAY, 0, 4, True),  # a day that each zone cuts in two
        (PeriodUnit.DAY, 0, 5, False),
        (PeriodUnit.DAY, 4, 9, True),
        (PeriodUnit.DAY, 5, 9, False),
    ],
)
def test_the_rows_of_a_bucket_fit_into_memory(
    files: FolderFiles,
    monkeypatch: pytest.MonkeyPatch,
    by: PeriodUnit | None,
    names: int,
    stores: int,
    fits: bool,
) -> None:
    monkeypatch.setattr(planner, "MAX_BUCKET_ROWS", 8)
    day = date(2024, 10, 1)
    named = [name for name in map(str, range(1000)) if bucket_of(name, 64) == 0][:names]
    request = ReportRequest(
        period=None if by is None else Period(day, day + timedelta(1), by),
        store_ids=tuple(named) or None,
    )
    log = log_of([stores_file(0, stores)], [polls_file(0)])
    if fits:
        assert plan_of(log, files, request).stores == (names or stores)
    else:
        with pytest.raises(TooManyStoresError, match=r"\b8 rows: .*or deploy with more buckets$"):
            plan_of(log, files, request)


# --- shards ---------------------------------------------------------------------------------


def buckets_of(plan: Plan) -> list[list[int]]:
    return [[file.bucket for file in shard.stores_files] for shard in plan.shards]


def test_small_data_make_one_shard(files: FolderFiles) -> None:
    buckets = range(64)
    log = log_of([stores_file(bucket) for bucket in buckets], [polls_file(0, rows=10_000)])
    assert buckets_of(plan_of(log, files)) == [[*buckets]]


def test_large_data_make_one_shard_per_bucket(files: FolderFiles) -> None:
    log = log_of(
        [stores_file(bucket) for bucket in range(4)],
        [polls_file(bucket, rows=10 * SHARD_POLLS) for bucket in range(4)],
    )
    assert buckets_of(plan_of(log, files)) == [[0], [1], [2], [3]]


def test_shards_are_few_and_of_similar_cost(files: FolderFiles) -> None:
    # A little more than two shards' worth in all: three shards, and none of a single bucket.
    log = log_of(
        [stores_file(bucket) for bucket in range(9)],
        [polls_file(bucket, rows=SHARD_POLLS * 2 // 9) for bucket in range(9)],
    )
    assert buckets_of(plan_of(log, files)) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_stores_without_polls_have_a_cost(files: FolderFiles) -> None:
    stores = [stores_file(bucket, SHARD_POLLS // STORE_COST_POLLS) for bucket in range(3)]
    assert buckets_of(plan_of(log_of(stores, [polls_file(0)]), files)) == [[0], [1], [2]]


def test_each_file_has_a_cost(files: FolderFiles) -> None:
    stores = [stores_file(bucket) for bucket in range(3)]
    small = [polls_file(bucket, name=str(n)) for bucket in range(3) for n in range(1000)]
    assert buckets_of(plan_of(log_of(stores, small), files)) == [[0], [1], [2]]


def test_only_polls_of_weeks_that_are_read_have_a_cost(files: FolderFiles) -> None:
    # Evenly spread over its time, this file's polls would nearly all be too old.
    week_us = NOW_US - 3 * DAY_US
    old = [polls_file(bucket, rows=10 * SHARD_POLLS, oldest_days=1400) for bucket in range(4)]
    for recent, buckets in [(1, [[0, 1, 2, 3]]), (9 * SHARD_POLLS, [[0], [1], [2], [3]])]:
        rows_by_week = {week_us: recent, week_us - 100 * WEEK_US: 10 * SHARD_POLLS - recent}
        written = tuple(WrittenPolls(file, Counter(rows_by_week)) for file in old)
        log = MemoryLog()
        log.commit(
            log.snapshot(),
            [stores_file(bucket) for bucket in range(4)],
            Commit("polls", "a", 40 * SHARD_POLLS, 0, utc("2024-10-15 00:00"), written),
        )
        (files.folder / "reports/r/plan.json").unlink(missing_ok=True)
        plan = plan_of(log, files)
        assert buckets_of(plan) == buckets
        shares = [shard.share_read for shard in plan.shards]
        assert shares == pytest.approx([recent / (10 * SHARD_POLLS)] * len(buckets), abs=1e-6)


@pytest.mark.parametrize("days", [None, 10])
def test_a_shard_costs_as_many_polls_as_it_may(files: FolderFiles, days: int | None) -> None:
    """Each bucket has files to open, stores to compute, further windows to write and polls."""
    stores = [stores_file(bucket, stores=7) for bucket in range(2)]
    log = log_of(stores, [polls_file(bucket, rows=20) for bucket in range(2)])
    start = date(2024, 10, 1)
    period = days and Period(start, start + timedelta(days), PeriodUnit.DAY)
    windows = 1 if days is None else days + 1  # cut in each store's zone
    store_cost = STORE_COST_POLLS + WINDOW_COST_POLLS * (windows - 1)
    cost = 2 * (FILE_COST_POLLS + 7 * store_cost + FILE_COST_POLLS + 20)
    for shard_polls, buckets in [(cost, [[0, 1]]), (cost - 1, [[0], [1]])]:
        (files.folder / "reports/r/plan.json").unlink(missing_ok=True)
        request = ReportRequest(period=period or None)
        assert buckets_of(plan_of(log, files, request, shard_polls)) == buckets


@pytest.mark.parametrize(
    ("last", "buckets"), [(9, [[0], [1, 2]]), (10, [[0], [1, 2]]), (11, [[0, 1], [2]])]
)
def test_the_midpoint_of_a_bucket_decides_which_shard_computes_it(
    files: FolderFiles, last: int, buckets: list[list[int]]
) -> None:
    rows = (10, 10, last)
    log = log_of(
        [stores_file(bucket) for bucket in range(3)],
        [polls_file(bucket, rows=rows) for bucket, rows in enumerate(rows)],
    )
    cost = 3 * (2 * FILE_COST_POLLS + STORE_COST_POLLS) + sum(rows)
    assert buckets_of(plan_of(log, files, shard_polls=cost - 1)) == buckets


@given(
    st.dictionaries(st.integers(0, 9), st.integers(1, 1000), min_size=1),
    st.lists(st.builds(polls_file, st.integers(0, 9), st.integers(1, 10_000_000))),
    st.integers(1, 20_000_000),
)
def test_each_bucket_is_in_one_shard_with_all_its_polls(
    stores: dict[int, int], polls: list[PollsFile], shard_polls: int
) -> None:
    polls = [file for file in polls if file.bucket in stores]
    log = log_of([stores_file(*bucket) for bucket in stores.items()], polls)

    request = ReportRequest(as_of_us=NOW_US)
    with TemporaryDirectory() as folder:
        plan = plan_of(log, FolderFiles(Path(folder)), request, shard_polls)
    assert [shard.shard for shard in plan.shards] == [*range(len(plan.shards))]
    assert [bucket for shard in buckets_of(plan) for bucket in shard] == sorted(stores)
    assert plan.stores == sum(stores.values())
    for shard in plan.shards:
        buckets = {file.bucket for file in shard.stores_files}
        assert sorted(file.rows for file in shard.polls_files) == sorted(
            file.rows for file in polls if file.bucket in buckets
        )
    costs = [
        [
            sum(FILE_COST_POLLS + file.rows for file in polls if file.bucket == stores_file.bucket)
            + FILE_COST_POLLS
            + STORE_COST_POLLS * stores_file.stores
            for stores_file in shard.stores_files
        ]
        for shard in plan.shards
    ]
    assert len(costs) <= math.ceil(sum(map(sum, costs)) / shard_polls)
    assert all(sum(shard) <= shard_polls + max(shard) for shard in costs)


ZONES = ("Pacific/Kiritimati", "UTC", "America/New_York", "Etc/GMT+12")
"""The first and the last zones of a day, and others. None of them skips a date."""

DATES = st.dates(date(2011, 10, 1), date(2012, 3, 1))
INSTANTS = st.integers(to_us(utc("2011-10-01")), to_us(utc("2012-03-01")))


@given(
    st.one_of(DATES, INSTANTS),
    st.floats(0.01, 400),
    st.sampled_from(PeriodUnit),
    st.one_of(st.none(), st.floats(-2, 400)),
)
def test_the_bounds_of_the_number_of_windows_hold_in_every_zone(
    start: date | int, days: float, unit: PeriodUnit, newest_days: float | None
) -> None:
    """`newest_days` after its start, the period ends at the newest poll."""
    is_date = isinstance(start, date)
    end = start + (timedelta(math.ceil(days)) if is_date else int(days * DAY_US))  # type: ignore[operator]  # of the same type
    period = Period(start, end, unit)
    start_us, end_us = period.span_us
    newest_us = end_us if newest_days is None else start_us + int(newest_days * DAY_US)
    windows = period_windows(np.arange(len(ZONES)), ZONES, period, newest_us)
    counts = np.bincount(windows.store, minlength=len(ZONES))
    least, most = min_windows(period, newest_us), max_windows(period)
    assert least <= min(counts) <= max(counts) <= most
    assert max(counts) - least <= 5
    if newest_days is None:
        assert most - min(counts) <= 3


def test_a_february_touches_three_months() -> None:
    start_us, end_us = to_us(utc("2023-01-31 23:59")), to_us(utc("2023-03-01 00:01"))
    period = Period(start_us, end_us, PeriodUnit.MONTH)
    assert len(period_windows(np.arange(1), ("UTC",), period, end_us).store) == 3
    assert max_windows(period) == 3


def test_a_plan_from_before_fields_were_renamed_is_read() -> None:
    """Reports are kept for weeks: their plans have the older names, as new plans do."""
    stored = {
        "report_id": "r",
        "version": 7,
        "now_us": NOW_US,
        "greatest_us": NOW_US - 5,
        "memory_us": MEMORY_US,
        "poll_filter": "all",
        "formats": ["csv"],
        "follows_stores": True,
        "shards": [
            {
                "shard": 0,
                "stores": 3,
                "stores_files": [{"bucket": 2, "key": "stores", "stores": 3, "bytes": 30}],
                "polls_files": [
                    {
                        "bucket": 2,
                        "key": "polls",
                        "rows": 9,
                        "bytes": 90,
                        "least_us": NOW_US - 20,
                        "greatest_us": NOW_US - 5,
                    }
                ],
                "store_ids": None,
            }
        ],
    }
    plan = Plan.from_json(stored)
    assert plan.max_timestamp_us == NOW_US - 5
    assert plan.shards[0].polls_files == (
        PollsFile(2, "polls", 9, 90, min_timestamp_us=NOW_US - 20, max_timestamp_us=NOW_US - 5),
    )
    assert (plan.coverage_us, plan.include_outages) == (120 * MINUTE_US, False)
    stored |= {"unknown_store_ids": [], "coverage_us": 120 * MINUTE_US, "include_outages": False}
    stored |= {"target_percent": "99", "group_by": []}
    written = json.loads(json.dumps(plan.to_json()))
    assert written["shards"][0].pop("share_read") == 1
    assert written["shards"][0]["stores_files"][0].pop("attributes") == []
    assert written.pop("where") == []
    assert json.dumps(written) == json.dumps(stored)


def test_a_part_from_before_it_had_a_trend_is_read() -> None:
    stored = {b"part_info": b'{"stores_read": 3, "unknown_store_ids": ["x"]}'}
    assert PartInfo.from_metadata(stored) == PartInfo(3, ("x",))
    assert PartInfo.from_metadata({b"pandas": b"{}"}) is PartInfo.from_metadata(None) is None


def test_a_report_on_a_period_has_no_week_to_read(files: FolderFiles) -> None:
    period = Period(NOW_US - DAY_US, NOW_US, PeriodUnit.TOTAL)
    log = log_of([stores_file(0)], [polls_file(0)])
    plan_of(log, files, ReportRequest(period=period))
    report = Report("r", Status.COMPLETE, utc("2024-10-15 00:00"))
    with pytest.raises(InvalidRequestError, match="period") as raised:
        read_complete_plan("r", MemoryReports({"r": report}), FolderTables(files.folder))
    assert raised.value.field == "report_id"


def test_the_order_of_commits_does_not_matter(tmp_path: Path) -> None:
    first, second = [polls_file(0, name="a")], [polls_file(0, name="b"), polls_file(1, name="b")]
    stores = [stores_file(0), stores_file(1)]
    plans = [
        plan_of(log_of(stores, *commits), FolderFiles(tmp_path / name))
        for name, commits in [("forwards", [first, second]), ("backwards", [second, first])]
    ]
    assert plans[0] == plans[1]
