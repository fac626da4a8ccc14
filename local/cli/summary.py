"""Summarises a report in a few lines."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from local.cli.terminal import printable

_WINDOWS = ("hour", "day", "week")
_UNITS = {"hour": "minutes", "day": "hours", "week": "hours"}
_WORST = 10


def summary(report: Path, polled: Collection[str]) -> RenderableType:
    """Return the fleet's uptime and the worst stores among those polled in the last week.

    Parameters
    ----------
    report : Path
        The CSV.
    polled : collection of str
        Ids of the stores that were polled in the last week.
    """
    # Ids are text, even those that pandas would read as a number or a missing value, such as NULL.
    frame = pd.read_csv(report, dtype={"store_id": str}, keep_default_na=False)
    columns = {
        f"{name}_last_{window}(in {_UNITS[window]})": f"{name}_{window}"
        for name in ("uptime", "downtime")
        for window in _WINDOWS
    }
    frame = frame.rename(columns=columns)
    for window in _WINDOWS:
        business = frame[f"uptime_{window}"] + frame[f"downtime_{window}"]
        frame[f"share_{window}"] = frame[f"uptime_{window}"] / business.where(business > 0)
    return Group(_fleet(frame, polled), Text(), _worst(frame, polled))


def _fleet(frame: pd.DataFrame, polled: Collection[str]) -> Text:
    lines = [f"{len(frame):,} stores, {len(polled):,} of them polled in the last week"]
    for window in _WINDOWS:
        up, down = frame[f"uptime_{window}"].sum(), frame[f"downtime_{window}"].sum()
        share = f"{up / (up + down):.1%}" if up + down else "no business time"
        lines.append(f"  last {window:4}  uptime {share}")
    return Text("\n".join(lines))


def _worst(frame: pd.DataFrame, polled: Collection[str]) -> Table:
    candidates = frame[frame["store_id"].isin(list(polled)) & frame["share_week"].notna()]
    worst = candidates.sort_values(["share_week", "downtime_week"], ascending=[True, False])
    table = Table(title=f"The {_WORST} worst stores polled in the last week", title_justify="left")
    table.add_column("store_id", no_wrap=True)
    for name in ("uptime", "up, hours", "down, hours"):
        table.add_column(name, justify="right")
    for row in worst.head(_WORST).itertuples():
        table.add_row(
            Text(printable(row.store_id)),
            f"{row.share_week:.1%}",
            f"{row.uptime_week:.2f}",
            f"{row.downtime_week:.2f}",
        )
    return table
