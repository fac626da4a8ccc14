"""Events about stores that changed their state between one report and the next."""

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest
from aws_lambda_powertools import Metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from store_monitoring import metrics
from store_monitoring.domain.parameters import PollFilter
from store_monitoring.errors import TransientError
from store_monitoring.notifications.events import Event, EventType
from store_monitoring.notifications.store_changes import Checkpoint, publish_store_changes
from store_monitoring.reports.merge import merge_report
from store_monitoring.reports.report import Format
from store_monitoring.reports.request import ReportRequest
from store_monitoring.reports.shard import compute_shard
from store_monitoring.storage.keys import part_key, report_key, store_states_key
from testing.fakes import MemoryCheckpointStore, RecordedEvents
from testing.pipeline import Pipeline

LIMIT = 4
DEFAULT = ReportRequest()


def started_at(report_id: str) -> str:
    """Return the start of a report; the reports of a series start one after the other."""
    return f"2024-10-15T00:00:{int(report_id[1:]):02}.000000Z"


@dataclass
class Series:
    """A series of polls and reports."""

    pipeline: Pipeline
    checkpoints: MemoryCheckpointStore = field(default_factory=MemoryCheckpointStore)
    events: RecordedEvents = field(default_factory=RecordedEvents)
    numbers: count = field(default_factory=lambda: count(1))

    def poll(self, at: str, **statuses: bool) -> None:
        """Ingest one poll per store, active or not, at a time of 14 October 2024, or of a date."""
        instant = at if " " in at else f"2024-10-14 {at}"
        rows = [
            f"{store_id},{'active' if is_active else 'inactive'},{instant}:00 UTC\n"
            for store_id, is_active in statuses.items()
        ]
        self.pipeline.ingest(f"polls/{at}.csv", "store_id,status,timestamp_utc\n" + "".join(rows))

    def opens(self, store_id: str, start: str, end: str) -> None:
        """Set the business hours of a store, in UTC; other stores are always open."""
        self.pipeline.ingest("timezones/z.csv", f"store_id,timezone_str\n{store_id},UTC\n")
        header = "store_id,day_of_week,start_time_local,end_time_local\n"
        rows = "".join(f"{store_id},{day},{start},{end}\n" for day in range(7))
        self.pipeline.ingest("business_hours/h.csv", header + rows)

    def report(self, request: ReportRequest = DEFAULT) -> str:
        """Make a report without publishing its store changes; return its id."""
        report_id = f"r{next(self.numbers)}"
        plan = self.pipeline.plan(report_id, request, publish_changes=True, shard_polls=1)
        for shard in plan.shards:
            compute_shard(report_id, shard.shard, self.pipeline.tables)
        return report_id

    def publish(self, report_id: str) -> list[Event]:
        """Publish the store changes of a report; return the events."""
        self.events.events.clear()
        tables = self.pipeline.tables
        started = started_at(report_id)
        publish_store_changes(report_id, started, LIMIT, tables, self.checkpoints, self.events)
        return list(self.events.events)

    def changes(self, at: str, **statuses: bool) -> dict[str, EventType]:
        """Poll, make a report, and return the type of event per store that has one."""
        self.poll(at, **statuses)
        events = self.publish(self.report())
        return {event.detail["store_id"]: event.type for event in events}


@pytest.fixture(autouse=True)
def _metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_metrics", Metrics(namespace="StoreMonitoring", service="stack"))


@pytest.fixture
def series(tmp_path: Path) -> Series:
    return Series(Pipeline(tmp_path))


WENT_DOWN, RECOVERED = EventType.STORE_WENT_DOWN, EventType.STORE_RECOVERED
WENT_SILENT, HEARD_AGAIN = EventType.STORE_WENT_SILENT, EventType.STORE_HEARD_AGAIN


def test_the_first_report_only_records_states(series: Series) -> None:
    assert series.changes("10:00", a=True, b=False) == {}


def test_going_down_and_recovering_are_each_published_once(series: Series) -> None:
    series.changes("10:00", a=True, b=True)
    assert series.changes("11:00", a=False, b=True) == {"a": WENT_DOWN}
    assert series.changes("12:00", a=False, b=True) == {}
    assert series.changes("13:00", a=True, b=False) == {"a": RECOVERED, "b": WENT_DOWN}
    assert series.changes("14:00", b=True) == {"b": RECOVERED}


