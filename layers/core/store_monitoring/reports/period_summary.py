"""The summary of a period's report: its windows as a series, for all stores and for each group."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.parameters import DAY_US
from store_monitoring.domain.time_zones import DEFAULT_ZONE_NAME
from store_monitoring.instants import to_text, to_us
from store_monitoring.reports.groups import GroupsBuilder, window_keys, window_starts
from store_monitoring.reports.measures import StoreTotals, Sums, hours, percent, summands
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.report import Format, ReportWarning
from store_monitoring.reports.summary import (
    SUMMARY_GROUPS,
    UPTIME_LABELS,
    WORST_STORES,
    Bin,
    Histogram,
    WindowSummary,
    ZoneOutages,
    json_object,
    outages_by_zone,
    uptime_bins,
    window_summary,
    worst_first,
)

SILENT_US = DAY_US
"""A store is silent if its last known poll is at least this long before its last window's end."""

SILENT_STORES_NAMED = 100
PAGE_STORES = 1000
"""Number of stores in the table of a period's page, which so has less than 1 MB."""

SERIES_WINDOWS = 10_000
"""With more windows of groups than this, a summary has only the groups' totals.

Otherwise it could be larger than a response of the API.
"""


@dataclass(frozen=True, slots=True)
class PeriodWindow:
    """All stores of the report, or of a group, together in one window.

    Attributes
    ----------
    window_start : str
        The earliest local date on which it begins in any of the report's stores.
    stores : int
        Number of stores that have this window.
    totals : WindowSummary
    outages, incidents : int
        An outage counts in every window that it overlaps.
    mean_time_to_recovery_hours : float or None
        Mean business duration of the incidents that ended in the window; None without any.
    """

    window_start: str
    stores: int
    totals: WindowSummary
    outages: int
    incidents: int
    mean_time_to_recovery_hours: float | None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object, with the totals beside the other fields."""
        fields: dict[str, Any] = asdict(self, dict_factory=json_object)
        totals: dict[str, Any] = fields.pop("totals")
        return fields | totals


@dataclass(frozen=True, slots=True)
class PeriodTotal:
    """All stores of the report, or of a group, together in the whole period.

    Attributes
    ----------
    stores : int
        Number of stores that have windows.
    total : WindowSummary
        A store meets or misses its target in the period, whatever it did in each window.
    outages : int
        Each counts once, even if several windows share it.
    mean_time_to_recovery_hours : float or None
        Mean business duration of the incidents that ended in the period; None without any.
    """

    stores: int
    total: WindowSummary
    outages: int
    mean_time_to_recovery_hours: float | None

    @classmethod
    def of(cls, sums: dict[str, Any]) -> Self:
        """Return the total from sums of `summands` of `StoreTotals`."""
        return cls(
            int(sums["stores"] or 0),
            window_summary(sums, ""),
            int(sums["outages"] or 0),
            _mean_time_to_recovery_hours(sums),
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; money is text."""
        return asdict(self, dict_factory=json_object)


