"""Any valid request makes a report in all its formats, or fails for the reason that it should."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_monitoring.domain.parameters import Period, PeriodUnit, PollFilter
from store_monitoring.errors import NoStoresError, UnknownStoreError
from store_monitoring.instants import from_text
from store_monitoring.reports.report import Format, table_files
from store_monitoring.reports.request import Condition, ReportRequest
from store_monitoring.storage.keys import report_key
from testing.pipeline import Pipeline

BRANDS = {"a": "Nori", "b": "Nori", "c": "Oka", "d": "", "e": ""}
STARTS: tuple[date | int, ...] = (
    date(2024, 10, 1),
    date(2024, 10, 14),
    from_text("2024-10-14T03:00:00Z"),
)
ENDS: tuple[date | int, ...] = (date(2024, 10, 15), from_text("2024-10-14T21:30:00Z"))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("stores"), bucket_count=3)
    polls = [
        f"{store_id},{status},2024-10-{day:02} {hour}:00:00"
        for day, hour, (store_id, status) in product(
            (6, 13, 14),
            (10, 20),
            zip("abcd", ["active", "inactive", "active", "active"], strict=True),
        )
    ]
    pipeline.ingest("polls/p.csv", "\n".join(["store_id,status,timestamp_utc", *polls]))
    rows = [f"{store_id},{brand},Asia/Kathmandu" for store_id, brand in BRANDS.items()]
    pipeline.ingest("attributes/s.csv", "\n".join(["store_id,brand,city", *rows]))
    return pipeline


@st.composite
def requests(draw: st.DrawFn) -> ReportRequest:
    period = Period(
        draw(st.sampled_from(STARTS)),
        draw(st.sampled_from(ENDS)),
        draw(st.sampled_from(PeriodUnit)),
    )
    values = st.sets(st.sampled_from(["Nori", "Oka", "", "Ume"]), min_size=1)
    brands = draw(st.none() | values)
    stores = draw(st.none() | st.sets(st.sampled_from("abcdex"), min_size=1))
    return ReportRequest(
        poll_filter=draw(st.sampled_from(PollFilter)),
        store_ids=None if stores is None else tuple(sorted(stores)),
        formats=tuple(draw(st.sets(st.sampled_from(Format), min_size=1))),
        where=() if brands is None else (Condition("brand", tuple(sorted(brands))),),
        group_by=draw(st.sampled_from([(), ("brand",), ("brand", "city")])),
        target_percent=draw(st.none() | st.just(Decimal("99.5"))),
        include_outages=draw(st.booleans()),
        period=draw(st.none() | st.just(period)),
    )


@contextmanager
def expected_failure(request: ReportRequest, stores: str) -> Iterator[None]:
    """Check that a block fails if the request is for unknown stores or for none."""
    if "x" in (request.store_ids or ()):
        with pytest.raises(UnknownStoreError):
            yield
    elif not stores:
        with pytest.raises(NoStoresError):
            yield
    else:
        yield


@settings(max_examples=min(settings().max_examples // 2, 50))
@given(request=requests(), shard_polls=st.sampled_from([1, 5, 1_000]))
def test_a_report_has_all_its_files_or_fails_with_its_reason(
    pipeline: Pipeline, request: ReportRequest, shard_polls: int
) -> None:
    stores = [
        store_id
        for store_id, brand in BRANDS.items()
        if request.store_ids is None or store_id in request.store_ids
        if all(brand in condition.values for condition in request.where)
    ]
    files = {f"report.{format_}" for format_ in {Format.CSV, *request.formats}} | {
        *table_files(request.tables, request.formats)
    }
    with expected_failure(request, "".join(stores)):
        report = pipeline.report(request, shard_polls=shard_polls)
        folder = (pipeline.folder / report_key("r", "csv")).parent
        assert files <= {file.name for file in folder.iterdir()}
        ids = [line.split(",")[0] for line in report.decode().splitlines()[1:]]
        assert sorted({*ids}) == stores
        only_csv = replace(request, formats=(Format.CSV,), group_by=(), include_outages=False)
        assert pipeline.report(only_csv, shard_polls=1_000) == report
