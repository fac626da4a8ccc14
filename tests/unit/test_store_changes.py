"""Which stores are told to have gone down or recovered, from one report to the next."""

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from store_monitoring.domain.poll_filter import PollFilter
from store_monitoring.errors import TransientError
from store_monitoring.notifications.events import Event, EventType
from store_monitoring.notifications.store_changes import Checkpoint, publish_store_changes
from store_monitoring.reports.merge import merge_report
from store_monitoring.reports.report import Format
from store_monitoring.reports.request import ReportRequest
from store_monitoring.reports.shard import compute_shard
from store_monitoring.storage.keys import report_key, store_states_key
from tests.fakes import MemoryCheckpointStore, RecordedEvents
from tests.pipeline import Pipeline

LIMIT = 4
DEFAULT = ReportRequest()


def started_at(report_id: str) -> str:
    """Return when a report was started: those of a series are, one after the other."""
    return f"2024-10-15T00:00:{int(report_id[1:]):02}.000000Z"


@dataclass
class Series:
    """Polls come in and reports are made, one after the other."""

    pipeline: Pipeline
    checkpoints: MemoryCheckpointStore = field(default_factory=MemoryCheckpointStore)
    events: RecordedEvents = field(default_factory=RecordedEvents)
    numbers: count = field(default_factory=lambda: count(1))

    def poll(self, at: str, **statuses: bool) -> None:
        """Ingest a poll of each store: whether it was active at a time of 14 October 2024."""
        rows = [
            f"{store_id},{'active' if is_active else 'inactive'},2024-10-14 {at}:00 UTC\n"
            for store_id, is_active in statuses.items()
        ]
        self.pipeline.ingest(f"polls/{at}.csv", "store_id,status,timestamp_utc\n" + "".join(rows))

    def opens(self, store_id: str, start: str, end: str) -> None:
        """Say when a store is open, in UTC; others are always."""
        self.pipeline.ingest("timezones/z.csv", f"store_id,timezone_str\n{store_id},UTC\n")
        header = "store_id,day_of_week,start_time_local,end_time_local\n"
        rows = "".join(f"{store_id},{day},{start},{end}\n" for day in range(7))
        self.pipeline.ingest("business_hours/h.csv", header + rows)

    def report(self, request: ReportRequest = DEFAULT) -> str:
        """Make a report, but for what tells of its changes; return its id."""
        report_id = f"r{next(self.numbers)}"
        plan = self.pipeline.plan(report_id, request, follow_stores=True, shard_polls=1)
        for shard in plan.shards:
            compute_shard(report_id, shard.shard, self.pipeline.tables)
        return report_id

    def tell(self, report_id: str) -> list[Event]:
        """Tell of a report's changes; return the events."""
        self.events.events.clear()
        tables = self.pipeline.tables
        started = started_at(report_id)
        publish_store_changes(report_id, started, LIMIT, tables, self.checkpoints, self.events)
        return list(self.events.events)

    def changes(self, at: str, **statuses: bool) -> dict[str, EventType]:
        """Poll, make a report, and return the kind of event for each store that has one."""
        self.poll(at, **statuses)
        events = self.tell(self.report())
        return {event.detail["store_id"]: event.type for event in events}


@pytest.fixture
def series(tmp_path: Path) -> Series:
    return Series(Pipeline(tmp_path))


WENT_DOWN, RECOVERED = EventType.STORE_WENT_DOWN, EventType.STORE_RECOVERED


def test_the_first_report_only_says_how_things_stand(series: Series) -> None:
    assert series.changes("10:00", a=True, b=False) == {}


def test_a_store_goes_down_and_recovers_and_each_is_told_once(series: Series) -> None:
    series.changes("10:00", a=True, b=True)
    assert series.changes("11:00", a=False, b=True) == {"a": WENT_DOWN}
    assert series.changes("12:00", a=False, b=True) == {}
    assert series.changes("13:00", a=True, b=False) == {"a": RECOVERED, "b": WENT_DOWN}
    assert series.changes("14:00", b=True) == {"b": RECOVERED}


