"""Render the page: figures, charts and the table of stores."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import resources
from itertools import accumulate
from math import ceil, inf, sqrt
from typing import IO, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from store_monitoring.domain.parameters import SECOND_US, PollFilter
from store_monitoring.instants import to_text
from store_monitoring.reports.formats.writers import Aggregates, Batch, Rows, Writer
from store_monitoring.reports.html import texts
from store_monitoring.reports.html.charts import charts, uptime_chart
from store_monitoring.reports.period_summary import GroupSeries, PeriodSummary
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.request import period_to_json
from store_monitoring.reports.summary import Summary

TABLE_STORES = 5_000  # so that a page has less than 1 MB
WORST_STORES = 10  # on the first printed page
LONGEST_OUTAGES = 50
GROUPS = 100
GROUP_WINDOWS = 400  # of a period: those of the first groups, so that a page has less than 1 MB
_LEVELS = 4  # of colour, in the table of outages by hour
_PACKAGE = "store_monitoring.reports.html"


@dataclass(frozen=True, slots=True)
class About:
    """The facts about a report in the header of its page.

    Attributes
    ----------
    now_us : int
        End of the windows.
    snapshot : int
        Version of the ingest log that the report was planned from.
    memory_us : int
        Length of the poll memory (rule 9).
    poll_filter : PollFilter
    selection : str
        Which stores the report covers, in words.
    """

    now_us: int
    snapshot: int
    memory_us: int
    poll_filter: PollFilter
    selection: str

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Return the facts about the report of a plan."""
        return cls(
            now_us=plan.now_us,
            snapshot=plan.version,
            memory_us=plan.memory_us,
            poll_filter=plan.poll_filter,
            selection=plan.selection,
        )


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column: its name in the data, its header, and how the page's script formats it."""

    name: str
    title: str
    unit: str
    kind: str


COLUMNS = (
    TableColumn("store_id", "Store", "", "text"),
    TableColumn("name", "Name", "", "text"),
    TableColumn("state", "Now", "", "state"),
    TableColumn("uptime_percent_last_week", "Uptime", "% of week", "number"),
    TableColumn("target_percent", "Target", "%", "target"),
    TableColumn("target_last_week", "Met?", "in week", "status"),
    TableColumn("uptime_last_hour(in minutes)", "Up, hour", "min", "number"),
    TableColumn("uptime_last_day(in hours)", "Up, day", "h", "number"),
    TableColumn("uptime_last_week(in hours)", "Up, week", "h", "number"),
    TableColumn("downtime_last_hour(in minutes)", "Down, hour", "min", "number"),
    TableColumn("downtime_last_day(in hours)", "Down, day", "h", "number"),
    TableColumn("downtime_last_week(in hours)", "Down, week", "h", "number"),
    TableColumn("no_data_last_week(in hours)", "No data, week", "h", "number"),
    TableColumn("outages_last_week", "Outages", "in week", "count"),
    TableColumn("longest_outage_last_week(in hours)", "Longest", "h", "number"),
    TableColumn("polls_last_week", "Polls", "in week", "count"),
    TableColumn("last_poll_at", "Last poll", "UTC", "instant"),
    TableColumn("last_poll_status", "Status", "at last poll", "text"),
)


def stores_table(rows: pa.Table) -> pa.Table:
    """Return one row per store with `COLUMNS`, the worst first.

    Stores are sorted by their percentage of uptime in the week, then by id. Those without one come
    last.

    Parameters
    ----------
    rows : table
        As `detailed_rows` returns them.
    """
    table = rows.select([column.name for column in COLUMNS])
    position = table.column_names.index("last_poll_at")
    # Microseconds would exceed JavaScript's integers.
    seconds = pc.divide(table.column(position).cast(pa.int64()), SECOND_US)
    table = table.set_column(position, "last_poll_at", seconds)
    return table.sort_by([("uptime_percent_last_week", "ascending"), ("store_id", "ascending")])


@dataclass(frozen=True, slots=True)
class Inlined:
    """An inline style or script, and its hash for the page's Content-Security-Policy."""

    text: Markup
    source: str


@dataclass(frozen=True, slots=True)
class LongestOutages:
    """The longest outages of a report: at most `LONGEST_OUTAGES`, of `count` in all."""

    rows: pa.Table
    count: int

    @classmethod
    def of(cls, rows: pa.Table) -> Self:
        """Return the longest of rows that `outage_rows` returned."""
        return cls(
            rows.sort_by(
                [
                    ("duration(in seconds)", "descending"),
                    ("store_id", "ascending"),
                    ("started_at", "ascending"),
                ]
            )[:LONGEST_OUTAGES],
            len(rows),
        )

    @classmethod
    def with_more(cls, known: Self | None, rows: pa.Table) -> Self:
        """Return the longest of the known outages, if there are any, and further ones."""
        if known is None:
            return cls.of(rows)
        longest = cls.of(pa.concat_tables([known.rows, rows]))
        return replace(longest, count=known.count + len(rows))


