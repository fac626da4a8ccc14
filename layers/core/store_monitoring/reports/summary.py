"""The summary of a report, as its page, its files and the API show it (rules 19 and 22)."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.model import Int64s
from store_monitoring.domain.parameters import DAY_US, HOUR_US
from store_monitoring.domain.targets import to_cents
from store_monitoring.domain.time_zones import DEFAULT_ZONE_NAME
from store_monitoring.domain.windows import trend_edges_us
from store_monitoring.instants import to_text, to_us
from store_monitoring.reports.measures import State, Sums, hours, percent, summands
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.report import ReportWarning

WORST_STORES = 20
SUMMARY_GROUPS = 1000
"""A summary has its groups, unless they are too many for people to look at."""
_DAYS_OF_TREND = 7
NO_DATA = "no data"

_TENTHS = 10
UPTIME_LABELS = ("0", "> 0", *(f"{10 * n}+" for n in range(1, _TENTHS)), "100", NO_DATA)
_OUTAGE_EDGES_US = tuple(hours * HOUR_US for hours in (1, 4, 8, 12, 24))
_OUTAGE_LABELS = ("none", "< 1 h", "1–4 h", "4–8 h", "8–12 h", "12–24 h", "≥ 24 h")
_AGE_EDGES_US = (HOUR_US, 6 * HOUR_US, DAY_US, 3 * DAY_US, 7 * DAY_US)
_AGE_LABELS = ("≤ 1 h", "1–6 h", "6–24 h", "1–3 d", "3–7 d", "> 7 d", NO_DATA)

_WORST_COLUMNS = (
    *("store_id", "name", "target_percent", "last_poll_at"),
    *("uptime_last_week_us", "downtime_last_week_us", "known_last_week_us"),
    *("outages_last_week", "longest_outage_last_week_us"),
)


@dataclass(frozen=True, slots=True)
class WindowSummary:
    """All stores together in one window.

    Attributes
    ----------
    uptime_hours, downtime_hours, no_data_hours, business_time_hours, excluded_hours : float
        Two decimals.
    uptime_percent : float or None
        Of uptime + downtime, three decimals; None if both are zero.
    coverage_percent : float or None
        Share of the business time that lies shortly after a poll (rule 19).
    stores_met, stores_missed : int
        Stores that met and missed their targets; the others have no data.
    lost_revenue : Decimal or None
        Two decimals; None if no store's revenue is known.
    """

    uptime_hours: float
    downtime_hours: float
    no_data_hours: float
    business_time_hours: float
    excluded_hours: float
    uptime_percent: float | None
    coverage_percent: float | None
    stores_met: int
    stores_missed: int
    lost_revenue: Decimal | None


@dataclass(frozen=True, slots=True)
class StoresNow:
    """Numbers of stores by `State`."""

    up: int
    down: int
    closed: int
    no_data: int


@dataclass(frozen=True, slots=True)
class WorstStore:
    """A store with a low percentage of uptime in the week."""

    store_id: str
    name: str | None
    uptime_percent: float
    target_percent: float
    uptime_hours: float
    downtime_hours: float
    outages: int
    longest_outage_hours: float
    last_poll_at: str


@dataclass(frozen=True, slots=True)
class Bin:
    """A bin of a histogram of stores."""

    label: str
    stores: int


@dataclass(frozen=True, slots=True)
class ZoneOutages:
    """The stores of a time zone, and their outages in the week."""

    timezone: str
    stores: int
    outages: int


@dataclass(frozen=True, slots=True)
class TrendWindow:
    """All stores together in a day or week; `uptime_percent` is None if nothing is known."""

    start: str
    end: str
    uptime_hours: float
    downtime_hours: float
    uptime_percent: float | None


@dataclass(frozen=True, slots=True)
class Trend:
    """All stores together, day by day.

    Attributes
    ----------
    days : tuple of TrendWindow
        The last seven days, each 24 hours; together they are the week.
    week_before : TrendWindow or None
        The week before them, computed from the polls that the report knows (rule 9); None if the
        poll memory does not contain all of it.
    change_percent_points : float or None
        The week's percentage of uptime minus that of the week before, three decimals; None if one
        of them is unknown.
    """

    days: tuple[TrendWindow, ...]
    week_before: TrendWindow | None
    change_percent_points: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of a report.

    Attributes
    ----------
    stores : int
    warnings : tuple of ReportWarning
    now : StoresNow
    last_hour, last_day, last_week : WindowSummary
    outages_last_week, incidents_last_week : int
    mean_time_to_recovery_hours : float or None
        Mean business duration of the incidents of the week that have ended; None without any.
    worst_stores : tuple of WorstStore
        Those with the lowest percentages of uptime in the week, by percentage and id.
    uptime_percent_last_week : tuple of Bin
        Stores with business time in the week, by percentage of uptime.
    longest_outage_last_week : tuple of Bin
        Stores with a known poll, by their longest outage in the week.
    last_poll_age : tuple of Bin
        All stores.
    outages_by_hour : 7 × 24 int
        Outages of the week by local weekday, Monday first, and hour of their start.
    outages_by_zone : tuple of ZoneOutages
        By number of outages, descending, and name.
    trend : Trend or None
        None unless the report's formats contain HTML.
    """

    stores: int
    warnings: tuple[ReportWarning, ...]
    now: StoresNow
    last_hour: WindowSummary
    last_day: WindowSummary
    last_week: WindowSummary
    outages_last_week: int
    incidents_last_week: int
    mean_time_to_recovery_hours: float | None
    worst_stores: tuple[WorstStore, ...]
    uptime_percent_last_week: tuple[Bin, ...]
    longest_outage_last_week: tuple[Bin, ...]
    last_poll_age: tuple[Bin, ...]
    outages_by_hour: tuple[tuple[int, ...], ...]
    outages_by_zone: tuple[ZoneOutages, ...]
    trend: Trend | None = None

    def headline(self) -> dict[str, Any]:
        """Return the JSON object of the figures that lists of reports show."""
        windows = {
            "last_hour": self.last_hour,
            "last_day": self.last_day,
            "last_week": self.last_week,
        }
        lost = self.last_week.lost_revenue
        return {
            "now": asdict(self.now),
            "uptime_percent": {name: each.uptime_percent for name, each in windows.items()},
            "stores_missed": {name: each.stores_missed for name, each in windows.items()},
            "outages_last_week": self.outages_last_week,
            "lost_revenue_last_week": None if lost is None else str(lost),
        }

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; money is text, so that clients do not parse it as a float."""
        return asdict(self, dict_factory=json_object)


class Histogram:
    """Counts stores by bin.

    Parameters
    ----------
    labels : sequence of str
        Of the bins.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._counts = np.zeros(len(labels), np.int64)

    def add(self, bins: Int64s) -> None:
        """Add stores, given the indices of their bins."""
        self._counts += np.bincount(bins, minlength=len(self._counts))

    def bins(self) -> tuple[Bin, ...]:
        """Return all bins."""
        return tuple(Bin(*each) for each in zip(self._labels, self._counts.tolist(), strict=True))