def test_an_event_contains_its_report(series: Series) -> None:
    series.changes("10:00", a=True)
    series.poll("11:00", a=False)
    report_id = series.report()
    assert series.publish(report_id) == [
        Event(
            WENT_DOWN,
            {"report_id": report_id, "as_of": "2024-10-14T11:00:00.000000Z", "store_id": "a"},
        )
    ]


def test_closing_time_is_no_change(series: Series) -> None:
    series.opens("a", "09:00", "12:00")
    series.changes("10:00", a=True, b=True)
    assert series.changes("13:00", a=False, b=True) == {}
    assert series.changes("14:00", a=True, b=True) == {}


def test_a_store_that_opens_while_inactive_has_gone_down(series: Series) -> None:
    series.opens("a", "09:00", "17:00")
    series.poll("07:00", b=True)
    series.changes("08:00", a=True)  # closed, so its state is unknown
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


def test_nothing_is_published_about_a_new_store(series: Series) -> None:
    series.changes("10:00", a=True)
    assert series.changes("11:00", a=True, b=False) == {}
    assert series.changes("12:00", a=True, b=True) == {"b": RECOVERED}


# --- stores without data (rule 19) ----------------------------------------------------------

REPORT_DAYS = ("2024-08-01", "2024-09-01", "2024-10-01")
"""Further apart than the poll memory: a poll is known in one of the reports only."""


@pytest.mark.parametrize(
    ("history", "event", "status"),
    [
        ("- -", None, None),
        ("- up", None, None),
        ("- down", None, None),
        ("up up", None, None),
        ("up down", WENT_DOWN, None),
        ("up -", WENT_SILENT, None),
        ("down up", RECOVERED, None),
        ("down down", None, None),
        ("down -", WENT_SILENT, None),
        ("up - up", HEARD_AGAIN, "up"),
        ("up - down", HEARD_AGAIN, "down"),
        ("up - -", None, None),
        ("down - up", HEARD_AGAIN, "up"),
        ("down - down", HEARD_AGAIN, "down"),
    ],
)
def test_the_event_of_every_transition(
    series: Series, history: str, event: EventType | None, status: str | None
) -> None:
    """The history has the state of a store in each report; `-` is no data."""
    series.opens("a", "00:00", "24:00")
    for day, state in zip(REPORT_DAYS, history.split(), strict=False):
        polled = {} if state == "-" else {"a": state == "up"}
        series.poll(f"{day} 12:00", other=True, **polled)
        events = series.publish(series.report())
    assert [(each.type, each.detail["store_id"]) for each in events] == (
        [] if event is None else [(event, "a")]
    )
    assert [each.detail.get("status") for each in events if event] == [status] * len(events)


def test_changes_after_a_store_was_heard_again_are_as_before(series: Series) -> None:
    series.changes("2024-08-01 12:00", a=True, b=True)
    assert series.changes("2024-09-01 12:00", b=True) == {"a": WENT_SILENT}
    assert series.changes("2024-09-01 13:00", a=False) == {"a": HEARD_AGAIN}
    assert series.changes("2024-09-01 14:00", a=True) == {"a": RECOVERED}
    assert series.changes("2024-09-01 15:00", a=False) == {"a": WENT_DOWN}


def test_a_closed_store_goes_silent_when_it_opens(series: Series) -> None:
    series.opens("a", "09:00", "12:00")
    series.changes("2024-08-01 10:00", a=True, b=True)
    assert series.changes("2024-09-01 08:00", b=True) == {}
    assert series.changes("2024-09-01 10:00", b=True) == {"a": WENT_SILENT}
    assert series.changes("2024-09-01 13:00", a=True) == {}
    assert series.changes("2024-09-02 10:00", a=True) == {"a": HEARD_AGAIN}


def test_states_of_an_older_version_can_be_read(series: Series) -> None:
    """They have no column `silent`, and stores without data are down in them."""
    stored = {"down": False, "silent": False, "up": True, "lost": True, "never": None}
    for store_id in stored:
        series.opens(store_id, "00:00", "24:00")
    series.changes("2024-08-01 12:00", **dict.fromkeys(stored, True), other=True)
    older = pa.table({"store_id": list(stored), "up": pa.array(stored.values(), pa.bool_())})
    series.pipeline.tables.write_table(store_states_key("r1"), older)
    assert series.changes("2024-09-01 12:00", down=True, up=False, never=True) == {
        "down": RECOVERED,
        "lost": WENT_SILENT,
        "up": WENT_DOWN,
    }
    assert series.changes("2024-09-01 13:00", silent=True) == {"silent": HEARD_AGAIN}


