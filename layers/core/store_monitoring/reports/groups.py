"""The table of groups of a report (rule 23)."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.targets import to_cents
from store_monitoring.errors import TooManyGroupsError
from store_monitoring.reports.formats.rows import CURRENCY, PERCENT, rounded, table_with_units
from store_monitoring.reports.measures import (
    CLASSIC_UNITS,
    PERIOD_UNITS,
    Sums,
    hours,
    percent,
    summands,
)
from store_monitoring.storage.stores import attribute_values

MAX_GROUPS = 10_000
MAX_GROUP_WINDOWS = 100_000
"""Maximum number of rows in the table of a period's groups: one for each window of a group."""


class GroupsBuilder:
    """Adds up the groups of a report, batch by batch.

    Parameters
    ----------
    group_by : sequence of str
        One to three attributes.
    by_window : bool
        Whether the rows are those of a period, each of whose windows is added up separately.
    """

    def __init__(self, group_by: Sequence[str], *, by_window: bool = False) -> None:
        self._group_by = tuple(group_by)
        self._by_window = by_window
        self._keys = [f"key_{number}" for number in range(len(group_by))]
        self.sums = Sums([*self._keys, "window_date"] if by_window else self._keys)

    def add(self, rows: pa.Table) -> None:
        """Add rows that `measures` returned.

        Raises
        ------
        TooManyGroupsError
        """
        keys = [attribute_values(rows.column("attributes"), name) for name in self._group_by]
        columns = dict(zip(self._keys, keys, strict=True)) | summands(rows)
        if self._by_window:
            columns |= window_keys(rows)
        self.sums.add(pa.table(columns))
        limit = MAX_GROUP_WINDOWS if self._by_window else MAX_GROUPS
        if len(self.sums) > limit:
            attributes = ", ".join(self._group_by)
            rows = "windows of groups" if self._by_window else "groups"
            longer = " or longer windows" if self._by_window else ""
            raise TooManyGroupsError(
                f"group_by: {attributes} make more than {limit:,} {rows}: name fewer attributes, or"
                f" attributes with fewer values{longer}"
            )

    def values_of(self, sums: pa.Table) -> Iterator[tuple[str, ...]]:
        """Yield the values of the attributes, for each row of the table of `sums`."""
        columns = [sums.column(key).to_pylist() for key in self._keys]
        yield from zip(*columns, strict=True)

    def table(self) -> pa.Table:
        """Return one row per group and window, in this order, rounded like the rows of stores.

        The column `group` is a struct with one field per attribute.
        """
        sums = self.sums.table()
        group = pa.StructArray.from_arrays(
            [sums.column(key).combine_chunks() for key in self._keys], list(self._group_by)
        )
        if not self._by_window:
            return table_with_units([("group", group, None), *_figures(sums, CLASSIC_UNITS)])
        columns = [("group", group, None), ("window_start", window_starts(sums), None)]
        return table_with_units([*columns, *_figures(sums, PERIOD_UNITS)])


def window_keys(rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Return the columns of rows of a period that `Sums` needs for `window_starts`."""
    return {name: rows.column(name) for name in ("window_date", "window_start")}


def window_starts(sums: pa.Table) -> pa.ChunkedArray:
    """Return the first local date of each row's window, as text.

    A window is the same day, week or month for all stores, so all its rows have the same date: the
    earliest one on which it begins in any of the stores. `from` may cut the first window.

    Parameters
    ----------
    sums : table
        Of all stores, by `window_date`, with the least `window_start`.

    Examples
    --------
    >>> from datetime import date
    >>> dates = pa.array([date(2024, 10, 1)] * 2)
    >>> starts = ["2024-10-17T00:30:00-05:00", "2024-10-16T22:30:00-07:00"]
    >>> window_starts(pa.table({"window_date": dates, "window_start": starts})).to_pylist()
    ['2024-10-16', '2024-10-16']
    """
    earliest = sums.group_by("window_date").aggregate([("window_start", "min")])
    window = pc.index_in(sums.column("window_date"), earliest.column("window_date"))
    starts = earliest.column("window_start_min").take(window)
    return pc.utf8_slice_codeunits(starts, 0, len("2024-10-16"))


def _figures(
    sums: pa.Table, units: Mapping[str, tuple[str, int]]
) -> Iterator[tuple[str, Any, str | None]]:
    """Yield the columns of the groups: name, values and unit."""

    def count(name: str) -> pa.ChunkedArray:
        return sums.column(name).cast(pa.int64())

    def exact(name: str) -> list[Any]:
        values: list[Any] = sums.column(name).to_pylist()
        return values

    whole = list(units)[-1]
    yield "stores", count("stores"), None
    yield "stores_without_data", count("stores_no_data"), None
    for measure in ("uptime", "downtime", "no_data", "business_time", "excluded"):
        for window, (unit, unit_us) in units.items():
            total_us = sums.column(f"{measure}{window}_us")
            yield f"{measure}{window}(in {unit})", rounded(total_us, unit_us), unit
    for window in units:
        shares = zip(exact(f"uptime{window}_us"), exact(f"downtime{window}_us"), strict=True)
        percents = [percent(up, up + down) for up, down in shares]
        yield f"uptime_percent{window}", pa.array(percents, pa.float64()), PERCENT
    for window in units:
        yield f"missed_target{window}", count(f"missed{window}"), None
    yield f"outages{whole}", count(f"outages{whole}"), None
    yield f"incidents{whole}", count(f"incidents{whole}"), None
    recovered = zip(exact(f"recovery{whole}_us"), exact(f"recoveries{whole}"), strict=True)
    means = [hours(Fraction(int(us), int(n))) if n else None for us, n in recovered]
    yield f"mean_time_to_recovery{whole}(in hours)", pa.array(means, pa.float64()), "hours"
    for window in units:
        yield f"lost_revenue{window}", to_cents(sums.column(f"lost_revenue{window}")), CURRENCY
