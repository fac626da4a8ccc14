"""The commands that call the API, of the local cloud or of a deployed stack."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import requests
from rich.box import SIMPLE_HEAD
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table
from rich.text import Text

from local.cli.client import ApiClient, Ingested, RunFailedError
from local.cli.inputs import InputFile
from local.cli.output import Output, is_standard_output, save, save_all
from local.cli.terminal import console, printable, show
from store_monitoring.reports.report import Format

_IDS_NAMED = 5
_REJECTS_SHOWN = 5
_HOUR = timedelta(hours=1)


def upload(client: ApiClient, files: Sequence[InputFile]) -> None:
    """Upload files one after the other, and print the outcome of each.

    Raises
    ------
    RunFailedError
        If a file is rejected as a whole. Files before it are ingested, those after it are not sent.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    for file in files:
        with Progress(*columns, console=console, transient=True) as progress:
            name = printable(file.path.name)
            bar = progress.add_task(name, total=file.path.stat().st_size)
            ingested = client.upload(file, partial(progress.advance, bar))
        console.print(describe_upload(file, replace(ingested, rejects=None)))
        if ingested.rejects is not None:
            _show_rejects(ingested.rejects)


def describe_upload(file: InputFile, ingested: Ingested) -> Text:
    """Describe the outcome of an upload, in yellow if stores have rejected rows."""
    line = f"{printable(file.path.name)}: {ingested.status.lower()}, {ingested.rows:,} rows"
    if ingested.rejected:
        line += f", {ingested.rejected:,} rejected"
    if ingested.rejects is not None:
        line += f" (see {ingested.rejects})"
    line += f", {ingested.seconds:.1f} s"
    if not ingested.partial_stores:
        return Text(line)
    ids = ingested.partial_store_ids[:_IDS_NAMED]
    named = printable(", ".join(ids)) + (", …" if ingested.partial_stores > len(ids) else "")
    line += f"\n  {ingested.partial_stores:,} stores with rejected rows: {named}"
    return Text(line, style="yellow")


def _show_rejects(url: str) -> None:
    """Print why the first rows were rejected."""
    with closing(requests.get(url, stream=True, timeout=30)) as response:
        response.raise_for_status()
        rows = csv.DictReader(line.decode() for line in response.iter_lines())
        for row in islice(rows, _REJECTS_SHOWN):
            console.print(f"  line {row['line']}: {printable(row['reason'])}")
    console.print(f"  all rejected rows, for some minutes: {url}")


def make_report(
    client: ApiClient,
    report_id: str | None,
    request: Mapping[str, Any],
    outputs: Sequence[Output],
) -> None:
    """Start a report or take an existing one, wait for it, and save it.

    Parameters
    ----------
    client : ApiClient
    report_id : str or None
        An existing report; None: start one.
    request : mapping
        The fields of the request to start one, without its formats.
    outputs : sequence of Output
        The files to save the report to.

    Raises
    ------
    RunFailedError
        If the report failed, or does not have a format.
    OutputError
        If the report could not be saved; the message says where it is kept.
    """
    # Standard output may have nothing but the report.
    console.stderr = any(is_standard_output(output.path) for output in outputs)
    formats = [output.format for output in outputs]
    if report_id is None:
        report_id = client.trigger(**request, formats=formats)
    report = follow(client, report_id)
    paths = [output.path for output in outputs]
    with TemporaryDirectory() as folder:
        save_all(download(client, report, formats, Path(folder)), outputs)
        for output in outputs:
            paths += _save_tables(client, report, output, Path(folder))
    saved = ", ".join(map(str, paths))
    console.print(f"{report['stores']:,} stores, as of {report['as_of']}; saved as {saved}")


