"""The last seven days of all stores, and the week before, which the page shows (rule 9)."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_monitoring.domain.parameters import PollFilter
from store_monitoring.instants import to_text, to_us
from store_monitoring.reports.plan import PartInfo
from store_monitoring.reports.report import Format
from store_monitoring.reports.request import ReportRequest
from store_monitoring.storage.keys import report_key, summary_key
from testing.pipeline import Pipeline
from tests import oracle
from tests.cases import us, utc
from tests.oracle import Case, Period, Span, report
from tests.property.test_uptime import cases
from tests.unit.test_uptime_through_files import as_uploaded, files_of

NOW = utc("2024-10-16 12:00")
DAY = timedelta(days=1)


def days_of(now: datetime) -> list[Span]:
    return [Span(now - n * DAY, now - n * DAY + DAY) for n in range(7, 0, -1)]


def expected_trend(case: Case, windows: list[Span]) -> list[tuple[int, int]]:
    """Return uptime and downtime of all stores in windows, from the polls that a report knows."""
    now = case.now
    assert now is not None
    oldest = now - timedelta(days=case.memory_days)
    known = tuple(poll for poll in case.polls if oldest <= poll.timestamp <= now)
    period = Period(windows[0].start, now, "total")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(oracle, "windows", lambda case, store_id: windows)
        totals = report(replace(case, polls=known, period=period)).values()
    return [
        (sum(each.uptime_us[i] for each in totals), sum(each.downtime_us[i] for each in totals))
        for i in range(len(windows))
    ]


def with_page(pipeline: Pipeline, now: datetime | None, **options: Any) -> dict[str, Any]:
    """Make a report with a page; return its summary."""
    memory_days, shard_polls = options.pop("memory_days", 14), options.pop("shard_polls", 10**6)
    as_of_us = None if now is None else to_us(now)
    formats = options.pop("formats", (Format.CSV, Format.HTML))
    pipeline.report(ReportRequest(as_of_us, formats=formats, **options), memory_days, shard_polls)
    return json.loads((pipeline.folder / summary_key("r")).read_text())


@settings(max_examples=settings().max_examples // 5)
@given(
    cases().map(as_uploaded).filter(report),
    st.integers(0, 2**32),
    st.sampled_from([1, 50_000_000]),
)
def test_the_trend_of_any_files_is_the_oracle_s(case: Case, seed: int, shard_polls: int) -> None:
    assert case.now is not None
    week_before = Span(case.now - 14 * DAY, case.now - 7 * DAY)
    windows = [week_before, *days_of(case.now)] if case.memory_days >= 14 else days_of(case.now)
    expected = expected_trend(case, windows)
    week = [totals.uptime_us[-1] for totals in report(case).values()]
    assert sum(up for up, _ in expected[-7:]) == sum(week)
    with TemporaryDirectory() as folder:
        pipeline = Pipeline(Path(folder), bucket_count=3)
        for file in files_of(case, Random(seed)):
            pipeline.ingest(file.key, file.content)
        trend = with_page(
            pipeline,
            case.now,
            memory_days=case.memory_days,
            shard_polls=shard_polls,
            poll_filter=PollFilter(case.poll_filter),
        )["trend"]
        parts = sorted(Path(folder).glob("reports/r/parts/*.parquet"))
        infos = [PartInfo.from_metadata(pq.read_schema(part).metadata) for part in parts]
    trends_us = [info.trend_us for info in infos if info is not None]
    sums = [tuple(map(sum, zip(*window, strict=True))) for window in zip(*trends_us, strict=True)]
    assert sums == expected
    shown = [*([trend["week_before"]] if case.memory_days >= 14 else []), *trend["days"]]
    for window, (up, down), shown_window in zip(windows, expected, shown, strict=True):
        assert shown_window == {
            "start": to_text(to_us(window.start)),
            "end": to_text(to_us(window.end)),
            "uptime_hours": float(round(Fraction(up, us(hours=1)), 2)),
            "downtime_hours": float(round(Fraction(down, us(hours=1)), 2)),
            "uptime_percent": (
                float(round(Fraction(100 * up, up + down), 3)) if up + down else None
            ),
        }


# --- what the page says ---------------------------------------------------------------------


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """A store that was up for half of the week before, and for all of the week."""
    pipeline = Pipeline(tmp_path)
    polls = (
        (NOW - 14 * DAY, "active"),
        (NOW - 14 * DAY + 3.5 * DAY, "inactive"),
        (NOW - 7 * DAY, "active"),
        (NOW, "active"),
    )
    rows = [f"s,{status},{at.isoformat()}" for at, status in polls]
    pipeline.ingest("polls/a.csv", "\n".join(["store_id,status,timestamp_utc", *rows]))
    return pipeline


def page(pipeline: Pipeline) -> str:
    return (pipeline.folder / report_key("r", Format.HTML)).read_text()


def test_the_change_against_the_week_before(pipeline: Pipeline) -> None:
    trend = with_page(pipeline, None)["trend"]
    assert [day["uptime_percent"] for day in trend["days"]] == [100.0] * 7
    assert trend["week_before"]["uptime_percent"] == 50.0
    assert trend["change_percent_points"] == 50.0
    assert "+50.0" in page(pipeline)
    assert page(pipeline).count("<meter") == 8  # the days, and the week before


def test_a_memory_of_less_than_two_weeks_has_no_week_before(pipeline: Pipeline) -> None:
    trend = with_page(pipeline, None, memory_days=13)["trend"]
    assert len(trend["days"]) == 7
    assert (trend["week_before"], trend["change_percent_points"]) == (None, None)
    assert 'id="trend"' in page(pipeline)


def test_nothing_is_known_of_the_days(pipeline: Pipeline) -> None:
    trend = with_page(pipeline, NOW + 60 * DAY)["trend"]
    assert {day["uptime_percent"] for day in trend["days"]} == {None}
    assert trend["change_percent_points"] is None
    assert "<meter" not in page(pipeline)


def test_reports_without_the_page_have_no_trend(pipeline: Pipeline) -> None:
    assert with_page(pipeline, None, formats=(Format.CSV, Format.JSON))["trend"] is None
