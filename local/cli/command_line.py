"""Parses the command line and runs its commands."""

import argparse
import os
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from requests import RequestException

from local.cli.client import RunFailedError
from local.cli.inputs import InputError
from local.cli.interrupts import end_at_once, end_soon_after_interrupt
from local.cli.output import OutputError, outputs_of
from local.cli.run import run
from local.cli.sample_data import FULL, SMALL, cached_sample
from local.cli.serve import serve
from local.emulator.artefacts import Artefacts, NotBuiltError, as_built, from_source
from local.emulator.cloud import LocalCloudError
from local.emulator.ports import PortError, check_ports
from local.emulator.runtime import NoLambdaRuntimeError
from store_monitoring.errors import InvalidRequestError
from store_monitoring.reports.request import ReportRequest

_ROOT = Path(__file__).resolve().parents[2]
_SAMPLES = {"full": FULL, "small": SMALL}


def main() -> int:
    """Run a command; return the exit status."""
    arguments = _parser().parse_args()
    end_soon_after_interrupt()
    try:
        if arguments.command == "serve":
            _serve(arguments)
        else:
            _run(arguments)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr, flush=True)
        end_at_once()
    except InvalidRequestError as error:
        print(f"error: AS_OF={arguments.as_of}: {error}", file=sys.stderr)
        return 1
    except (
        *(InputError, OutputError, PortError, NotBuiltError, NoLambdaRuntimeError, RunFailedError),
        *(LocalCloudError, BotoCoreError, ClientError, OSError, RequestException),
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(arguments: argparse.Namespace) -> None:
    # Report errors in the arguments before anything that takes time.
    outputs = outputs_of(arguments.out, arguments.formats)
    ReportRequest.from_json({"as_of": arguments.as_of})
    data = _data(arguments)
    assert data is not None  # run has a default sample
    run(_artefacts(arguments), data, outputs, arguments.as_of)


def _serve(arguments: argparse.Namespace) -> None:
    if arguments.port:
        check_ports(arguments.port)
    # Not an argument: every user of the machine can see arguments.
    api_key = os.environ.get("API_KEY") or None
    serve(_artefacts(arguments), _data(arguments), arguments.port, api_key)


def _artefacts(arguments: argparse.Namespace) -> Artefacts:
    return as_built(_ROOT) if arguments.built else from_source(_ROOT)


def _data(arguments: argparse.Namespace) -> Path | None:
    if arguments.data is None and arguments.sample:
        return cached_sample(_ROOT / ".data", shape=_SAMPLES[arguments.sample])
    data: Path | None = arguments.data
    return data


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local")
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", type=Path, help="folder with the input files")
    common.add_argument(
        "--built", action="store_true", help="run the output of `make build` instead of the source"
    )
    run_parser = commands.add_parser("run", parents=[common], help="make a report")
    run_parser.add_argument("--sample", choices=_SAMPLES, default="full")
    run_parser.add_argument(
        "--out",
        type=Path,
        default=Path("report.csv"),
        help="file for the report; its extension selects the format",
    )
    run_parser.add_argument(
        "--formats",
        help="comma-separated formats, such as csv,html; several are saved next to --out",
    )
    run_parser.add_argument(
        "--as-of",
        help="the instant at which the report's windows end, such as 2024-10-14T12:00:00Z",
    )
    serve_parser = commands.add_parser(
        "serve",
        parents=[common],
        help="start the local cloud and keep it running",
        description="If the environment variable API_KEY is set, callers of the API need that key.",
    )
    serve_parser.add_argument("--sample", choices=_SAMPLES)
    serve_parser.add_argument(
        "--port", type=int, default=3000, help="port of the API; AWS's services use the next one"
    )
    return parser