def test_an_event_says_of_which_report_it_is(series: Series) -> None:
    series.changes("10:00", a=True)
    series.poll("11:00", a=False)
    report_id = series.report()
    assert series.tell(report_id) == [
        Event(
            WENT_DOWN,
            {"report_id": report_id, "as_of": "2024-10-14T11:00:00.000000Z", "store_id": "a"},
        )
    ]


def test_closing_time_changes_nothing(series: Series) -> None:
    series.opens("a", "09:00", "12:00")
    series.changes("10:00", a=True, b=True)
    assert series.changes("13:00", a=False, b=True) == {}
    assert series.changes("14:00", a=True, b=True) == {}


def test_a_store_that_opens_without_its_tablet_has_gone_down(series: Series) -> None:
    series.opens("a", "09:00", "17:00")
    series.poll("07:00", b=True)
    series.changes("08:00", a=True)  # closed: not known to be up
    assert series.changes("10:00", a=True) == {}
    series.opens("a", "12:00", "17:00")
    assert series.changes("11:00", a=False) == {}
    assert series.changes("12:30", b=True) == {"a": WENT_DOWN}


def test_a_store_that_was_down_when_it_closed_recovers_when_it_opens(series: Series) -> None:
    series.opens("a", "09:00", "12:00")
    series.changes("10:00", a=True)
    assert series.changes("11:00", a=False) == {"a": WENT_DOWN}
    assert series.changes("13:00", a=True) == {}
    series.opens("a", "14:00", "17:00")
    assert series.changes("15:00", b=True) == {"a": RECOVERED}


def test_nothing_is_told_of_a_new_store(series: Series) -> None:
    series.changes("10:00", a=True)
    assert series.changes("11:00", a=True, b=False) == {}
    assert series.changes("12:00", a=True, b=True) == {"b": RECOVERED}


def test_a_store_without_polls_is_down_and_told_when_it_is_polled(series: Series) -> None:
    series.opens("b", "00:00", "24:00")
    assert series.changes("10:00", a=True) == {}
    assert series.changes("11:00", a=True) == {}
    assert series.changes("12:00", a=True, b=True) == {"b": RECOVERED}


def test_as_many_as_the_limit_are_told_one_by_one(series: Series) -> None:
    up = dict.fromkeys("abcd", True)
    series.changes("10:00", **up, e=True)
    assert series.changes("11:00", **dict.fromkeys(up, False)) == dict.fromkeys(up, WENT_DOWN)


def test_of_more_than_the_limit_only_their_number_is_told(series: Series) -> None:
    series.changes("10:00", a=False, b=True, c=True, d=True, e=True)
    series.poll("11:00", a=True, b=False, c=False, d=False, e=False)
    [event] = series.tell(series.report())
    assert event.type is EventType.MANY_STORES_CHANGED
    assert (event.detail["went_down"], event.detail["recovered"]) == (4, 1)
    assert series.changes("12:00", b=True) == {"b": RECOVERED}


@pytest.mark.parametrize(
    "request_",
    [
        ReportRequest(as_of_us=1_728_900_000_000_000),
        ReportRequest(store_ids=("a",)),
        ReportRequest(poll_filter=PollFilter.BUSINESS_HOURS),
    ],
    ids=["another time", "some stores", "some polls"],
)
def test_only_reports_on_all_stores_now_are_told(series: Series, request_: ReportRequest) -> None:
    series.changes("10:00", a=True)
    before = series.checkpoints.get()
    series.poll("11:00", a=False)
    assert series.tell(series.report(request_)) == []
    assert series.checkpoints.get() == before


