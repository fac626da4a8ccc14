"""The page: figures, charts and a table of all stores, filled into the template."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from importlib import resources
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from store_monitoring.domain.poll_filter import PollFilter
from store_monitoring.domain.time_units import DAY_US, HOUR_US, SECOND_US
from store_monitoring.html_report.charts import bar_chart
from store_monitoring.html_report.glance import (
    Column,
    Glance,
    glance,
    is_down,
    weekly_share,
    worst_first,
)
from store_monitoring.instants import EPOCH, to_text

WHOLE_TABLE_STORES = 20_000
WORST_STORES = 5_000  # in the table of a report of more stores than that
_WORST_AT_A_GLANCE = 10
_PACKAGE = "store_monitoring.html_report"


@dataclass(frozen=True, slots=True)
class About:
    """What a report is about.

    Attributes
    ----------
    now_us : int
        End of its windows.
    snapshot : int
        Version of the ingest log that it was planned from.
    memory_us : int
        For how long a poll is evidence (rule 9).
    poll_filter : PollFilter
    all_stores : bool
        Whether it is about all stores, rather than some that were asked for.
    """

    now_us: int
    snapshot: int
    memory_us: int
    poll_filter: PollFilter
    all_stores: bool


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of the table of stores: its name in the data, its head, and how it is shown."""

    name: str
    title: str
    unit: str
    kind: str


TABLE_COLUMNS = (
    TableColumn("store_id", "Store", "", "text"),
    TableColumn("now", "Now", "", "state"),
    TableColumn("weekly_uptime", "Uptime", "% of week", "number"),
    TableColumn("uptime_last_hour(in minutes)", "Up, hour", "min", "number"),
    TableColumn("uptime_last_day(in hours)", "Up, day", "h", "number"),
    TableColumn("uptime_last_week(in hours)", "Up, week", "h", "number"),
    TableColumn("downtime_last_hour(in minutes)", "Down, hour", "min", "number"),
    TableColumn("downtime_last_day(in hours)", "Down, day", "h", "number"),
    TableColumn("downtime_last_week(in hours)", "Down, week", "h", "number"),
    TableColumn("outages_last_week", "Outages", "in week", "count"),
    TableColumn("longest_outage_last_week(in hours)", "Longest", "h", "number"),
    TableColumn("polls_last_week", "Polls", "in week", "count"),
    TableColumn("last_poll_at", "Last poll", "UTC", "instant"),
    TableColumn("last_poll_status", "Status", "at last poll", "text"),
)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, with what it says in words and in numbers."""

    title: str
    label: str
    summary: str
    columns: tuple[Column, ...]
    svg: Markup


@dataclass(frozen=True, slots=True)
class Inlined:
    """A style or script within the page, and the source by which the page's policy allows it."""

    text: Markup
    source: str


def write_html(part: pa.Table, rows: pa.Table, about: About, output: IO[bytes]) -> None:
    """Write a report as one page that asks for nothing.

    Parameters
    ----------
    part : table
        Rows of schema `DETAILED_PART`, ascending by `store_id`: exact microseconds.
    rows : table
        The same rows as the report tells them.
    about : About
    output : binary stream
    """
    at_a_glance = glance(part, about.now_us)
    stores = _stores(part, rows).take(worst_first(part))
    is_whole = len(stores) <= WHOLE_TABLE_STORES
    page = _environment().get_template("page.html.j2")
    text = page.render(
        about=about,
        glance=at_a_glance,
        charts=_charts(at_a_glance, about),
        worst=_worst(stores),
        columns=TABLE_COLUMNS,
        is_whole=is_whole,
        table=(stores if is_whole else stores[:WORST_STORES]).to_pydict(),
        style=_inlined("page.css"),
        scripts=[_inlined("chart_tips.mjs"), _inlined("stores_table.mjs")],
    )
    output.write(text.encode())


def _stores(part: pa.Table, rows: pa.Table) -> pa.Table:
    """Return the table's columns; instants in seconds, which JavaScript can count."""
    state = pc.if_else(is_down(part), "down", pc.if_else(part.column("open_now"), "up", "closed"))
    percent = np.round(100 * weekly_share(part), 2)
    last_poll_us = part.column("last_poll_at").cast(pa.int64())
    reckoned: dict[str, Any] = {
        "now": state,
        "weekly_uptime": pa.array(percent, from_pandas=True),  # NaN becomes null
        "last_poll_at": pc.divide(last_poll_us, SECOND_US),
    }
    told = dict(zip(rows.column_names, rows.columns, strict=True))
    return pa.table(told | reckoned).select([column.name for column in TABLE_COLUMNS])


def _worst(stores: pa.Table) -> list[dict[str, Any]]:
    was_seen_down = (pc.field("polls_last_week") > 0) & (
        pc.field("downtime_last_week(in hours)") > 0
    )
    worst: list[dict[str, Any]] = stores.filter(was_seen_down)[:_WORST_AT_A_GLANCE].to_pylist()
    return worst


def _charts(at_a_glance: Glance, about: About) -> list[Chart]:
    unseen, never_up, *_, always_up = at_a_glance.weekly_uptime
    open_stores = sum(column.stores for column in at_a_glance.weekly_uptime)
    no_outage, *_, whole_day = at_a_glance.longest_outage
    last_hour, *_, no_poll = at_a_glance.last_poll
    return [
        _chart(
            "Uptime in the week",
            "% of business time",
            f"{open_stores:,} stores had business time. Up all of it: {always_up.stores:,}. Never "
            f"up: {never_up.stores:,}. Down for want of a poll: {unseen.stores:,}. Median: "
            f"{_percent(at_a_glance.median_weekly_uptime)}.",
            at_a_glance.weekly_uptime,
        ),
        _chart(
            "Longest outage in the week",
            "business time",
            f"{at_a_glance.polled:,} stores have a known poll. Without an outage: "
            f"{no_outage.stores:,}. With one of 24 hours of business time or more: "
            f"{whole_day.stores:,}.",
            at_a_glance.longest_outage,
        ),
        _chart(
            "Age of the last poll",
            "stores by age",
            f"Polled in the last hour: {last_hour.stores:,}. No poll in the last "
            f"{_days(about.memory_us)} days: {no_poll.stores:,}.",
            at_a_glance.last_poll,
        ),
    ]


def _chart(title: str, label: str, summary: str, columns: tuple[Column, ...]) -> Chart:
    return Chart(title, label, summary, columns, bar_chart(title, columns))


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
        "decimals": "{:,.2f}".format,
        "percent": _percent,
        "hours": lambda length_us: f"{length_us / HOUR_US:,.0f}",
        "days": _days,
        "date": _date,
        "instant": lambda instant_us: to_text(instant_us)[:16].replace("T", " "),
        "iso": to_text,
    }
    return environment


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _days(length_us: int) -> str:
    return f"{length_us // DAY_US}"


def _date(instant_us: int) -> str:
    instant = EPOCH + timedelta(microseconds=instant_us)
    return f"{instant.day} {instant:%B %Y, %H:%M} UTC"


def _inlined(name: str) -> Inlined:
    text = resources.files(_PACKAGE).joinpath(name).read_text("utf-8")
    digest = b64encode(sha256(text.encode()).digest()).decode()
    return Inlined(Markup(text), f"'sha256-{digest}'")  # noqa: S704  # our own file
