"""The summary of a period's report: its windows as a series, for all stores and for each group."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.parameters import DAY_US
from store_monitoring.domain.time_zones import DEFAULT_ZONE_NAME
from store_monitoring.instants import to_text, to_us
from store_monitoring.reports.groups import GroupsBuilder, window_starts
from store_monitoring.reports.measures import Sums, hours, summands
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.report import ReportWarning
from store_monitoring.reports.summary import (
    WindowSummary,
    ZoneOutages,
    json_object,
    outages_by_zone,
    window_summary,
)

SILENT_US = DAY_US
"""A store's polls ended early if its last known poll is at least this long before its last end."""

SILENT_STORES_NAMED = 100


@dataclass(frozen=True, slots=True)
class PeriodWindow:
    """All stores of the report, or of a group, together in one window.

    Attributes
    ----------
    window_start : str
        The local date on which it begins.
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
class GroupSeries:
    """The windows of a group of stores, in order of time."""

    group: dict[str, str]
    windows: tuple[PeriodWindow, ...]


@dataclass(frozen=True, slots=True)
class SilentStore:
    """A store whose polls ended before the period did; `last_poll_at` is None if none is known."""

    store_id: str
    last_poll_at: str | None


@dataclass(frozen=True, slots=True)
class PeriodSummary:
    """The summary of a period's report.

    Attributes
    ----------
    stores : int
        Number of stores that have windows.
    warnings : tuple of ReportWarning
    newest_poll_at : str
        The newest poll of the snapshot: time after it is not counted (rule 21).
    silent_stores : int
        Number of stores without a known poll in the last day of their last window, or before it.
    silent : tuple of SilentStore
        The first of them, in order of ids: at most `SILENT_STORES_NAMED`.
    total : WindowSummary
        Of all windows together: what they add up to. Targets are met or missed in each window.
    outages : int
        Number of outages in the period.
    windows : tuple of PeriodWindow
    groups : tuple of GroupSeries
        Empty if the request names no `group_by`.
    outages_by_hour : 7 × 24 int
        Outages by local weekday, Monday first, and hour of their start.
    outages_by_zone : tuple of ZoneOutages
        By number of outages, descending, and name. An outage counts once, where it starts.
    """

    stores: int
    warnings: tuple[ReportWarning, ...]
    newest_poll_at: str
    silent_stores: int
    silent: tuple[SilentStore, ...]
    total: WindowSummary
    outages: int
    windows: tuple[PeriodWindow, ...]
    groups: tuple[GroupSeries, ...]
    outages_by_hour: tuple[tuple[int, ...], ...]
    outages_by_zone: tuple[ZoneOutages, ...]

    def headline(self) -> dict[str, Any]:
        """Return the JSON object of the figures that lists of reports show."""
        lost = self.total.lost_revenue
        return {
            "uptime_percent": self.total.uptime_percent,
            "outages": self.outages,
            "lost_revenue": None if lost is None else str(lost),
        }

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; money is text, so that no client takes it for a binary number."""
        return {
            "stores": self.stores,
            "warnings": [asdict(each) for each in self.warnings],
            "newest_poll_at": self.newest_poll_at,
            "silent_stores": self.silent_stores,
            "silent": [asdict(each) for each in self.silent],
            "total": asdict(self.total, dict_factory=json_object),
            "outages": self.outages,
            "windows": [each.to_json() for each in self.windows],
            "groups": [
                {"group": each.group, "windows": [window.to_json() for window in each.windows]}
                for each in self.groups
            ],
            "outages_by_hour": self.outages_by_hour,
            "outages_by_zone": [asdict(each) for each in self.outages_by_zone],
        }


class PeriodSummaryBuilder:
    """Adds up a summary, batch by batch; memory grows with the number of windows and groups."""

    def __init__(self, plan: Plan) -> None:
        assert plan.period is not None  # it is a period's report
        self._plan = plan
        self._period = plan.period
        self._sums = Sums(["window_date"])
        self._zones = Sums(["timezone"])
        self._by_outage_hour = np.zeros(7 * 24, np.int64)
        self._stores = self._silent_stores = 0
        self._silent: list[SilentStore] = []

    def add(self, rows: pa.Table) -> None:
        """Add rows that `measures` returned."""
        self._sums.add(pa.table(summands(rows) | {"window_date": rows.column("window_date")}))
        hours_of_week = pc.list_flatten(rows.column("outage_hours")).to_numpy()
        self._by_outage_hour += np.bincount(hours_of_week, minlength=7 * 24)
        starts = pc.list_value_length(rows.column("outage_hours"))
        zone = pc.fill_null(rows.column("timezone"), DEFAULT_ZONE_NAME)
        stores = rows.column("is_last").cast(pa.int64())
        self._zones.add(
            pa.table({"timezone": zone, "stores": stores, "outages": starts.cast(pa.int64())})
        )
        last = rows.filter(rows.column("is_last"))
        self._stores += len(last)
        is_silent = pc.greater_equal(pc.fill_null(last.column("silent_us"), SILENT_US), SILENT_US)
        silent = last.filter(is_silent)
        self._silent_stores += len(silent)
        named = silent.slice(0, SILENT_STORES_NAMED - len(self._silent))
        ids, at = (named.column(name).to_pylist() for name in ("store_id", "last_poll_at"))
        self._silent += [
            SilentStore(store_id, None if last_at is None else to_text(to_us(last_at)))
            for store_id, last_at in zip(ids, at, strict=True)
        ]

    def summary(self, groups: GroupsBuilder | None) -> PeriodSummary:
        """Return the summary of all rows that were added."""
        newest_us = self._plan.max_timestamp_us
        assert newest_us is not None  # a period is planned only if there are polls
        sums = self._sums.table()
        total = Sums([])
        total.add(sums.drop_columns(["window_date"]))
        [sum_of_all] = total.table().to_pylist()
        return PeriodSummary(
            stores=self._stores,
            warnings=self._plan.warnings,
            newest_poll_at=to_text(newest_us),
            silent_stores=self._silent_stores,
            silent=tuple(self._silent),
            total=window_summary(sum_of_all, ""),
            outages=int(self._by_outage_hour.sum()),
            windows=tuple(self._windows(sums)),
            groups=() if groups is None else tuple(self._groups(groups.sums.table())),
            outages_by_hour=tuple(map(tuple, self._by_outage_hour.reshape(7, 24).tolist())),
            outages_by_zone=outages_by_zone(self._zones, "outages"),
        )

    def _windows(self, sums: pa.Table) -> Iterable[PeriodWindow]:
        starts = window_starts(self._period, sums.column("window_date")).to_pylist()
        for start, row in zip(starts, sums.to_pylist(), strict=True):
            ended = int(row["recoveries"] or 0)
            recovery_us = Fraction(int(row["recovery_us"] or 0), ended or 1)
            yield PeriodWindow(
                start,
                int(row["stores"]),
                window_summary(row, ""),
                int(row["outages"]),
                int(row["incidents"]),
                hours(recovery_us) if ended else None,
            )

    def _groups(self, sums: pa.Table) -> Iterable[GroupSeries]:
        keys = [f"key_{number}" for number in range(len(self._plan.group_by))]
        by_group: dict[tuple[str, ...], list[PeriodWindow]] = {}
        rows = sums.select(keys).to_pylist()
        for row, window in zip(rows, self._windows(sums), strict=True):
            by_group.setdefault(tuple(row.values()), []).append(window)
        for values, windows in by_group.items():
            named = dict(zip(self._plan.group_by, values, strict=True))
            yield GroupSeries(named, tuple(windows))
