"""Summary figures of all stores, computed from exact microseconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from store_monitoring.domain.model import Bools, Int64s
from store_monitoring.domain.parameters import DAY_US, HOUR_US

_TENTHS = 10
_OUTAGE_EDGES_US = tuple(hours * HOUR_US for hours in (1, 4, 8, 12, 24))
_OUTAGE_LABELS = ("none", "< 1 h", "1–4 h", "4–8 h", "8–12 h", "12–24 h", "≥ 24 h")
_AGE_EDGES_US = (HOUR_US, 6 * HOUR_US, DAY_US, 3 * DAY_US, 7 * DAY_US)
_AGE_LABELS = ("≤ 1 h", "1–6 h", "6–24 h", "1–3 d", "3–7 d", "> 7 d")
_NO_POLL = "no poll"


@dataclass(frozen=True, slots=True)
class Uptime:
    """Total uptime and business time of all stores in one window."""

    uptime_us: int
    business_us: int

    @property
    def share(self) -> float | None:
        """Uptime as a fraction of business time; None without business time."""
        return self.uptime_us / self.business_us if self.business_us else None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a chart: its label and number of stores; muted for stores without polls."""

    label: str
    stores: int
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary figures of a report.

    Attributes
    ----------
    stores : int
    hour, day, week : Uptime
    open_now : int
        Stores for which now is business time.
    down_now : int
        Open stores that are down: inactive at the last poll, or without a known poll (rule 11).
    down_unpolled : int
        Stores of `down_now` that have no known poll.
    polled : int
        Stores that have a known poll.
    polled_last_week : int
    median_weekly_uptime : float or None
        Median over the stores with business time in the week; None without such stores.
    weekly_uptime : tuple of Column
        Stores with business time in the week, by their uptime as a percentage of it.
    longest_outage : tuple of Column
        Stores with a known poll, by their longest outage in the week.
    last_poll : tuple of Column
        All stores, by the age of their last known poll.
    """

    stores: int
    hour: Uptime
    day: Uptime
    week: Uptime
    open_now: int
    down_now: int
    down_unpolled: int
    polled: int
    polled_last_week: int
    median_weekly_uptime: float | None
    weekly_uptime: tuple[Column, ...]
    longest_outage: tuple[Column, ...]
    last_poll: tuple[Column, ...]


def summary(part: pa.Table, now_us: int) -> Summary:
    """Summarise rows of schema `PART`.

    Parameters
    ----------
    part : table
    now_us : int
        End of the windows.
    """
    hour, day, week = (
        Uptime(
            int(_numbers(part, f"uptime_last_{window}_us").sum()),
            int(business_us(part, window).sum()),
        )
        for window in ("hour", "day", "week")
    )
    polled = is_polled(part)
    down = is_down(part)
    share = weekly_share(part)
    return Summary(
        stores=len(part),
        hour=hour,
        day=day,
        week=week,
        open_now=_count(_flags(part, "open_now")),
        down_now=_count(down),
        down_unpolled=_count(down & ~polled),
        polled=_count(polled),
        polled_last_week=_count(_numbers(part, "polls_last_week") > 0),
        median_weekly_uptime=float(np.nanmedian(share)) if not np.isnan(share).all() else None,
        weekly_uptime=_by_weekly_uptime(part, polled),
        longest_outage=_by_longest_outage(part, polled),
        last_poll=_by_last_poll(part, polled, now_us),
    )


def is_polled(part: pa.Table) -> Bools:
    """Return which stores have a known poll."""
    polled: Bools = part.column("last_poll_at").is_valid().to_numpy()
    return polled


def is_down(part: pa.Table) -> Bools:
    """Return which stores are open now, but not active (rule 11)."""
    return _flags(part, "open_now") & ~_flags(part, "last_poll_active")


def business_us(part: pa.Table, window: str) -> Int64s:
    """Return each store's business time in a window, which is `hour`, `day` or `week`."""
    uptime_us, downtime_us, no_data_us = (
        _numbers(part, f"{measure}_last_{window}_us")
        for measure in ("uptime", "downtime", "no_data")
    )
    return uptime_us + downtime_us + no_data_us


def weekly_share(part: pa.Table) -> npt.NDArray[np.float64]:
    """Return each store's share of uptime in the week's business time; NaN without any."""
    week_us = business_us(part, "week").astype(np.float64)
    share = np.full(len(part), np.nan)
    np.divide(_numbers(part, "uptime_last_week_us"), week_us, out=share, where=week_us > 0)
    return share


def worst_first(part: pa.Table) -> Int64s:
    """Return the indices that sort rows from the worst store to the best.

    Stores polled in the last week come before those without polls. Each group is sorted by share
    of uptime, then by downtime, descending, then by id. Stores without business time come last.
    """
    share = weekly_share(part)
    keys = (
        _numbers(part, "uptime_last_week_us") - business_us(part, "week"),
        share,
        _numbers(part, "polls_last_week") == 0,
        np.isnan(share),
    )
    return np.lexsort(keys)  # a stable sort; rows are in order of ids


def _by_weekly_uptime(part: pa.Table, polled: Bools) -> tuple[Column, ...]:
    uptime_us, week_us = _numbers(part, "uptime_last_week_us"), business_us(part, "week")
    is_open = week_us > 0
    shown = is_open & polled
    uptime_us, week_us = uptime_us[shown], week_us[shown]
    # Never up and always up have their own columns, since both are frequent.
    place = 1 + _TENTHS * uptime_us // week_us
    place[uptime_us == 0] = 0
    labels = ["0", "> 0", *(f"{10 * n}+" for n in range(1, _TENTHS)), "100"]
    unseen = Column(_NO_POLL, _count(is_open & ~polled), muted=True)
    return (unseen, *_columns(labels, place))


def _by_longest_outage(part: pa.Table, polled: Bools) -> tuple[Column, ...]:
    longest_us = _numbers(part, "longest_outage_last_week_us")[polled]
    place = 1 + np.searchsorted(_OUTAGE_EDGES_US, longest_us, side="right")
    place[longest_us == 0] = 0
    return _columns(_OUTAGE_LABELS, place)


def _by_last_poll(part: pa.Table, polled: Bools, now_us: int) -> tuple[Column, ...]:
    last_us = part.column("last_poll_at").cast(pa.int64()).drop_null().to_numpy()
    age_us = now_us - last_us
    columns = _columns(_AGE_LABELS, np.searchsorted(_AGE_EDGES_US, age_us, side="left"))
    return (*columns, Column(_NO_POLL, _count(~polled), muted=True))


def _columns(labels: Sequence[str], place: Int64s) -> tuple[Column, ...]:
    counts = np.bincount(place, minlength=len(labels))
    return tuple(Column(label, int(n)) for label, n in zip(labels, counts, strict=True))


def _numbers(part: pa.Table, name: str) -> Int64s:
    numbers: Int64s = part.column(name).to_numpy()
    return numbers


def _flags(part: pa.Table, name: str) -> Bools:
    flags: Bools = part.column(name).fill_null(False).to_numpy()
    return flags


def _count(mask: Bools) -> int:
    return int(np.count_nonzero(mask))