class SummaryBuilder:
    """Adds up a summary, batch by batch; sums are exact, and memory does not grow."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._sums = Sums([])
        self._zones = Sums(["timezone"])
        self._worst: list[pa.Table] = []
        self._by_uptime = Histogram(UPTIME_LABELS)
        self._by_longest_outage = Histogram(_OUTAGE_LABELS)
        self._by_last_poll_age = Histogram(_AGE_LABELS)
        self._by_outage_hour = np.zeros(7 * 24, np.int64)
        self._trends_us: list[Sequence[tuple[int, int]]] = []

    def add_trend(self, trend_us: Sequence[tuple[int, int]]) -> None:
        """Add the `PartInfo.trend_us` of a part."""
        self._trends_us.append(trend_us)

    def add(self, rows: pa.Table) -> None:
        """Add rows that `measures` returned."""
        columns = summands(rows)
        self._sums.add(pa.table(columns))
        zones = pc.fill_null(rows.column("timezone"), DEFAULT_ZONE_NAME)
        counts = {name: columns[name] for name in ("stores", "outages_last_week")}
        self._zones.add(pa.table({"timezone": zones} | counts))
        known = rows.select(_WORST_COLUMNS).filter(pc.field("known_last_week_us") > 0)
        candidates = pa.concat_tables([*self._worst, known])
        self._worst = [worst_first(candidates, "_last_week", WORST_STORES)]
        self._by_uptime.add(uptime_bins(rows, "_last_week"))
        self._by_longest_outage.add(_outage_bins(rows))
        self._by_last_poll_age.add(_age_bins(rows, self._plan.now_us))
        hours_of_week = pc.list_flatten(rows.column("outage_hours")).to_numpy()
        self._by_outage_hour += np.bincount(hours_of_week, minlength=7 * 24)

    def summary(self) -> Summary:
        """Return the summary of all rows that were added."""
        [sums] = self._sums.table().to_pylist()
        number = {name: int(value or 0) for name, value in sums.items()}
        ended = number["recoveries_last_week"]
        return Summary(
            stores=number["stores"],
            warnings=self._plan.warnings,
            now=StoresNow(*(number[f"stores_{state.name.lower()}"] for state in State)),
            last_hour=window_summary(sums, "_last_hour"),
            last_day=window_summary(sums, "_last_day"),
            last_week=window_summary(sums, "_last_week"),
            outages_last_week=number["outages_last_week"],
            incidents_last_week=number["incidents_last_week"],
            mean_time_to_recovery_hours=(
                hours(Fraction(number["recovery_last_week_us"], ended)) if ended else None
            ),
            worst_stores=tuple(_worst_store(row) for row in self._worst[0].to_pylist()),
            uptime_percent_last_week=self._by_uptime.bins(),
            longest_outage_last_week=self._by_longest_outage.bins(),
            last_poll_age=self._by_last_poll_age.bins(),
            outages_by_hour=tuple(map(tuple, self._by_outage_hour.reshape(7, 24).tolist())),
            outages_by_zone=outages_by_zone(self._zones, "outages_last_week"),
            trend=self._trend(),
        )

    def _trend(self) -> Trend | None:
        if not self._plan.has_trend or not all(self._trends_us):  # a part of an older version
            return None
        edges_us = trend_edges_us(self._plan.now_us, self._plan.memory_us).tolist()
        sums_us = [
            (sum(up for up, _ in window), sum(down for _, down in window))
            for window in zip(*self._trends_us, strict=True)
        ]
        windows = [
            TrendWindow(
                to_text(start_us), to_text(end_us), hours(up), hours(down), percent(up, up + down)
            )
            for (start_us, end_us), (up, down) in zip(pairwise(edges_us), sums_us, strict=True)
        ]
        week = _share(sums_us[-_DAYS_OF_TREND:])
        before = _share(sums_us[:-_DAYS_OF_TREND])
        return Trend(
            days=tuple(windows[-_DAYS_OF_TREND:]),
            week_before=windows[0] if len(windows) > _DAYS_OF_TREND else None,
            change_percent_points=(
                None if week is None or before is None else float(round(100 * (week - before), 3))
            ),
        )


def _share(windows_us: Sequence[tuple[int, int]]) -> Fraction | None:
    """Return the share of uptime in the known time of windows, given uptime and downtime."""
    uptime_us, known_us = sum(up for up, _ in windows_us), sum(map(sum, windows_us))
    return Fraction(uptime_us, known_us) if known_us else None


def outages_by_zone(sums: Sums, outages: str) -> tuple[ZoneOutages, ...]:
    """Return sums of the columns `stores` and `outages` by zone, most outages first."""
    zones = [
        ZoneOutages(zone["timezone"], int(zone["stores"]), int(zone[outages]))
        for zone in sums.table().to_pylist()
    ]
    return tuple(sorted(zones, key=lambda zone: (-zone.outages, zone.timezone)))


def window_summary(sums: dict[str, Any], window: str) -> WindowSummary:
    """Return the summary of a window from sums of `summands`, whose names end with `window`."""

    def total(measure: str) -> int:
        return int(sums[f"{measure}{window}_us"] or 0)

    uptime_us, downtime_us = total("uptime"), total("downtime")
    business_us = total("business_time")
    lost = pa.array([sums[f"lost_revenue{window}"]], pa.decimal128(38, 4))
    return WindowSummary(
        uptime_hours=hours(uptime_us),
        downtime_hours=hours(downtime_us),
        no_data_hours=hours(total("no_data")),
        business_time_hours=hours(business_us),
        excluded_hours=hours(total("excluded")),
        uptime_percent=percent(uptime_us, uptime_us + downtime_us),
        coverage_percent=percent(total("covered"), business_us),
        stores_met=int(sums[f"met{window}"] or 0),
        stores_missed=int(sums[f"missed{window}"] or 0),
        lost_revenue=to_cents(lost)[0].as_py(),
    )


def worst_first(rows: pa.Table, window: str, count: int) -> pa.Table:
    """Return the rows with the lowest share of uptime, in order of share and id.

    Rows without known time come last.

    Parameters
    ----------
    rows : table
        With `store_id`, and `uptime…_us` and `known…_us` of the window.
    window : str
        The ending of the names.
    count : int
        How many rows at most.
    """
    uptime_us, known_us = (rows.column(f"{name}{window}_us") for name in ("uptime", "known"))
    known_or_none = pc.if_else(pc.equal(known_us, 0), None, known_us)
    share = pc.divide(uptime_us.cast(pa.float64()), known_or_none)
    # Shares are at most 1.
    keys = pa.table({"share": pc.fill_null(share, 2), "store_id": rows.column("store_id")})
    by = [("share", "ascending"), ("store_id", "ascending")]
    return rows.take(pc.select_k_unstable(keys, count, by))


def _worst_store(row: dict[str, Any]) -> WorstStore:
    uptime = percent(row["uptime_last_week_us"], row["known_last_week_us"])
    assert uptime is not None  # only stores with known time are added
    return WorstStore(
        store_id=row["store_id"],
        name=row["name"],
        uptime_percent=uptime,
        target_percent=float(row["target_percent"]),
        uptime_hours=hours(row["uptime_last_week_us"]),
        downtime_hours=hours(row["downtime_last_week_us"]),
        outages=row["outages_last_week"],
        longest_outage_hours=hours(row["longest_outage_last_week_us"]),
        last_poll_at=to_text(to_us(row["last_poll_at"])),
    )


def uptime_bins(rows: pa.Table, window: str) -> Int64s:
    """Return the indices in `UPTIME_LABELS` of the rows with business time in a window."""
    uptime_us, known_us, business_us = (
        rows.column(f"{name}{window}_us").to_numpy()
        for name in ("uptime", "known", "business_time")
    )
    # 0 % and 100 % have their own bins, since both are frequent.
    bins = 1 + _TENTHS * uptime_us // np.maximum(known_us, 1)
    bins[uptime_us == 0] = 0
    bins[known_us == 0] = len(UPTIME_LABELS) - 1
    open_bins: Int64s = bins[business_us > 0]
    return open_bins


def _outage_bins(rows: pa.Table) -> Int64s:
    longest_us = rows.column("longest_outage_last_week_us").to_numpy()
    bins = 1 + np.searchsorted(_OUTAGE_EDGES_US, longest_us, side="right")
    bins[longest_us == 0] = 0
    polled: Int64s = bins[rows.column("last_poll_at").is_valid().to_numpy()]
    return polled


def _age_bins(rows: pa.Table, now_us: int) -> Int64s:
    age_us = pc.subtract(now_us, rows.column("last_poll_at").cast(pa.int64()))
    # A store without a poll is beyond the last edge.
    edges_us = (*_AGE_EDGES_US, np.iinfo(np.int64).max - 1)
    bins: Int64s = np.searchsorted(
        edges_us, pc.fill_null(age_us, np.iinfo(np.int64).max).to_numpy()
    )
    return bins


def json_object(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return fields as a JSON object, a `dict_factory` for `asdict`; money is text."""
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in fields}
