"""Command line: ``python -m local run`` and ``python -m local serve``."""

import argparse
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from requests import RequestException

from local.artefacts import NotBuilt, as_built, from_source
from local.client import RunFailed
from local.cloud import EmbeddedCloudError
from local.inputs import InputProblem
from local.run import run
from local.runtime import NoLambdaRuntime
from local.sample_data import FULL, SMALL, cached_sample
from local.serve import serve

_ROOT = Path(__file__).resolve().parent.parent
_SAMPLES = {"full": FULL, "small": SMALL}


def main() -> int:
    """Run a command; return the exit status."""
    arguments = _parser().parse_args()
    data: Path | None = arguments.data
    if data is None and arguments.sample:
        data = cached_sample(_ROOT / ".data", shape=_SAMPLES[arguments.sample])
    try:
        artefacts = as_built(_ROOT) if arguments.built else from_source(_ROOT)
        if arguments.command == "serve":
            serve(artefacts, data, arguments.port, arguments.api_key)
        else:
            assert data is not None  # run has a sample where no data are given
            run(artefacts, data, arguments.out, arguments.as_of)
    except (
        *(InputProblem, NotBuilt, NoLambdaRuntime, RunFailed, EmbeddedCloudError),
        *(BotoCoreError, ClientError, OSError, RequestException),
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", type=Path, help="folder with the input files")
    common.add_argument("--built", action="store_true", help="run what `make build` made")
    run_parser = commands.add_parser("run", parents=[common], help="make a report")
    run_parser.add_argument("--sample", choices=_SAMPLES, default="full")
    run_parser.add_argument("--out", type=Path, default=Path("report.csv"))
    run_parser.add_argument("--as-of", help="the instant that the report is about")
    serve_parser = commands.add_parser("serve", parents=[common], help="leave the cloud running")
    serve_parser.add_argument("--sample", choices=_SAMPLES)
    serve_parser.add_argument("--port", type=int, default=3000)
    serve_parser.add_argument("--api-key", help="the key that callers of the API have to have")
    return parser


if __name__ == "__main__":
    sys.exit(main())
