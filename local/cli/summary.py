"""Shows a report's summary in a few lines."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from local.cli.terminal import printable

_WORST = 10


def describe_summary(summary: Mapping[str, Any]) -> RenderableType:
    """Return all stores' uptime, their states now, and the worst stores.

    Parameters
    ----------
    summary : JSON object
        As `GET /reports/{report_id}/summary` returns it.
    """
    return Group(_all_stores(summary), Text(), _worst(summary["worst_stores"]))


def _all_stores(summary: Mapping[str, Any]) -> Text:
    now, week = summary["now"], summary["last_week"]
    lines = [
        f"{summary['stores']:,} stores: {now['up']:,} up, {now['down']:,} down, "
        f"{now['closed']:,} closed, {now['no_data']:,} without data"
    ]
    for name in ("hour", "day", "week"):
        window = summary[f"last_{name}"]
        percent = window["uptime_percent"]
        uptime = "no data" if percent is None else f"{percent:.1f}%"
        lines.append(
            f"  last {name:4}  uptime {uptime}, downtime {window['downtime_hours']:,.0f} h"
        )
    missed = f"missed their target in the week: {week['stores_missed']:,}"
    if week["lost_revenue"] is not None:
        missed += f"; lost revenue {float(week['lost_revenue']):,.2f}"
    lines += [missed, *(warning["message"] for warning in summary["warnings"])]
    return Text("\n".join(lines))


def _worst(stores: list[Mapping[str, Any]]) -> Table:
    table = Table(title=f"The {_WORST} worst stores of the week", title_justify="left")
    table.add_column("store_id", no_wrap=True)
    for heading in ("uptime", "up, hours", "down, hours"):
        table.add_column(heading, justify="right")
    for store in stores[:_WORST]:
        table.add_row(
            Text(printable(store["store_id"])),
            f"{store['uptime_percent']:.1f}%",
            f"{store['uptime_hours']:.2f}",
            f"{store['downtime_hours']:.2f}",
        )
    return table
