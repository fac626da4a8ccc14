"""The limit on polls of one store in a file."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_monitoring.ingest.parsing import columns
from store_monitoring.ingest.parsing.columns import PollLimit
from testing.pipeline import Pipeline

LIMIT = 3


@pytest.fixture(autouse=True)
def _limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "MAX_POLLS_PER_STORE", LIMIT)


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=8)))
def test_polls_beyond_the_limit_are_found_for_any_block_size(blocks: list[list[str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "MAX_POLLS_PER_STORE", LIMIT)
        limit = PollLimit()
        seen: list[str] = []
        for block in blocks:
            expected = []
            for index, store_id in enumerate(block):
                if seen.count(store_id) >= LIMIT:
                    expected.append(index)
                seen.append(store_id)
            ids = pa.array(block, pa.string()).dictionary_encode()
            assert limit.excess(ids).tolist() == expected


def test_more_polls_than_the_limit_are_rejected_rows(tmp_path: Path) -> None:
    """The first ones are accepted; invalid rows do not count."""
    lines = ["store_id,status,timestamp_utc", "a,off,2024-10-14 10:00:00 UTC"]
    lines += [f"a,active,2024-10-14 10:00:0{second} UTC" for second in range(5)]
    lines += [f"b,active,2024-10-14 10:00:0{second} UTC" for second in range(3)]
    pipeline = Pipeline(tmp_path)
    outcome = pipeline.ingest("polls/a.csv", "\n".join(lines))
    assert (outcome.rows, outcome.rejected) == (6, 3)
    assert [(reject["line"], reject["reason"]) for reject in pipeline.rejects(outcome)][1:] == [
        ("6", "the store has more than 1,000,000 polls in this file"),
        ("7", "the store has more than 1,000,000 polls in this file"),
    ]
    more = pipeline.ingest("polls/b.csv", f"{lines[0]}\na,active,2024-10-14 11:00:00 UTC\n")
    assert (more.rows, more.rejected) == (1, 0)  # each file has its own limit
