"""Load the local API from another process: many connections, for a while.

Most requests ask how a report stands; the others trigger reports, with idempotency keys that are
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
class Answers:
    """What one connection, or all of them, saw."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[int] = field(default_factory=Counter)
    report_of_key: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, other: "Answers") -> None:
        """Count what another connection saw."""
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
        _complete(client, report_id)
        began = time.monotonic()
        answers = _load(cloud.api_url, report_id, began + _SECONDS)
        took_seconds = time.monotonic() - began
        for report_ids in answers.report_of_key.values():
            for report_id in report_ids:
                _complete(client, report_id)
    _show(answers, took_seconds)
    _check(answers)


def _load(api_url: str, report_id: str, until: float) -> Answers:
    answers = Answers()
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        connections = range(_CONNECTIONS)
        for seen in pool.map(lambda seed: _use(api_url, report_id, until, seed), connections):
            answers.add(seen)
    return answers


def _use(api_url: str, report_id: str, until: float, seed: int) -> Answers:
    """Make one request after the other until it is time to stop."""
    answers, chance, http = Answers(), random.Random(seed), requests.Session()  # noqa: S311  # no secret
    while time.monotonic() < until:
        if chance.random() < _TRIGGER_SHARE:
            key = f"load-{chance.randrange(_KEYS)}"
            url, headers = f"{api_url}/trigger_report", {"Idempotency-Key": key}
            answer = http.post(url, headers=headers, timeout=_TIMEOUT_SECONDS)
            if answer.ok:
                answers.report_of_key[key].add(answer.json()["report_id"])
        else:
            answer = http.get(f"{api_url}/get_report/{report_id}", timeout=_TIMEOUT_SECONDS)
        call = "trigger_report" if answer.request.method == "POST" else "get_report"
        answers.seconds[call].append(answer.elapsed.total_seconds())
        answers.statuses[answer.status_code] += 1
    return answers


def _complete(client: ApiClient, report_id: str) -> None:
    for _ in client.follow(report_id):  # raises if the report fails
        pass


def _show(answers: Answers, took_seconds: float) -> None:
    for call, seconds in sorted(answers.seconds.items()):
        percentiles = statistics.quantiles(seconds, n=100)
        print(
            f"{call:15} {len(seconds) / took_seconds:6.1f} requests/s"
            f"   median {percentiles[49]:.3f} s   95 % {percentiles[94]:.3f} s"
            f"   99 % {percentiles[98]:.3f} s   most {max(seconds):.3f} s"
        )
    statuses = ", ".join(f"{count} of {status}" for status, count in answers.statuses.items())
    print(f"responses: {statuses}; reports: {len(answers.report_of_key)}, all complete")


def _check(answers: Answers) -> None:
    problems = list(_problems(answers))
    if problems:
        raise SystemExit("; ".join(problems))


def _problems(answers: Answers) -> Iterator[str]:
    if failed := {status for status in answers.statuses if status >= 400}:
        yield f"responses had the statuses {sorted(failed)}"
    if several := [key for key, ids in answers.report_of_key.items() if len(ids) > 1]:
        yield f"keys have several reports: {several}"


if __name__ == "__main__":
    main()
