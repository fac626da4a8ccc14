"""The history of a store from ingested files: the oracle's windows and figures."""

import json
import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from store_monitoring import history as history_module
from store_monitoring.domain.parameters import Period, PeriodUnit, PollFilter
from store_monitoring.errors import (
    InvalidRequestError,
    NoPollsError,
    ResponseTooLargeError,
    UnknownStoreError,
)
from store_monitoring.history import HistoryRequest
from store_monitoring.instants import to_text, to_us
from testing.pipeline import Pipeline
from tests.cases import utc
from tests.compute_by_domain import domain_period
from tests.oracle import Case, details, report
from tests.property.test_uptime import period_cases
from tests.unit.test_uptime_through_files import as_uploaded, files_of

ROOT = Path(__file__).parents[2]
DAY = timedelta(days=1)
POLLS = """store_id,status,timestamp_utc
1,active,2024-10-01 12:00:00 UTC
1,inactive,2024-10-14 12:00:00 UTC
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path)
    assert pipeline.ingest("polls/a.csv", POLLS).rejected == 0
    return pipeline


def expected_windows(case: Case, store_id: str) -> list[dict[str, Any]]:
    """Return what the oracle computes of a store, in the fields of a response."""
    if store_id not in details(case):
        return []
    totals, of_store = report(case)[store_id], details(case)[store_id]
    figures = zip(
        *(of_store.windows, totals.uptime_us, totals.downtime_us, totals.no_data_us),
        *(of_store.covered_us, totals.excluded_us, of_store.outages, of_store.longest_outage_us),
        strict=True,
    )
    return [
        {
            "start": to_text(to_us(window.start)),
            "end": to_text(to_us(window.end)),
            "uptime_us": up,
            "downtime_us": down,
            "no_data_us": no_data,
            "covered_us": covered,
            "excluded_us": excluded,
            "uptime_percent": round(100 * up / (up + down), 3) if up + down else None,
            "outages": outages,
            "longest_outage_us": longest,
        }
        for window, up, down, no_data, covered, excluded, outages, longest in figures
    ]


@settings(max_examples=settings().max_examples // 4)
@given(period_cases().map(as_uploaded), st.integers(0, 2**32), st.sampled_from([1, 3, 64]))
def test_the_history_from_any_files_is_the_oracle_s(
    case: Case, seed: int, bucket_count: int
) -> None:
    # The newest poll is the greatest timestamp; the other parameters are those of the stack.
    case = replace(case, now=None, memory_days=14, coverage_minutes=120)
    assume(case.polls)
    assert case.period is not None
    with TemporaryDirectory() as folder:
        pipeline = Pipeline(Path(folder), bucket_count)
        for file in files_of(case, Random(seed)):
            assert pipeline.ingest(file.key, file.content).rejected == 0
        for store_id in report(case):
            body = pipeline.history(
                store_id, domain_period(case.period), poll_filter=PollFilter(case.poll_filter)
            )
            for window in body["windows"]:
                local = {name: window.pop(f"{name}_local") for name in ("start", "end")}
                for name, text in local.items():
                    assert datetime.fromisoformat(text) == datetime.fromisoformat(window[name])
            assert body["windows"] == expected_windows(case, store_id)


def test_the_documented_example_is_the_response(tmp_path: Path) -> None:
    text = (ROOT / "docs/timeline.md").read_text(encoding="utf-8")
    pipeline = Pipeline(tmp_path)
    for kind, content in re.findall(r"^```csv (\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        assert pipeline.ingest(f"{kind}/a.csv", content).error is None
    [example] = re.findall(r"/history\?\S+` returns.*?```json\n(.*?)```", text, re.DOTALL)
    period = Period(date(2024, 10, 13), date(2024, 10, 16), PeriodUnit.DAY)
    body = pipeline.history("1", period)
    assert body == json.loads(example)
    document = json.loads((ROOT / "functions/pages/openapi.json").read_text(encoding="utf-8"))
    responses = document["paths"]["/stores/{store_id}/history"]["get"]["responses"]
    [documented] = responses["200"]["content"]["application/json"]["examples"].values()
    assert body == documented["value"]


def test_the_response_has_its_schema(pipeline: Pipeline) -> None:
    document = json.loads((ROOT / "functions/pages/openapi.json").read_text(encoding="utf-8"))
    schema = {"$ref": "#/components/schemas/History", "components": document["components"]}
    body = pipeline.history("1", Period(date(2024, 9, 1), date(2024, 11, 1), PeriodUnit.WEEK))
    Draft202012Validator(schema).validate(body)


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (date(2024, 10, 2), date(2024, 10, 2), "to: not after from"),
        (to_us(utc("2024-10-02 00:00")), to_us(utc("2024-10-01 00:00")), "to: not after from"),
        (date(2023, 1, 1), date(2024, 2, 6), "to: more than 400 days after from"),
        (to_us(utc("2023-01-01 00:00")), date(2024, 2, 6), "to: more than 400 days after from"),
    ],
)
def test_a_period_has_1_to_400_days(start: date | int, end: date | int, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        HistoryRequest("1", Period(start, end, PeriodUnit.MONTH))


def test_400_days_are_400_windows(pipeline: Pipeline) -> None:
    end = date(2024, 10, 14)
    whole_days = Period(end - 400 * DAY, end, PeriodUnit.DAY)
    assert len(pipeline.history("1", whole_days)["windows"]) == 400
    # From noon to noon, in Chicago: one more.
    start, end_at = (to_us(utc(text)) for text in ("2023-09-08 12:00", "2024-10-12 12:00"))
    with pytest.raises(InvalidRequestError, match="by: more than 400 windows"):
        pipeline.history("1", Period(start, end_at, PeriodUnit.DAY))


def test_an_unknown_store(pipeline: Pipeline) -> None:
    with pytest.raises(UnknownStoreError, match="'no-such-store'"):
        pipeline.history(
            "no-such-store", Period(date(2024, 10, 1), date(2024, 10, 2), PeriodUnit.DAY)
        )


def test_no_polls(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.ingest("timezones/a.csv", "store_id,timezone_str\n1,UTC\n")
    with pytest.raises(NoPollsError):
        pipeline.history("1", Period(date(2024, 10, 1), date(2024, 10, 2), PeriodUnit.DAY))


def test_a_period_after_the_newest_poll_has_no_windows(pipeline: Pipeline) -> None:
    body = pipeline.history("1", Period(date(2025, 1, 1), date(2025, 1, 2), PeriodUnit.DAY))
    assert body["windows"] == []
    assert body["snapshot"] == {"version": 1, "newest_poll": "2024-10-14T12:00:00.000000Z"}


def test_too_many_polls(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "MAX_POLLS", 1)
    with pytest.raises(ResponseTooLargeError):
        pipeline.history("1", Period(date(2024, 10, 1), date(2024, 10, 20), PeriodUnit.DAY))
