"""The base of the writers of all formats, and what they are given."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from store_monitoring.domain.parameters import RULES_VERSION
from store_monitoring.instants import to_text
from store_monitoring.reports.formats.rows import detailed_rows
from store_monitoring.reports.period_summary import PeriodStore, PeriodSummary
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.summary import Summary


class Rows:
    """Some consecutive rows of a table, as the detailed formats show them."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The rows as dicts, attributes included; computed once for all formats."""
        records: list[dict[str, Any]] = self.table.to_pylist(maps_as_pydicts="strict")
        return records


class Batch:
    """Some consecutive rows of a report.

    Attributes
    ----------
    exact : table
        As `measures` returns them.
    rows : Rows
        The same rows, as `detailed_rows` returns them.
    """

    def __init__(self, exact: pa.Table) -> None:
        self.exact = exact

    @cached_property
    def rows(self) -> Rows:
        """The detailed rows, computed once for all formats."""
        return Rows(detailed_rows(self.exact))


@dataclass(frozen=True, slots=True)
class Aggregates:
    """What is computed from all rows of a report.

    Attributes
    ----------
    summary : Summary or PeriodSummary
    groups : Rows or None
        As `GroupsBuilder.table` returns them; None if the request names no `group_by`.
    stores : tuple of PeriodStore
        In a period's report, stores for the page, the worst first.
    """

    summary: Summary | PeriodSummary
    groups: Rows | None
    stores: tuple[PeriodStore, ...] = ()


class Writer(ABC):
    """Writes a report in one format: its rows, then its aggregates and outages.

    A format overrides the methods of the parts that it contains.
    """

    @abstractmethod
    def write(self, batch: Batch) -> None:
        """Write the next rows."""

    def write_aggregates(self, aggregates: Aggregates) -> None:  # noqa: B027  # optional
        """Write the summary and the groups, after the last row."""

    def write_outages(self, rows: Rows) -> None:  # noqa: B027  # optional
        """Write the next outages, as `outage_rows` returns them, after the aggregates."""

    def close(self) -> None:  # noqa: B027  # optional
        """Write the end."""


def report_header(plan: Plan, request: Any) -> dict[str, Any]:
    """Return the JSON object that identifies a report, and says what it was made from.

    Parameters
    ----------
    plan : Plan
    request : JSON object
        As `ReportRequest.to_json` returned it.
    """
    return {
        "report_id": plan.report_id,
        "as_of": to_text(plan.now_us),
        "snapshot": plan.version,
        "request": request,
        "rules_version": RULES_VERSION,
    }