def test_an_older_version_can_read_the_states(series: Series) -> None:
    """It reads the column `up`; a silent store has no state in it."""
    series.changes("2024-08-01 12:00", a=True, b=True, c=False)
    series.changes("2024-09-01 12:00", b=True, c=False)
    states = series.pipeline.tables.read_table(store_states_key("r2"))
    assert dict(zip(*states.select(["store_id", "up"]).to_pydict().values(), strict=True)) == {
        "a": None,
        "b": True,
        "c": False,
    }


BEFORE = {
    WENT_DOWN: {"up"},
    RECOVERED: {"down"},
    WENT_SILENT: {"up", "down"},
    HEARD_AGAIN: {"silent"},
}
AFTER = {WENT_DOWN: "down", RECOVERED: "up", WENT_SILENT: "silent"}
OBSERVATIONS = {
    "up": (True, True),
    "down": (True, False),
    "-": (True, None),
    "closed": (False, None),
}
"""Whether the store is open in a report, and the status of its last known poll."""


def next_state(state: str | None, observed: str) -> str | None:
    match observed:
        case "closed":
            return state
        case "-":
            return None if state is None else "silent"
    return observed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replayed")


@settings(max_examples=settings().max_examples // 4)
@given(
    reports=st.lists(
        st.fixed_dictionaries({id_: st.sampled_from([*OBSERVATIONS]) for id_ in "abc"})
    )
)
def test_the_events_replayed_give_the_states(folder: Path, reports: list[dict[str, str]]) -> None:
    series = Series(Pipeline(folder))
    series.poll("10:00", a=True, b=True, c=True)
    states: dict[str, str | None] = dict.fromkeys("abc")
    replayed: dict[str, str | None] = dict.fromkeys("abc")
    for number, observed in enumerate(reports, 1):
        report_id = f"r{number}"
        series.pipeline.plan(report_id, publish_changes=True)
        is_open, is_active = zip(*map(OBSERVATIONS.__getitem__, observed.values()), strict=True)
        part = {
            "store_id": pa.array(observed),
            "open_now": pa.array(is_open),
            "last_poll_active": pa.array(is_active, pa.bool_()),
        }
        series.pipeline.tables.write_part(part_key(report_id, 0), pa.table(part))
        for event in series.publish(report_id):
            store_id = event.detail["store_id"]
            assert replayed[store_id] in BEFORE[event.type]
            replayed[store_id] = event.detail.get("status") or AFTER[event.type]
        for store_id, state in states.items():
            states[store_id] = next_state(state, observed[store_id])
            if state is None:
                replayed[store_id] = states[store_id]  # a first state has no event
        assert replayed == states


# --- how many events ------------------------------------------------------------------------


def test_up_to_the_limit_each_change_has_an_event(series: Series) -> None:
    up = dict.fromkeys("abcd", True)
    series.changes("10:00", **up, e=True)
    assert series.changes("11:00", **dict.fromkeys(up, False)) == dict.fromkeys(up, WENT_DOWN)


def test_above_the_limit_one_event_has_the_number_of_changes(series: Series) -> None:
    series.changes("10:00", a=False, b=True, c=True, d=True, e=True)
    series.poll("11:00", a=True, b=False, c=False, d=False, e=False)
    [event] = series.publish(series.report())
    assert event.type is EventType.MANY_STORES_CHANGED
    assert (event.detail["went_down"], event.detail["recovered"]) == (4, 1)
    assert (event.detail["went_silent"], event.detail["heard_again"]) == (0, 0)
    assert series.changes("12:00", b=True) == {"b": RECOVERED}


def test_stores_that_go_silent_or_are_heard_again_count_towards_the_limit(series: Series) -> None:
    series.changes("2024-08-01 12:00", **dict.fromkeys("abcd", True), e=True)
    series.poll("2024-09-01 12:00", e=False)
    [event] = series.publish(series.report())
    assert event.type is EventType.MANY_STORES_CHANGED
    assert (event.detail["went_down"], event.detail["went_silent"]) == (1, 4)
    series.poll("2024-09-01 13:00", **dict.fromkeys("abcd", False), e=True)
    [event] = series.publish(series.report())
    assert (event.detail["recovered"], event.detail["heard_again"]) == (1, 4)


@pytest.mark.parametrize(
    "request_",
    [
        ReportRequest(as_of_us=1_728_900_000_000_000),
        ReportRequest(store_ids=("a",)),
        ReportRequest(poll_filter=PollFilter.BUSINESS_HOURS),
    ],
    ids=["another time", "some stores", "some polls"],
)
def test_only_default_reports_publish_changes(series: Series, request_: ReportRequest) -> None:
    series.changes("10:00", a=True)
    before = series.checkpoints.get()
    series.poll("11:00", a=False)
    assert series.publish(series.report(request_)) == []
    assert series.checkpoints.get() == before


def test_the_formats_of_a_report_do_not_matter(series: Series) -> None:
    series.changes("10:00", a=True)
    series.poll("11:00", a=False)
    report_id = series.report(ReportRequest(formats=(Format.JSON, Format.XLSX)))
    assert [event.type for event in series.publish(report_id)] == [WENT_DOWN]


def test_a_report_that_ends_late_publishes_nothing(series: Series) -> None:
    series.changes("10:00", a=True)
    series.poll("11:00", a=False)
    late = series.report()
    assert series.changes("12:00", a=False) == {"a": WENT_DOWN}
    checkpoint = series.checkpoints.get()
    assert series.publish(late) == []
    assert series.checkpoints.get() == checkpoint
    assert series.changes("13:00", a=True) == {"a": RECOVERED}


def test_of_reports_of_the_same_instant_the_last_published_one_counts(series: Series) -> None:
    series.changes("10:00", a=True)
    first, second = series.report(), series.report()
    for report_id in (second, first):
        series.publish(report_id)
        checkpoint = series.checkpoints.get()
        assert checkpoint is not None
        assert checkpoint.report_id == report_id


def test_of_reports_started_together_the_later_instant_counts(series: Series) -> None:
    series.poll("10:00", a=True)
    report_id = series.report()
    later = Checkpoint("other", 2**60, started_at(report_id))
    series.checkpoints.current = later
    assert series.publish(report_id) == []
    assert series.checkpoints.get() == later


def test_the_changes_of_a_report_are_published_once(series: Series) -> None:
    series.changes("10:00", a=True)
    series.poll("11:00", a=False)
    report_id = series.report()
    assert len(series.publish(report_id)) == 1
    assert series.publish(report_id) == []


def test_events_that_could_not_be_published_are_published_by_a_retry(series: Series) -> None:
    series.changes("10:00", a=True)
    series.poll("11:00", a=False)
    report_id = series.report()
    series.events.error = TransientError("cannot publish events: slow down")
    with pytest.raises(TransientError):
        series.publish(report_id)
    series.events.error = None
    assert [event.type for event in series.publish(report_id)] == [WENT_DOWN]


def test_of_two_concurrent_reports_one_is_published_after_the_other(series: Series) -> None:
    series.changes("10:00", a=True)
    series.poll("11:00", a=False)
    first, second = series.report(), series.report()
    series.publish(first)
    first_checkpoint, series.checkpoints.current = series.checkpoints.current, Checkpoint("r1", 0)
    assert first_checkpoint is not None
    series.checkpoints.meanwhile = first_checkpoint
    with pytest.raises(TransientError):
        series.publish(second)
    assert series.publish(second) == []  # its changes are no longer new
    assert series.checkpoints.get() == Checkpoint(
        second, first_checkpoint.now_us, started_at(second)
    )


def test_after_all_reports_have_expired_states_are_recorded_again(series: Series) -> None:
    series.changes("10:00", a=True)
    (series.pipeline.folder / store_states_key("r1")).unlink()
    assert series.changes("11:00", a=False) == {}
    assert series.changes("12:00", a=True) == {"a": RECOVERED}


def test_following_stores_does_not_change_the_report(series: Series) -> None:
    series.poll("10:00", a=True, b=False)
    plain = series.pipeline.report()
    merge_report(series.report(), series.pipeline.tables)
    assert (series.pipeline.folder / report_key("r1", "csv")).read_bytes() == plain
    assert {key.rpartition("/")[2] for key in series.pipeline.files() if "/r1/report." in key} == {
        "report.csv"
    }


def test_after_polls_from_the_future_are_removed_states_are_recorded_again(series: Series) -> None:
    """A later checkpoint would otherwise suppress the events of all reports up to its time."""
    series.changes("10:00", a=True)
    series.poll("23:00", a=False)  # from the future; then it is taken back, or a backup is restored
    series.publish(series.report())
    series.pipeline.log.snapshots[-1] = series.pipeline.log.snapshots[1]
    series.pipeline.log.commits[1:] = []
    series.pipeline.log.versions[1:] = []
    assert series.changes("11:00", a=True) == {}  # it only records states
    assert series.changes("12:00", a=False) == {"a": WENT_DOWN}