class PeriodHtmlWriter(Writer):
    """Writes the page of a period's report, from its aggregates, when it is closed."""

    def __init__(self, output: IO[bytes], plan: Plan) -> None:
        self._output = output
        self._plan = plan
        self._aggregates: Aggregates | None = None
        self._outages: LongestOutages | None = None

    def write(self, batch: Batch) -> None:
        """Write nothing: a period may have more rows than a page can show."""

    def write_aggregates(self, aggregates: Aggregates) -> None:
        """Keep the aggregates for the page."""
        self._aggregates = aggregates

    def write_outages(self, rows: Rows) -> None:
        """Keep the longest outages for the page."""
        self._outages = LongestOutages.with_more(self._outages, rows.table)

    def close(self) -> None:
        """Write the page."""
        aggregates, outages = self._aggregates, self._outages
        assert aggregates is not None  # written before
        assert self._plan.period is not None
        summary = aggregates.summary
        assert isinstance(summary, PeriodSummary)
        groups = _lowest_groups(summary.groups)
        text = (
            _environment()
            .get_template("period.html.j2")
            .render(
                about=About.of(self._plan),
                period=period_to_json(self._plan.period),
                title=texts.period(self._plan.period),
                summary=summary,
                groups=groups,
                detailed_groups=_first_with_windows(groups),
                group_count=len(summary.groups),
                stores=aggregates.stores,
                charts=[uptime_chart("Uptime in the period", summary.stores_by_uptime_percent)],
                outages=None if outages is None else outages.rows.to_pylist(),
                outage_count=0 if outages is None else outages.count,
                outage_levels=_levels(summary.outages_by_hour),
                styles=[_inlined("theme.css", "store_monitoring"), _inlined("page.css")],
            )
        )
        self._output.write(text.encode())


class HtmlWriter(Writer):
    """Keeps all rows, since the page's table is sorted, and writes the page when it is closed."""

    def __init__(self, output: IO[bytes], plan: Plan) -> None:
        self._output = output
        self._about = About.of(plan)
        self._rows: list[pa.Table] = []
        self._aggregates: Aggregates | None = None
        self._outages: LongestOutages | None = None

    def write(self, batch: Batch) -> None:
        """Keep the columns that the table shows."""
        self._rows.append(batch.rows.table.select([column.name for column in COLUMNS]))

    def write_aggregates(self, aggregates: Aggregates) -> None:
        """Keep the aggregates for the page."""
        self._aggregates = aggregates

    def write_outages(self, rows: Rows) -> None:
        """Keep the longest outages for the page."""
        self._outages = LongestOutages.with_more(self._outages, rows.table)

    def close(self) -> None:
        """Write the page."""
        assert self._aggregates is not None  # written before
        rows = pa.concat_tables(self._rows)
        write_html(rows, self._aggregates, self._about, self._output, self._outages)


def write_html(
    rows: pa.Table,
    aggregates: Aggregates,
    about: About,
    output: IO[bytes],
    outages: LongestOutages | None = None,
) -> None:
    """Write a report as one self-contained page.

    Parameters
    ----------
    rows : table
        As `detailed_rows` returns them; of their columns, `COLUMNS` are used.
    aggregates : Aggregates
    about : About
    output : binary stream
    outages : LongestOutages or None
        None if they were not requested.
    """
    summary = aggregates.summary
    assert isinstance(summary, Summary)
    table = stores_table(rows)
    groups = [] if aggregates.groups is None else _worst_groups(aggregates.groups.table)
    page = _environment().get_template("page.html.j2")
    text = page.render(
        about=about,
        summary=summary,
        groups=groups,
        group_count=0 if aggregates.groups is None else len(aggregates.groups.table),
        outages=None if outages is None else outages.rows.to_pylist(),
        outage_count=0 if outages is None else outages.count,
        outage_levels=_levels(summary.outages_by_hour),
        charts=charts(summary, about.memory_us),
        worst=[store for store in summary.worst_stores if store.downtime_hours > 0][:WORST_STORES],
        columns=COLUMNS,
        is_whole=len(table) <= TABLE_STORES,
        table=table[:TABLE_STORES].to_pydict(),
        styles=[_inlined("theme.css", "store_monitoring"), _inlined("page.css")],
        scripts=[_inlined("chart_tips.mjs"), _inlined("stores_table.mjs")],
    )
    output.write(text.encode())


def _lowest_groups(groups: Sequence[GroupSeries]) -> list[GroupSeries]:
    """Return the groups with the lowest percentages of uptime in the period, the lowest first."""

    def key(group: GroupSeries) -> float:
        uptime = group.whole.total.uptime_percent
        return inf if uptime is None else uptime

    return sorted(groups, key=key)[:GROUPS]


def _first_with_windows(groups: Sequence[GroupSeries]) -> list[GroupSeries]:
    """Return the first groups that have at most `GROUP_WINDOWS` windows together."""
    counts = accumulate(len(group.windows) for group in groups)
    first = [group for group, count in zip(groups, counts, strict=True) if count <= GROUP_WINDOWS]
    return [group for group in first if group.windows]


def _worst_groups(table: pa.Table) -> list[dict[str, Any]]:
    """Return the groups with the lowest percentages of uptime in the week, the lowest first."""
    rows: list[dict[str, Any]] = table.sort_by("uptime_percent_last_week")[:GROUPS].to_pylist()
    return rows


def _levels(counts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return numbers as levels of colour: 0 for none, up to `_LEVELS` for the greatest.

    They grow with the square root, so that a peak does not hide the differences of other hours.
    """
    greatest = max(max(max(row) for row in counts), 1)
    return [[ceil(_LEVELS * sqrt(count / greatest)) for count in row] for row in counts]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters |= {
        "number": "{:,}".format,
        "decimals": texts.decimals,
        "target": texts.target,
        "percent": texts.percent,
        "points": texts.points,
        "hours": texts.hours,
        "days": texts.days,
        "date": texts.date,
        "minute": texts.minute,
        "weekday": texts.weekday,
        "clock_time": texts.clock_time,
        "iso": to_text,
    }
    return environment


def _inlined(name: str, package: str = _PACKAGE) -> Inlined:
    text = resources.files(package).joinpath(name).read_text("utf-8")
    digest = b64encode(sha256(text.encode()).digest()).decode()
    return Inlined(Markup(text), f"'sha256-{digest}'")  # noqa: S704  # our own file