def follow(client: ApiClient, report_id: str) -> dict[str, Any]:
    """Show a report's progress until it is complete, and its warnings; return its last state."""
    console.print(f"report {printable(report_id)}")
    columns = (TextColumn("shards"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("shards", total=None)
        for report in client.follow(report_id):
            if "progress" in report:
                done, total = report["progress"].values()
                progress.update(bar, completed=done, total=total)
        if (total := progress.tasks[bar].total) is not None:
            progress.update(bar, completed=total)
    for warning in report.get("warnings", ()):
        console.print(Text(f"warning: {warning['message']}", style="yellow"))
    return report


def download(
    client: ApiClient, report: Mapping[str, Any], formats: Iterable[Format], folder: Path
) -> dict[Format, Path]:
    """Download a complete report into a folder, in each of the formats.

    Raises
    ------
    RunFailedError
        If the report was not requested in one of them.
    """
    urls = {Format.CSV: report["url"], **report["urls"]}
    files = {}
    for format_ in formats:
        if format_ not in urls:
            raise RunFailedError(
                f"report {report['report_id']} has no {format_}, but {', '.join(urls)}; "
                "leave out its id to make a new report"
            )
        files[format_] = folder / f"report.{format_}"
        client.download(urls[format_], files[format_])
    return files


def _save_tables(
    client: ApiClient, report: Mapping[str, Any], output: Output, folder: Path
) -> list[Path]:
    """Save the tables of groups and outages beside a file of the same format; return the paths."""
    names = [name for name in report["urls"] if name.endswith(f".{output.format}")]
    if is_standard_output(output.path) or (output.path.exists() and not output.path.is_file()):
        for name in names:
            console.print(f"{name}, for some minutes: {report['urls'][name]}")
        return []
    paths = [output.path.with_name(f"{output.path.stem}-{name}") for name in names]
    for name, path in zip(names, paths, strict=True):
        client.download(report["urls"][name], folder / name)
        save(folder / name, path)
    return paths


def list_reports(client: ApiClient, limit: int, page_token: str | None) -> None:
    """Print a page of the list of reports, newest first, and how to get the next one."""
    query = {"limit": limit, "page_token": page_token}
    page = client.call("GET", "/reports", params=query)
    table = Table(
        Column("report_id", no_wrap=True),
        Column("status", no_wrap=True),
        Column("started, UTC", min_width=10),
        Column("as of, UTC", min_width=10),
        Column("stores", justify="right", no_wrap=True),
        "formats",
        box=SIMPLE_HEAD,  # narrow enough for most terminals
        pad_edge=False,
    )
    for report in page["reports"]:
        table.add_row(
            report["report_id"],
            report["error"]["code"] if "error" in report else report["status"],
            _to_seconds(report["started_at"]),
            _to_seconds(report.get("as_of", "")),
            f"{report['stores']:,}" if "stores" in report else "",
            ", ".join(report["formats"]),
        )
    show(table)
    if "next_page_token" in page:
        token = page["next_page_token"]
        console.print(f"more: store-monitoring reports --limit {limit} --page-token {token}")


def _to_seconds(instant: str) -> str:
    """Shorten an instant of the API: ``2024-10-14 23:55:18``."""
    return instant[:19].replace("T", " ")


def show_timeline(client: ApiClient, query: Mapping[str, str | None]) -> None:
    """Print one store's week, day by day in its local time, and its row of the report.

    Parameters
    ----------
    client : ApiClient
    query : mapping
        The parameters of ``GET /timeline``.
    """
    timeline = client.call("GET", "/timeline", params=query)
    zone, row = timeline["time_zone"], timeline["report_row"]
    hours = "as given" if timeline["business_hours"]["source"] == "given" else "24×7, by default"
    console.print(
        f"{printable(timeline['store_id'])}, the week to {timeline['week']['end_local'][:19]} "
        f"in {zone['name']} ({zone['source']}); business hours {hours}"
    )
    show(week_table(timeline))
    # In the row, time without data is downtime (rule 11): of a store without data, all of it is.
    not_up = "no data" if timeline["totals"]["no_data_last_week_us"] else "down"
    for window, unit in (("hour", "minutes"), ("day", "hours"), ("week", "hours")):
        up, rest = (row[f"{name}_last_{window}(in {unit})"] for name in ("uptime", "downtime"))
        console.print(f"  last {window:4}  up {up:.2f}, {not_up} {rest:.2f} {unit}")


def week_table(timeline: Mapping[str, Any]) -> Table:
    """Return a table of a timeline's days, which begin at midnight in the store's time zone."""
    zone = ZoneInfo(timeline["time_zone"]["name"])
    week = _interval(timeline["week"])
    business = [_interval(each) for each in timeline["business_time"]]
    outages = [_interval(each) for each in timeline["outages"]]
    up, down = (
        _common(
            [_interval(each) for each in timeline["statuses"] if each["status"] == status], business
        )
        for status in ("up", "down")
    )
    polls = [datetime.fromisoformat(poll["at"]) for poll in timeline["polls"]]
    numbers = [Column(name, justify="right") for name in ("up, hours", "down, hours", "polls")]
    table = Table(Column("day", no_wrap=True), "open", *numbers, "down at")
    day = week[0].astimezone(zone).date()
    while (begin := _midnight(day, zone)) < week[1]:
        whole = [(begin, _midnight(day + timedelta(days=1), zone))]
        table.add_row(
            f"{day:%a %Y-%m-%d}",
            _texts(_common(business, whole), day, zone),
            f"{_hours(_common(up, whole)):.2f}",
            f"{_hours(_common(down, whole)):.2f}",
            str(sum(whole[0][0] <= poll < whole[0][1] for poll in polls)),
            _texts(_common(outages, whole), day, zone),
        )
        day += timedelta(days=1)
    return table


_Interval = tuple[datetime, datetime]


def _interval(stretch: Mapping[str, str]) -> _Interval:
    return datetime.fromisoformat(stretch["start"]), datetime.fromisoformat(stretch["end"])


def _common(some: Iterable[_Interval], others: Sequence[_Interval]) -> list[_Interval]:
    """Return the overlaps of two lists of intervals."""
    overlaps = (
        (max(start, begin), min(stop, end)) for start, stop in some for begin, end in others
    )
    return [(begin, end) for begin, end in overlaps if begin < end]


def _hours(intervals: Iterable[_Interval]) -> float:
    return sum((end - begin for begin, end in intervals), timedelta()) / _HOUR


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # In UTC: Python compares datetimes of one zone by their wall times.
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _texts(intervals: Iterable[_Interval], day: date, zone: ZoneInfo) -> str:
    """Write intervals of a day in local time; the midnight at its end is 24:00."""
    return ", ".join(
        "–".join(
            f"{local:%H:%M}" if local.date() == day else "24:00"
            for local in (instant.astimezone(zone) for instant in interval)
        )
        for interval in intervals
    )
