"""The plan of a report: its snapshot, split into shards."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from store_monitoring.domain.parameters import (
    DAY_US,
    DEFAULT_COVERAGE_US,
    DEFAULT_TARGET_PERCENT,
    WEEK_US,
    Parameters,
    Period,
    PeriodUnit,
    PollFilter,
)
from store_monitoring.errors import (
    InvalidRequestError,
    MissingObjectError,
    ReportFailedError,
    ReportRunningError,
    UnknownReportError,
)
from store_monitoring.instants import to_text
from store_monitoring.reports.ports import Reports
from store_monitoring.reports.report import Format, ReportWarning, Status
from store_monitoring.reports.request import (
    Condition,
    conditions_in_words,
    period_from_json,
    period_to_json,
)
from store_monitoring.storage.keys import plan_key
from store_monitoring.storage.ports import (
    PollsFile,
    StoresFile,
    Tables,
    from_stored_names,
    to_stored_names,
)

_PART_INFO = b"part_info"


@dataclass(frozen=True, slots=True)
class Shard:
    """The buckets that one compute_shard call computes.

    Attributes
    ----------
    shard : int
        Number of the shard, from 0.
    stores : int
        Number of stores that it reads.
    stores_files, polls_files : tuples of files
        The files that it reads.
    store_ids : tuple of str or None
        The requested stores; None for all stores in the files.
    share_read : float
        The approximate share of the files' polls that it reads; the others are of other weeks.
    """

    shard: int
    stores: int
    stores_files: tuple[StoresFile, ...]
    polls_files: tuple[PollsFile, ...]
    store_ids: tuple[str, ...] | None
    share_read: float = 1.0  # plans of older versions lack it

    def batches(
        self, polls: int, max_rows: int
    ) -> Iterator[tuple[list[StoresFile], list[PollsFile]]]:
        """Yield the files in batches of whole buckets.

        A batch is full when about `polls` polls of it are read, or its files have `max_rows` polls.
        """
        polls_of: dict[int, list[PollsFile]] = defaultdict(list)
        for file in self.polls_files:
            polls_of[file.bucket].append(file)
        batch: tuple[list[StoresFile], list[PollsFile]] = [], []
        for stores_file in self.stores_files:
            batch[0].append(stores_file)
            batch[1].extend(polls_of[stores_file.bucket])
            rows = sum(file.rows for file in batch[1])
            if rows * self.share_read >= polls or rows >= max_rows:
                yield batch
                batch = [], []
        if batch[0]:
            yield batch


@dataclass(frozen=True, slots=True)
class PartInfo:
    """How a part was computed; stored as metadata of its schema.

    Attributes
    ----------
    stores_read : int
        Number of requested stores, before `Plan.where` leaves some out.
    unknown_store_ids : tuple of str
        Requested stores that are in none of the files.
    trend_us : tuple of (int, int)
        If `Plan.has_trend`: uptime and downtime of all its stores in each of `trend_windows`.
    """

    stores_read: int
    unknown_store_ids: tuple[str, ...] = ()
    trend_us: tuple[tuple[int, int], ...] = ()

    def to_metadata(self) -> dict[bytes, bytes]:
        """Return what `from_metadata` reads."""
        return {_PART_INFO: json.dumps(asdict(self)).encode()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[bytes, bytes] | None) -> Self | None:
        """Read the metadata of a part's schema; None if it is from an older version."""
        if metadata is None or _PART_INFO not in metadata:
            return None
        info = json.loads(metadata[_PART_INFO])
        return cls(
            info["stores_read"],
            tuple(info["unknown_store_ids"]),
            tuple((uptime_us, downtime_us) for uptime_us, downtime_us in info.get("trend_us", ())),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The snapshot that a report reads, shard by shard.

    Attributes
    ----------
    report_id : str
    version : int
        Version of the ingest log that the plan was made from.
    now_us : int
        End of all windows. In a period's report, a store's may end earlier.
    max_timestamp_us : int or None
        Greatest poll timestamp of the snapshot.
    memory_us : int
        Length of the poll memory: older polls are not known (rule 9).
    poll_filter : PollFilter
    formats : tuple of Format
    publishes_changes : bool
        Whether store changes are published from this report.
    shards : tuple of Shard
    unknown_store_ids : tuple of str
        Requested stores that are in no shard: no input file names them.
    coverage_us : int
        How long after a poll business time is covered (rule 19).
    include_outages : bool
        Whether the shards also write all outages.
    target_percent : str
        The target of stores that have none of their own, a decimal (rule 22).
    group_by : tuple of str
        The attributes of the table of groups (rule 23); none: no such table.
    where : tuple of Condition
        Which stores of the shards are in the report: those that meet all conditions.
    period : Period or None
        What the report is about (rule 20); None for the classic windows.
    """

    report_id: str
    version: int
    now_us: int
    max_timestamp_us: int | None
    memory_us: int
    poll_filter: PollFilter
    formats: tuple[Format, ...]
    publishes_changes: bool
    shards: tuple[Shard, ...]
    unknown_store_ids: tuple[str, ...] = ()
    # Plans of older versions lack the following.
    coverage_us: int = DEFAULT_COVERAGE_US
    include_outages: bool = False
    target_percent: str = DEFAULT_TARGET_PERCENT
    group_by: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    period: Period | None = None

    @property
    def known_since_us(self) -> int:
        """The instant before which polls are not known for any store (rules 9 and 21)."""
        if self.period is None:
            return self.now_us - self.memory_us
        start_us, _ = self.period.span_us
        return min(start_us - (self.memory_us - WEEK_US), self.now_us)

    @property
    def has_trend(self) -> bool:
        """Whether the uptime of all stores day by day is computed, for the classic HTML page."""
        return self.period is None and Format.HTML in self.formats

    @property
    def max_windows(self) -> int:
        """Greatest number of rows that a store may have."""
        return 1 if self.period is None else max_windows(self.period)

    @property
    def min_windows(self) -> int:
        """Number of rows that every store has at least; stores of some zones may have more."""
        if self.period is None:
            return 1
        return min_windows(self.period, self.now_us)

    @property
    def parameters(self) -> Parameters:
        """The parameters that the uptime of the stores is computed with."""
        return Parameters(self.memory_us, self.poll_filter, self.coverage_us)

    @property
    def selection(self) -> str:
        """Which stores the report covers, for people."""
        named = sum(len(shard.store_ids or ()) for shard in self.shards)
        by_id = [f"of {named:,} named by id"] if named else []
        conditions = [f"with {conditions_in_words(self.where)}"] if self.where else []
        return ", ".join([*by_id, *conditions]) or "all that are known"

    @property
    def stores(self) -> int:
        """Number of stores that the shards read: the report's rows, or more if it has `where`."""
        return sum(shard.stores for shard in self.shards)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that some of the stores in the files have, ascending."""
        names = (file.attributes for shard in self.shards for file in shard.stores_files)
        return tuple(sorted(set().union(*names)))

    @property
    def warnings(self) -> tuple[ReportWarning, ...]:
        """A warning if no store has data, or the period begins after the newest poll.

        The request is probably wrong, or polls have stopped arriving.
        """
        newest_us = self.max_timestamp_us
        if newest_us is None:
            return (ReportWarning("no_known_polls", "no store has data: no polls are ingested"),)
        if self.now_us - newest_us > self.memory_us:
            message = (
                f"no store has data: as_of is more than {self.memory_us // DAY_US} days after the"
                f" newest poll, {to_text(newest_us)}"
            )
            return (ReportWarning("no_known_polls", message),)
        if self.period is None or self.period.span_us[0] < newest_us:
            return ()
        message = f"nothing is counted after the newest poll, {to_text(newest_us)}"
        return (ReportWarning("no_known_polls", message),)

    def includes(self, store_id: str) -> bool:
        """Return whether the report covers a store, if that is known."""
        return any(shard.store_ids is None or store_id in shard.store_ids for shard in self.shards)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `from_json` parses."""
        document = asdict(self, dict_factory=to_stored_names)
        del document["period"]  # only plans of periods have it
        if self.period is not None:
            document["period"] = period_to_json(self.period)
        return document

    @classmethod
    def from_json(cls, document: Any) -> Self:
        """Parse the JSON object that `to_json` returned."""
        plan = from_stored_names(document)
        shards = tuple(
            Shard(
                shard["shard"],
                shard["stores"],
                tuple(StoresFile.from_json(file) for file in shard["stores_files"]),
                tuple(PollsFile.from_json(file) for file in shard["polls_files"]),
                None if shard["store_ids"] is None else tuple(shard["store_ids"]),
                shard.get("share_read", 1.0),
            )
            for shard in plan.pop("shards")
        )
        poll_filter = PollFilter(plan.pop("poll_filter"))
        formats = tuple(Format(name) for name in plan.pop("formats"))
        # Plans of older versions lack the following.
        unknown = tuple(plan.pop("unknown_store_ids", ()))
        where = tuple(
            Condition(each["attribute"], tuple(each["values"])) for each in plan.pop("where", ())
        )
        group_by = tuple(plan.pop("group_by", ()))
        period = plan.pop("period", None)
        return cls(
            **plan,
            poll_filter=poll_filter,
            formats=formats,
            shards=shards,
            unknown_store_ids=unknown,
            group_by=group_by,
            where=where,
            period=None if period is None else period_from_json(period),
        )


def max_windows(period: Period) -> int:
    """Return the greatest number of windows that a store may have in a period.

    A store in a zone that skips a date may have one more.

    >>> from datetime import date
    >>> max_windows(Period(date(2024, 10, 1), date(2024, 11, 1), PeriodUnit.DAY))
    32
    """
    days = {PeriodUnit.DAY: 1, PeriodUnit.WEEK: 7, PeriodUnit.MONTH: 28}.get(period.unit)
    return 1 if days is None else math.ceil(period.days / days) + 1


def min_windows(period: Period, newest_us: int) -> int:
    """Return a number of windows that every store has at least, whatever its zone.

    A store has none if its zone skips the only date of the period.

    Parameters
    ----------
    period : Period
    newest_us : int
        No window ends later.

    Examples
    --------
    >>> from datetime import date
    >>> period = Period(date(1970, 1, 11), date(1970, 2, 10), PeriodUnit.DAY)
    >>> [min_windows(period, day * DAY_US) for day in (11, 12, 20, 99)]
    [0, 1, 8, 27]
    """
    start_us, end_us = period.span_us
    # The span contains the period of every zone; the time that all zones share is shorter.
    start_us += 0 if isinstance(period.start, int) else 2 * DAY_US
    end_us -= 0 if isinstance(period.end, int) else 2 * DAY_US
    if newest_us <= start_us:
        return 0
    days = {PeriodUnit.DAY: 1, PeriodUnit.WEEK: 7, PeriodUnit.MONTH: 31}.get(period.unit)
    length_us = min(end_us, newest_us) - start_us
    # A zone may have skipped a date.
    return 1 if days is None else max(1, length_us // (days * DAY_US) - 1)


def read_plan(report_id: str, tables: Tables) -> Plan:
    """Read a report's plan."""
    return Plan.from_json(json.loads(tables.read_bytes(plan_key(report_id))))


def read_complete_plan(report_id: str, reports: Reports, tables: Tables) -> Plan:
    """Read the plan of a report that is Complete and has the classic windows.

    Raises
    ------
    UnknownReportError, ReportRunningError, ReportFailedError
        If it is not Complete.
    InvalidRequestError
        If it is on a period: it has no week, and a row is not a store.
    """
    report = reports.get(report_id)
    if report is None:
        raise UnknownReportError(f"there is no report {report_id}")
    match report.status:
        case Status.RUNNING:
            raise ReportRunningError(f"the report {report_id} is still Running")
        case Status.FAILED:
            raise ReportFailedError(f"the report {report_id} Failed")
    try:
        plan = read_plan(report_id, tables)
    except MissingObjectError:  # the plan may be deleted before the report's record
        raise UnknownReportError(f"the report {report_id} has expired") from None
    if plan.period is not None:
        raise InvalidRequestError.about(
            "report_id", "this report is on a period; use its files or summary"
        )
    return plan