def test_the_forms_of_a_report_do_not_matter(series: Series) -> None:
    series.changes("10:00", a=True)
    series.poll("11:00", a=False)
    report_id = series.report(ReportRequest(formats=(Format.JSON, Format.XLSX)))
    assert [event.type for event in series.tell(report_id)] == [WENT_DOWN]


def test_a_report_that_ends_late_is_not_told(series: Series) -> None:
    series.changes("10:00", a=True)
    series.poll("11:00", a=False)
    late = series.report()
    assert series.changes("12:00", a=False) == {"a": WENT_DOWN}
    assert series.tell(late) == []
    assert series.changes("13:00", a=True) == {"a": RECOVERED}


def test_a_report_is_told_once(series: Series) -> None:
    series.changes("10:00", a=True)
    series.poll("11:00", a=False)
    report_id = series.report()
    assert len(series.tell(report_id)) == 1
    assert series.tell(report_id) == []


def test_what_could_not_be_published_is_told_when_it_is_tried_again(series: Series) -> None:
    series.changes("10:00", a=True)
    series.poll("11:00", a=False)
    report_id = series.report()
    series.events.error = TransientError("cannot publish events: slow down")
    with pytest.raises(TransientError):
        series.tell(report_id)
    series.events.error = None
    assert [event.type for event in series.tell(report_id)] == [WENT_DOWN]


def test_two_reports_told_at_the_same_time_are_one_after_the_other(series: Series) -> None:
    series.changes("10:00", a=True)
    series.poll("11:00", a=False)
    first, second = series.report(), series.report()
    series.tell(first)
    told_first, series.checkpoints.told = series.checkpoints.told, Checkpoint("r1", 0)
    assert told_first is not None
    series.checkpoints.meanwhile = told_first
    with pytest.raises(TransientError):
        series.tell(second)
    assert series.tell(second) == []  # it is no news any more
    assert series.checkpoints.get() == Checkpoint(second, told_first.now_us, started_at(second))


def test_when_all_reports_have_expired_it_begins_anew(series: Series) -> None:
    series.changes("10:00", a=True)
    (series.pipeline.folder / store_states_key("r1")).unlink()
    assert series.changes("11:00", a=False) == {}
    assert series.changes("12:00", a=True) == {"a": RECOVERED}


def test_what_is_computed_for_it_does_not_change_the_report(series: Series) -> None:
    series.poll("10:00", a=True, b=False)
    plain = series.pipeline.report()
    merge_report(series.report(), series.pipeline.tables)
    assert (series.pipeline.folder / report_key("r1", "csv")).read_bytes() == plain
    assert {key.rpartition("/")[2] for key in series.pipeline.files() if "/r1/report." in key} == {
        "report.csv"
    }


def test_nothing_is_computed_for_it_if_it_is_not_wanted(series: Series) -> None:
    series.poll("10:00", a=True)
    assert not series.pipeline.plan(follow_stores=False).in_detail
    assert series.pipeline.plan(follow_stores=True).in_detail


def test_after_polls_of_the_future_are_gone_it_begins_anew(series: Series) -> None:
    """A checkpoint that is later than the report would silence all reports up to its time."""
    series.changes("10:00", a=True)
    series.poll("23:00", a=False)  # of the future; then it is taken back, or a backup restored
    series.tell(series.report())
    series.pipeline.log.snapshots[-1] = series.pipeline.log.snapshots[1]
    series.pipeline.log.commits[1:] = []
    series.pipeline.log.versions[1:] = []
    assert series.changes("11:00", a=True) == {}  # it only says how things stand
    assert series.changes("12:00", a=False) == {"a": WENT_DOWN}


def test_a_report_that_ends_after_a_later_one_tells_nothing(series: Series) -> None:
    series.changes("10:00", a=True)
    series.poll("11:00", a=False)
    slow = series.report()
    assert series.changes("12:00", a=False) == {"a": WENT_DOWN}
    assert series.tell(slow) == []
    assert series.changes("13:00", a=True) == {"a": RECOVERED}
