"""Load the local API from another process: many connections, for a while.

Most requests get the status of a report; the others trigger reports, with idempotency keys that are
used again and again. Nothing may fail, and each key must have one report, which completes.
"""

import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import requests

from local.cli.client import ApiClient
from local.cli.inputs import find_inputs
from local.cli.run import upload_all
from local.cli.sample_data import SMALL, cached_sample
from local.emulator.cloud import LocalCloud

_CONNECTIONS = 50
_SECONDS = 30
_KEYS = 20
_TRIGGER_SHARE = 0.2
_TIMEOUT_SECONDS = 30
_DATA = Path(__file__).resolve().parent.parent / ".data"


@dataclass
class Responses:
    """The responses of one connection, or of all."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[int] = field(default_factory=Counter)
    report_of_key: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, other: "Responses") -> None:
        """Add the responses of another connection."""
        for call, seconds in other.seconds.items():
            self.seconds[call] += seconds
        self.statuses += other.statuses
        for key, report_ids in other.report_of_key.items():
            self.report_of_key[key] |= report_ids


def main() -> None:
    """Load a local cloud; print requests a second and latencies, or say what went wrong."""
    with LocalCloud() as cloud:
        upload_all(find_inputs(cached_sample(_DATA, shape=SMALL)), cloud)
        client = ApiClient(cloud.api_url)
        report_id = client.trigger()
        client.wait(report_id)
        began = time.monotonic()
        responses = _load(cloud.api_url, report_id, began + _SECONDS)
        took_seconds = time.monotonic() - began
        for report_ids in responses.report_of_key.values():
            for report_id in report_ids:
                client.wait(report_id)  # raises if the report fails
    _show(responses, took_seconds)
    _check(responses)


def _load(api_url: str, report_id: str, until: float) -> Responses:
    responses = Responses()
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        connections = range(_CONNECTIONS)
        for each in pool.map(lambda seed: _use(api_url, report_id, until, seed), connections):
            responses.add(each)
    return responses


def _use(api_url: str, report_id: str, until: float, seed: int) -> Responses:
    """Make one request after the other until it is time to stop."""
    responses, chance, http = Responses(), random.Random(seed), requests.Session()  # noqa: S311  # no secret
    while time.monotonic() < until:
        if chance.random() < _TRIGGER_SHARE:
            key = f"load-{chance.randrange(_KEYS)}"
            url, headers = f"{api_url}/trigger_report", {"Idempotency-Key": key}
            response = http.post(url, headers=headers, timeout=_TIMEOUT_SECONDS)
            if response.ok:
                responses.report_of_key[key].add(response.json()["report_id"])
        else:
            response = http.get(f"{api_url}/get_report/{report_id}", timeout=_TIMEOUT_SECONDS)
        call = "trigger_report" if response.request.method == "POST" else "get_report"
        responses.seconds[call].append(response.elapsed.total_seconds())
        responses.statuses[response.status_code] += 1
    return responses


def _show(responses: Responses, took_seconds: float) -> None:
    for call, seconds in sorted(responses.seconds.items()):
        percentiles = statistics.quantiles(seconds, n=100)
        print(
            f"{call:15} {len(seconds) / took_seconds:6.1f} requests/s"
            f"   median {percentiles[49]:.3f} s   95 % {percentiles[94]:.3f} s"
            f"   99 % {percentiles[98]:.3f} s   most {max(seconds):.3f} s"
        )
    statuses = ", ".join(f"{count} of {status}" for status, count in responses.statuses.items())
    print(f"responses: {statuses}; reports: {len(responses.report_of_key)}, all complete")


def _check(responses: Responses) -> None:
    problems = list(_problems(responses))
    if problems:
        raise SystemExit("; ".join(problems))


def _problems(responses: Responses) -> Iterator[str]:
    if failed := {status for status in responses.statuses if status >= 400}:
        yield f"responses had the statuses {sorted(failed)}"
    if several := [key for key, ids in responses.report_of_key.items() if len(ids) > 1]:
        yield f"keys have several reports: {several}"


if __name__ == "__main__":
    main()
