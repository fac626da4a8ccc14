"""The second table of a report: its stores by group (rule 23)."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import pyarrow as pa

from store_monitoring.domain.targets import to_cents
from store_monitoring.errors import TooManyGroupsError
from store_monitoring.reports.formats.rows import CURRENCY, PERCENT, rounded, table_with_units
from store_monitoring.reports.measures import UNITS, WINDOWS, Sums, hours, percent, summands
from store_monitoring.storage.stores import attribute_values

MAX_GROUPS = 10_000


class GroupsBuilder:
    """Adds up the groups of a report, batch by batch.

    Parameters
    ----------
    group_by : sequence of str
        One to three attributes.
    """

    def __init__(self, group_by: Sequence[str]) -> None:
        self._group_by = tuple(group_by)
        self._keys = [f"key_{number}" for number in range(len(group_by))]
        self._sums = Sums(self._keys)

    def add(self, rows: pa.Table) -> None:
        """Add rows that `measures` returned.

        Raises
        ------
        TooManyGroupsError
        """
        keys = [attribute_values(rows.column("attributes"), name) for name in self._group_by]
        self._sums.add(pa.table(dict(zip(self._keys, keys, strict=True)) | summands(rows)))
        if len(self._sums) > MAX_GROUPS:
            raise TooManyGroupsError(
                f"group_by: {', '.join(self._group_by)} make more than {MAX_GROUPS:,} groups: "
                "name fewer attributes, or some with fewer values"
            )

    def table(self) -> pa.Table:
        """Return one row per group, in order of its values, rounded like the rows of stores.

        The column `group` is a struct with one field per attribute.
        """
        sums = self._sums.table()
        group = pa.StructArray.from_arrays(
            [sums.column(key).combine_chunks() for key in self._keys], list(self._group_by)
        )
        return table_with_units([("group", group, None), *_figures(sums)])


def _figures(sums: pa.Table) -> Iterator[tuple[str, Any, str | None]]:
    """Yield the columns of the groups: name, values and unit."""

    def count(name: str) -> pa.ChunkedArray:
        return sums.column(name).cast(pa.int64())

    exact = {name: sums.column(name).to_pylist() for name in sums.column_names}
    yield "stores", count("stores"), None
    yield "stores_without_data", count("stores_no_data"), None
    for measure in ("uptime", "downtime", "no_data", "business_time", "excluded"):
        for window, (unit, unit_us) in UNITS.items():
            total_us = sums.column(f"{measure}_{window}_us")
            yield f"{measure}_{window}(in {unit})", rounded(total_us, unit_us), unit
    for window in WINDOWS:
        shares = zip(exact[f"uptime_{window}_us"], exact[f"downtime_{window}_us"], strict=True)
        percents = [percent(up, up + down) for up, down in shares]
        yield f"uptime_percent_{window}", pa.array(percents, pa.float64()), PERCENT
    for window in WINDOWS:
        yield f"missed_target_{window}", count(f"missed_{window}"), None
    yield "outages_last_week", count("outages_last_week"), None
    yield "incidents_last_week", count("incidents_last_week"), None
    recovered = zip(exact["recovery_last_week_us"], exact["recoveries_last_week"], strict=True)
    means = [hours(Fraction(int(us), int(n))) if n else None for us, n in recovered]
    yield "mean_time_to_recovery_last_week(in hours)", pa.array(means, pa.float64()), "hours"
    for window in WINDOWS:
        yield f"lost_revenue_{window}", to_cents(sums.column(f"lost_revenue_{window}")), CURRENCY
