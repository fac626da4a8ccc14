"""The commands of ``store-monitoring``: their options, their help, and how errors end them.

What a command needs is imported when it runs: that takes a second or two, which help should not.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from botocore.exceptions import BotoCoreError, ClientError

from local import LocalError
from local.cli.terminal import end_at_once, end_soon_after_interrupt, show
from local.emulator.settings import STACK_NAME
from store_monitoring.domain.parameters import PeriodUnit, PollFilter
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.instants import from_text

if TYPE_CHECKING:
    from local.cli.client import ApiClient
    from local.cli.output import Output
    from local.emulator.artefacts import Artefacts

_ROOT = Path(__file__).resolve().parents[2]
_NAME = "store-monitoring"
_FAILED, _WRONG_USE = 1, 2

Command = TypeVar("Command", bound=Callable[..., Any])


def main() -> int:
    """Run a command.

    Returns
    -------
    int
        The exit status: 0, 1 if the command failed, 2 if it was not called correctly.
    """
    try:
        status: int | None = commands.main(prog_name=_NAME, standalone_mode=False)
    except click.UsageError as error:
        command = _NAME if error.ctx is None else error.ctx.command_path
        _print_error(f"{error.format_message().rstrip('.')}; see {command} --help")
        return _WRONG_USE
    except (LocalError, BotoCoreError, ClientError, OSError) as error:
        _print_error(str(error))
        return _FAILED
    return status or 0


def _print_error(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)


class _Commands(click.Group):
    """A group of commands, of which Ctrl-C leaves no process behind."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr, flush=True)
            end_at_once()


def _examples(*lines: str) -> str:
    # The first line tells click not to wrap the others.
    return "\n  ".join(("\b\nExamples:", *lines))


@click.group(
    cls=_Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        # `make` passes options as STORE_MONITORING_RUN_OUT and the like.
        "auto_envvar_prefix": "STORE_MONITORING",
    },
    epilog=_examples(
        "store-monitoring doctor               # what is missing on this machine?",
        "store-monitoring run                  # make a report of sample data",
        "store-monitoring run --data folder    # make a report of your files",
        "store-monitoring report --help        # say more about a command",
    ),
)
def commands() -> None:
    """Compute how long each store was up and down, during its own business hours.

    run and serve start a local cloud on this machine, and need neither Docker nor an AWS account.
    upload, report, reports and timeline call the API: of the local cloud that serve runs, or of a
    deployed stack that is named by --url and --key.
    """


def _check_instant(
    _ctx: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    try:
        if value is not None:
            from_text(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


def _parse_where(
    _ctx: click.Context, _parameter: click.Parameter, conditions: tuple[str, ...]
) -> dict[str, list[str]]:
    """Return the values of each attribute."""
    where: dict[str, list[str]] = {}
    for condition in conditions:
        attribute, equals, value = condition.partition("=")
        if not equals:
            raise click.BadParameter(f"{condition!r} is not ATTRIBUTE=VALUE")
        where.setdefault(attribute, []).append(value)
    return where


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return a decorator that adds options, in this order in the help."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


_cloud_options = _options(
    click.option("--data", type=click.Path(path_type=Path), help="Folder with the input files."),
    click.option("--sample", type=click.Choice(["full", "small"]), help="Sample data to use."),
    click.option("--built", is_flag=True, help="Run what `make build` has built, not the source."),
)
_report_options = _options(
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=Path("report.csv"),
        show_default=True,
        help="File for the report; its extension selects the format.",
    ),
    click.option(
        "--formats", help="Formats such as csv,html; several are saved beside each other."
    ),
    click.option(
        "--as-of",
        metavar="INSTANT",
        callback=_check_instant,
        help="When the report's windows end, such as 2024-10-14T12:00:00Z; default: the last poll.",
    ),
)
_api_options = _options(
    click.option(
        "--url",
        envvar="STORE_MONITORING_URL",
        default="http://127.0.0.1:3000",
        show_default=True,
        show_envvar=True,
        help="Address of the API.",
    ),
    click.option(
        "--key",
        envvar="STORE_MONITORING_KEY",
        show_envvar=True,
        help="The API's key. Other users of this machine can see options, but not variables.",
    ),
)
_filter_option = click.option(
    "--poll-filter", type=click.Choice(list(PollFilter)), help="Which polls count; default: all."
)


@commands.command(
    "run",
    epilog=_examples(
        "store-monitoring run --sample small",
        "store-monitoring run --data folder --out report.html",
        "store-monitoring run --data folder --formats csv,xlsx --as-of 2024-10-14T12:00:00Z",
    ),
)
@_cloud_options
@_report_options
def run_command(
    data: Path | None,
    sample: str | None,
    built: bool,
    out: Path,
    formats: str | None,
    as_of: str | None,
) -> None:
    """Make a report of CSV files, in a local cloud that ends with it.

    Without --data it is about sample data, which is made the first time.
    """
    outputs = _outputs(out, formats)
    from local.cli.run import run

    end_soon_after_interrupt()
    folder = _data(data, sample or "full")
    assert folder is not None  # there is a sample
    run(_artefacts(built), folder, outputs, as_of)


@commands.command(
    "serve",
    epilog=_examples(
        "store-monitoring serve --sample small",
        "API_KEY=secret store-monitoring serve --data folder --port 4000",
        "store-monitoring serve --state folder",
    ),
)
@_cloud_options
@click.option(
    "--port",
    type=int,
    default=3000,
    show_default=True,
    help="Port of the API; AWS's services use the next one. 0: any.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that keeps the data for the next time; default: they are lost.",
)
def serve_command(
    data: Path | None, sample: str | None, built: bool, port: int, state: Path | None
) -> None:
    """Start the local cloud and keep it running, until Ctrl-C.

    It starts empty, or with a report of --data or --sample, and prints commands to try. If the
    environment variable API_KEY is set, callers of the API need that key. All data are in memory
    without --state.
    """
    from local.cli.serve import serve
    from local.emulator.ports import check_ports

    end_soon_after_interrupt()
    if port:
        check_ports(port)
    # Not an option: every user of the machine can see options.
    api_key = os.environ.get("API_KEY") or None
    serve(_artefacts(built), _data(data, sample), _sample("small"), port, api_key, state)


@commands.command(
    "upload",
    epilog=_examples(
        "store-monitoring upload store_status.csv menu_hours.csv timezones.csv",
        "store-monitoring upload --kind polls monday.csv.gz",
        "STORE_MONITORING_KEY=… store-monitoring upload --url https://… store_status.csv",
    ),
)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--kind", type=click.Choice(list(Kind)), help="What the files are; default: by their names."
)
@_api_options
def upload_command(files: tuple[Path, ...], kind: str | None, url: str, key: str | None) -> None:
    """Upload CSV files and wait until they are ingested.

    FILES may be gzipped.
    """
    from local.cli.api_commands import upload
    from local.cli.inputs import InputError, InputFile, kind_by_name

    try:
        inputs = [InputFile(Kind(kind) if kind else kind_by_name(path), path) for path in files]
    except InputError as error:
        raise click.UsageError(f"{error}; say what it is with --kind") from None
    upload(_client(url, key), inputs)