@dataclass(frozen=True, slots=True)
class GroupSeries:
    """A group of stores: the whole period, and its windows in order of time."""

    group: dict[str, str]
    whole: PeriodTotal
    windows: tuple[PeriodWindow, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object, with the fields of the whole period beside the others."""
        windows = [window.to_json() for window in self.windows]
        return {"group": self.group, **self.whole.to_json(), "windows": windows}


@dataclass(frozen=True, slots=True)
class PeriodStore:
    """A store in the whole period; without known time it has no percentage."""

    store_id: str
    name: str | None
    uptime_percent: float | None
    target_percent: float
    uptime_hours: float
    downtime_hours: float
    no_data_hours: float
    outages: int
    last_poll_at: str | None

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """Return the figures of a row of `StoreTotals`."""
        last_poll_at = row["last_poll_at"]
        return cls(
            store_id=row["store_id"],
            name=row["name"],
            uptime_percent=percent(row["uptime_us"], row["known_us"]),
            target_percent=float(row["target_percent"]),
            uptime_hours=hours(row["uptime_us"]),
            downtime_hours=hours(row["downtime_us"]),
            no_data_hours=hours(row["no_data_us"]),
            outages=row["outages"],
            last_poll_at=None if last_poll_at is None else to_text(to_us(last_poll_at)),
        )


@dataclass(frozen=True, slots=True)
class SilentStore:
    """A store whose polls ended before the period; `last_poll_at` is None if none is known."""

    store_id: str
    last_poll_at: str | None


@dataclass(frozen=True, slots=True)
class PeriodSummary:
    """The summary of a period's report.

    Attributes
    ----------
    whole : PeriodTotal
    warnings : tuple of ReportWarning
    newest_poll_at : str
        The newest poll of the snapshot: time after it is not counted (rule 21).
    silent_stores : int
        Number of stores without a known poll in the last day of their last window.
    silent : tuple of SilentStore
        The first of these, in order of ids: at most `SILENT_STORES_NAMED`.
    worst_stores : tuple of PeriodStore
        Those with the lowest percentages of uptime in the period, by percentage and id.
    stores_by_uptime_percent : tuple of Bin
        Stores with business time, by their percentage of uptime in the period.
    windows : tuple of PeriodWindow
    groups : tuple of GroupSeries
        Empty if the request names no `group_by`. They have no windows if those are more than
        `SERIES_WINDOWS` in all.
    outages_by_hour : 7 × 24 int
        Outages by local weekday, Monday first, and hour of their start.
    outages_by_zone : tuple of ZoneOutages
        By number of outages, descending, and name. An outage counts once, where it starts.
    """

    whole: PeriodTotal
    warnings: tuple[ReportWarning, ...]
    newest_poll_at: str
    silent_stores: int
    silent: tuple[SilentStore, ...]
    worst_stores: tuple[PeriodStore, ...]
    stores_by_uptime_percent: tuple[Bin, ...]
    windows: tuple[PeriodWindow, ...]
    groups: tuple[GroupSeries, ...]
    outages_by_hour: tuple[tuple[int, ...], ...]
    outages_by_zone: tuple[ZoneOutages, ...]

    @property
    def stores(self) -> int:
        """Number of stores that have windows."""
        return self.whole.stores

    def headline(self) -> dict[str, Any]:
        """Return the JSON object of the figures that lists of reports show."""
        lost = self.whole.total.lost_revenue
        return {
            "uptime_percent": self.whole.total.uptime_percent,
            "outages": self.whole.outages,
            "lost_revenue": None if lost is None else str(lost),
        }

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; money is text, so that clients do not parse it as a float.

        It has no groups if they are more than `SUMMARY_GROUPS`.
        """
        groups = self.groups if len(self.groups) <= SUMMARY_GROUPS else ()
        return {
            **self.whole.to_json(),
            "warnings": [asdict(each) for each in self.warnings],
            "newest_poll_at": self.newest_poll_at,
            "silent_stores": self.silent_stores,
            "silent": [asdict(each) for each in self.silent],
            "worst_stores": [asdict(each) for each in self.worst_stores],
            "stores_by_uptime_percent": [asdict(each) for each in self.stores_by_uptime_percent],
            "windows": [each.to_json() for each in self.windows],
            "groups": [each.to_json() for each in groups],
            "outages_by_hour": self.outages_by_hour,
            "outages_by_zone": [asdict(each) for each in self.outages_by_zone],
        }


class PeriodSummaryBuilder:
    """Adds up a summary, batch by batch; memory grows with the number of windows and groups."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._stores = StoreTotals(Decimal(plan.target_percent))
        self._windows = Sums(["window_date"])
        self._whole = Sums([])
        self._groups = GroupsBuilder(plan.group_by) if plan.group_by else None
        self._zones = Sums(["timezone"])
        self._worst: list[pa.Table] = []
        self._worst_count = PAGE_STORES if Format.HTML in plan.formats else WORST_STORES
        self._by_uptime = Histogram(UPTIME_LABELS)
        self._by_outage_hour = np.zeros(7 * 24, np.int64)
        self._silent_stores = 0
        self._silent: list[SilentStore] = []

    def add(self, rows: pa.Table) -> None:
        """Add rows that `measures` returned."""
        self._windows.add(pa.table(summands(rows) | window_keys(rows)))
        hours_of_week = pc.list_flatten(rows.column("outage_hours")).to_numpy()
        self._by_outage_hour += np.bincount(hours_of_week, minlength=7 * 24)
        self._add_stores(self._stores.add(rows))

    def _add_stores(self, stores: pa.Table) -> None:
        """Add stores with the totals of all their windows."""
        columns = summands(stores)
        self._whole.add(pa.table(columns))
        if self._groups is not None:
            self._groups.add(stores)
        zones = pc.fill_null(stores.column("timezone"), DEFAULT_ZONE_NAME)
        counts = {name: columns[name] for name in ("stores", "outages")}
        self._zones.add(pa.table({"timezone": zones} | counts))
        self._worst = [worst_first(pa.concat_tables([*self._worst, stores]), "", self._worst_count)]
        self._by_uptime.add(uptime_bins(stores, ""))
        is_silent = pc.greater_equal(pc.fill_null(stores.column("silent_us"), SILENT_US), SILENT_US)
        silent = stores.filter(is_silent)
        self._silent_stores += len(silent)
        named = silent.slice(0, SILENT_STORES_NAMED - len(self._silent))
        ids, at = (named.column(name).to_pylist() for name in ("store_id", "last_poll_at"))
        self._silent += [
            SilentStore(store_id, None if last_at is None else to_text(to_us(last_at)))
            for store_id, last_at in zip(ids, at, strict=True)
        ]

    def summary(self, groups: GroupsBuilder | None) -> PeriodSummary:
        """Return the summary of all rows that were added, given the groups of the same rows."""
        newest_us = self._plan.max_timestamp_us
        assert newest_us is not None  # a period is planned only if there are polls
        [whole] = self._whole.table().to_pylist()
        return PeriodSummary(
            whole=PeriodTotal.of(whole),
            warnings=self._plan.warnings,
            newest_poll_at=to_text(newest_us),
            silent_stores=self._silent_stores,
            silent=tuple(self._silent),
            worst_stores=tuple(
                each for each in self.stores(WORST_STORES) if each.uptime_percent is not None
            ),
            stores_by_uptime_percent=self._by_uptime.bins(),
            windows=tuple(self._series(self._windows.table())),
            groups=() if groups is None else tuple(self._series_of(groups)),
            outages_by_hour=tuple(map(tuple, self._by_outage_hour.reshape(7, 24).tolist())),
            outages_by_zone=outages_by_zone(self._zones, "outages"),
        )

    def stores(self, count: int = PAGE_STORES) -> tuple[PeriodStore, ...]:
        """Return the stores with the lowest uptime, for the page if it was requested."""
        return tuple(PeriodStore.of(row) for row in self._worst[0].slice(0, count).to_pylist())

    def _series(self, sums: pa.Table) -> Iterable[PeriodWindow]:
        for start, row in zip(window_starts(sums).to_pylist(), sums.to_pylist(), strict=True):
            yield PeriodWindow(
                start,
                int(row["stores"]),
                window_summary(row, ""),
                int(row["outages"]),
                int(row["incidents"]),
                _mean_time_to_recovery_hours(row),
            )

    def _series_of(self, groups: GroupsBuilder) -> Iterable[GroupSeries]:
        assert self._groups is not None  # `groups` has the same groups, by window
        by_group: dict[tuple[str, ...], list[PeriodWindow]] = defaultdict(list)
        sums = groups.sums.table()
        if len(sums) <= SERIES_WINDOWS:
            for values, window in zip(groups.values_of(sums), self._series(sums), strict=True):
                by_group[values].append(window)
        sums = self._groups.sums.table()
        for values, row in zip(groups.values_of(sums), sums.to_pylist(), strict=True):
            named = dict(zip(self._plan.group_by, values, strict=True))
            yield GroupSeries(named, PeriodTotal.of(row), tuple(by_group[values]))


def _mean_time_to_recovery_hours(sums: dict[str, Any]) -> float | None:
    ended = int(sums["recoveries"] or 0)
    return hours(Fraction(int(sums["recovery_us"]), ended)) if ended else None
