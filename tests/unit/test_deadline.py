"""The time that is left for a file, and the waits between attempts to commit."""

import random
import time
from itertools import islice

import pytest

from store_monitoring.errors import TransientError, UnreadableFileError
from store_monitoring.ingest.deadline import (
    RESERVE_SECONDS,
    Deadline,
    commit_attempts,
    commit_waits,
)


class LongestWaits(random.Random):
    """Chance that always draws the longest wait."""

    def uniform(self, a: float, b: float) -> float:
        assert a == 0
        return b


def test_a_file_may_take_the_time_that_is_left_without_the_reserve() -> None:
    left = [150.0]
    deadline = Deadline(lambda: left[0])
    for left[0] in (150.0, RESERVE_SECONDS + 0.1):
        deadline.check_file()
    for left[0] in (RESERVE_SECONDS, RESERVE_SECONDS - 1):
        with pytest.raises(UnreadableFileError, match="within 2 minutes"):  # of the whole call
            deadline.check_file()


def test_a_deadline_within_some_seconds_comes_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    deadline = Deadline.within(100)
    assert deadline.seconds_left() == 100 - RESERVE_SECONDS
    now[0] += 60
    assert deadline.seconds_left() == 40 - RESERVE_SECONDS


def test_waits_double_up_to_20_seconds() -> None:
    waits = commit_waits(Deadline(lambda: 900), LongestWaits())
    assert [*islice(waits, 10)] == [0, 0.25, 0.5, 1, 2, 4, 8, 16, 20, 20]


def test_waits_are_drawn_at_random() -> None:
    waits = [*islice(commit_waits(Deadline(lambda: 900), random.Random(1)), 1, 200)]
    assert 0 <= min(waits) < 2
    assert 18 < max(waits) <= 20


def test_no_attempt_starts_after_the_deadline() -> None:
    left = [RESERVE_SECONDS + 0.5]
    waits = commit_waits(Deadline(lambda: left[0]), LongestWaits())
    assert [*islice(waits, 3)] == [0, 0.25, 0.5]
    with pytest.raises(TransientError, match="ingests"):
        next(waits)


def test_an_attempt_waits_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    assert [*islice(commit_attempts(Deadline(lambda: 900)), 12)] == [None] * 12
    assert slept[0] == 0
    assert len(slept) == 12
    assert max(slept) > 0.25