@commands.command(
    "report",
    epilog=_examples(
        "store-monitoring report",
        "store-monitoring report --out report.html --poll-filter business_hours",
        "store-monitoring report --as-of 2024-10-14T12:00:00Z --store-id 007 --store-id 008",
        "store-monitoring report --where brand=Nori --where region=West --group-by franchisee",
        "store-monitoring report --out report.xlsx --target-percent 99.5 --outages",
        "store-monitoring report --from 2024-10-01 --to 2024-11-01 --by day --out october.csv",
        "store-monitoring report 2048330b-e667-47a8-930e-2424914a958f --out again.csv",
    ),
)
@click.argument("report_id", required=False)
@_report_options
@click.option("--store-id", "store_ids", multiple=True, help="Only this store; may be repeated.")
@click.option(
    "--where",
    multiple=True,
    metavar="ATTRIBUTE=VALUE",
    callback=_parse_where,
    help="Only stores with this attribute; several values of one attribute are alternatives.",
)
@_filter_option
@click.option(
    "--from",
    "period_from",
    metavar="DATE",
    help="Report a period from this date or instant on, instead of the last hour, day and week.",
)
@click.option("--to", "period_to", metavar="DATE", help="End of the period, which it excludes.")
@click.option(
    "--by",
    type=click.Choice(list(PeriodUnit)),
    help="Cut the period at local midnights, Mondays or firsts of the month.",
)
@click.option("--group-by", multiple=True, metavar="ATTRIBUTE", help="Add a table of groups.")
@click.option("--outages", is_flag=True, help="Add a table of all outages.")
@click.option(
    "--target-percent", type=float, help="The target of stores that have none of their own."
)
@_api_options
def report_command(
    report_id: str | None,
    out: Path,
    formats: str | None,
    as_of: str | None,
    store_ids: tuple[str, ...],
    where: dict[str, list[str]],
    poll_filter: str | None,
    period_from: str | None,
    period_to: str | None,
    by: str | None,
    group_by: tuple[str, ...],
    outages: bool,
    target_percent: float | None,
    url: str,
    key: str | None,
) -> None:
    """Make a report of what is uploaded, wait for it and download it.

    With REPORT_ID, wait for that report and download it instead of making one. The tables of groups
    and outages are saved beside it. Ctrl-C ends only the waiting.
    """
    outputs = _outputs(out, formats)
    period = {"from": period_from, "to": period_to, "by": by}
    request = {
        "as_of": as_of,
        "period": {field: value for field, value in period.items() if value},
        "store_ids": list(store_ids),
        "where": where,
        "poll_filter": poll_filter,
        "group_by": list(group_by),
        "include": ["outages"] if outages else [],
        "target_percent": target_percent,
    }
    request = {field: value for field, value in request.items() if value}
    if report_id is not None and request:
        raise click.UsageError(
            "REPORT_ID is a report that exists: leave it out to make one with these options"
        )
    from local.cli.api_commands import make_report

    make_report(_client(url, key), report_id, request, outputs)


@commands.command(
    "reports",
    epilog=_examples(
        "store-monitoring reports",
        "store-monitoring reports --limit 100",
    ),
)
@click.option(
    "--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Reports on a page."
)
@click.option("--page-token", help="The next page, as the page before has printed it.")
@_api_options
def reports_command(limit: int, page_token: str | None, url: str, key: str | None) -> None:
    """List reports, newest first."""
    from local.cli.api_commands import list_reports

    list_reports(_client(url, key), limit, page_token)


@commands.command(
    "timeline",
    epilog=_examples(
        "store-monitoring timeline 000f5ed2-c568-4cde-914f-c78243b5b864",
        "store-monitoring timeline 007 --as-of 2024-10-14T12:00:00Z",
        "store-monitoring timeline 007 --report-id 2048330b-e667-47a8-930e-2424914a958f",
    ),
)
@click.argument("store_id")
@click.option("--report-id", help="Explain this report, from the data that it read.")
@click.option(
    "--as-of",
    metavar="INSTANT",
    callback=_check_instant,
    help="When the week ends; default: the last poll.",
)
@_filter_option
@_api_options
def timeline_command(
    store_id: str,
    report_id: str | None,
    as_of: str | None,
    poll_filter: str | None,
    url: str,
    key: str | None,
) -> None:
    """Show when a store was open, up and down in its last week."""
    from local.cli.api_commands import show_timeline

    query = {
        "store_id": store_id,
        "report_id": report_id,
        "as_of": as_of,
        "poll_filter": poll_filter,
    }
    show_timeline(_client(url, key), query)


@commands.command(
    "sql",
    epilog=_examples(
        "store-monitoring sql 'SELECT count(*) FROM polls'",
        "store-monitoring sql 'FROM report_rows' > rows.csv",
        "store-monitoring sql --aws --database store_monitoring 'SELECT * FROM stores LIMIT 5'",
    ),
)
@click.argument("statement")
@click.option("--aws", is_flag=True, help="Query a stack's tables, with the usual credentials.")
@click.option(
    "--database",
    help="Glue database of the tables. [default: the local cloud's; on AWS, store_monitoring]",
)
@click.option(
    "--endpoint",
    default="http://127.0.0.1:3001",
    show_default=True,
    help="Address of AWS's services in the local cloud.",
)
@click.option(
    "--csv", "as_csv", is_flag=True, help="Write all rows as CSV. [default: unless to a terminal]"
)
def sql_command(
    statement: str, aws: bool, database: str | None, endpoint: str, as_csv: bool
) -> None:
    """Query the Iceberg tables in DuckDB: polls, stores and report_rows.

    A terminal gets DuckDB's table, which abbreviates long results. A file or a pipe gets all rows
    as CSV.
    """
    from local.cli.sql import query

    database = database or ("store_monitoring" if aws else STACK_NAME)
    as_csv = as_csv or not sys.stdout.isatty()
    try:
        query(statement, database, None if aws else endpoint, sys.stdout, as_csv=as_csv)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has enough, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@commands.command(
    "doctor",
    epilog=_examples(
        "store-monitoring doctor",
    ),
)
@click.pass_context
def doctor_command(context: click.Context) -> None:
    """Check this machine, and say what to do about what is missing.

    The status is 1 if something is missing that `run` needs. The rest is optional.
    """
    from local.cli.doctor import checks, table

    end_soon_after_interrupt()
    done = list(checks(_ROOT))
    show(table(done))
    context.exit(_FAILED if any(check.failed for check in done) else 0)


def _outputs(out: Path, formats: str | None) -> "tuple[Output, ...]":
    """Return the files to save; wrong ones are reported before anything that takes time."""
    from local.cli.output import OutputError, outputs_of

    try:
        return outputs_of(out, formats)
    except OutputError as error:
        raise click.UsageError(str(error)) from None


def _data(data: Path | None, sample: str | None) -> Path | None:
    return data if data is not None or sample is None else _sample(sample)


def _sample(name: str) -> Path:
    from local.cli.sample_data import FULL, SMALL, cached_sample

    return cached_sample(_ROOT / ".data", shape={"full": FULL, "small": SMALL}[name])


def _artefacts(built: bool) -> "Artefacts":
    from local.emulator.artefacts import as_built, from_source

    return as_built(_ROOT) if built else from_source(_ROOT)


def _client(url: str, key: str | None) -> "ApiClient":
    from local.cli.client import ApiClient

    end_soon_after_interrupt()
    return ApiClient(url, key)
