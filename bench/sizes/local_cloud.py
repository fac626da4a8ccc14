"""The same report through the local cloud, in 2, 8, 64 and 1,000 shards.

Every cut must give the same bytes, and shards must take what the model says. Two costs are the
local cloud's own, that of a call and that of a file from its S3: they are fitted to the runs of
fewest and of most shards; what is between them is foretold.
"""

import hashlib
import json
import re
import statistics
from dataclasses import dataclass, replace
from pathlib import Path

import requests

from bench.data_set import DENSE
from bench.sizes.model import OWN_REQUESTS, waiting_seconds
from local.cli.client import ApiClient
from local.cli.inputs import find_inputs
from local.cli.run import upload_all
from local.cli.sample_data import cached_sample
from local.emulator.cloud import LocalCloud
from local.emulator.faults import Fault, Kind
from store_monitoring.reports.planner import FILE_COST_POLLS, STORE_COST_POLLS

_BUCKETS = 1000  # of which the sample's stores leave a few empty
_COST = (
    2 * _BUCKETS * FILE_COST_POLLS + DENSE.stores * STORE_COST_POLLS + DENSE.polls_last_fortnight
)
_CUTS = (2, 8, 64, 1000)
_RUNS = 3
_LATE_SECONDS = 0.05
_DATA = Path(__file__).resolve().parents[2] / ".data"
_REPORT_LINE = re.compile(r"^REPORT .*?\tDuration: ([\d.]+) ms", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Run:
    """A report in so many shards.

    Attributes
    ----------
    shards, files : int
        As planned.
    digest : str
        Of the CSV.
    requests : int
        What the shards asked S3 for.
    seconds : float
        What the shards took, one after the other; median of several reports.
    slow_seconds : float
        The same of one report, while S3 answered late.
    """

    shards: int
    files: int
    digest: str
    requests: int = 0
    seconds: float = 0
    slow_seconds: float = 0


def main() -> None:
    """Make the reports; print what they took, and what they were to take."""
    runs = [_run(cut) for cut in _CUTS]
    assert len({run.digest for run in runs}) == 1
    first, last = runs[0], runs[-1]
    call = (last.seconds - first.seconds) / (last.shards - first.shards)
    files = first.seconds - call * first.shards
    print(f"a call takes {call * 1000:.0f} ms, all files take {files:.1f} s")
    print("| shards | S3 requests | predicted | s | predicted | s, S3 slow | predicted |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for run in runs:
        asked = run.files + OWN_REQUESTS * run.shards
        waits = run.shards * waiting_seconds(run.files // run.shards, _LATE_SECONDS)
        print(
            f"| {run.shards} | {run.requests:,} | {asked:,} | {run.seconds:.1f}"
            f" | {files + call * run.shards:.1f} | {run.slow_seconds:.1f}"
            f" | {run.seconds + waits:.1f} |"
        )


def _run(cut: int) -> Run:
    """Make reports in so many shards, if there are as many buckets with stores."""
    parameters = {
        "BucketCount": str(_BUCKETS),
        "ShardPolls": str(-(-_COST // cut) if cut < _BUCKETS else 1),
        "MapConcurrency": "1",
    }
    with LocalCloud(parameter_overrides=parameters) as cloud:
        upload_all(find_inputs(cached_sample(_DATA, shape=DENSE)), cloud)
        _report(cloud)  # starts cold
        reports = [_report(cloud) for _ in range(_RUNS)]
        cloud.inject(Fault(Kind.SLOW, "local-ComputeShardFunction-* s3:*", seconds=_LATE_SECONDS))
        slow_report = _report(cloud)
        return replace(
            slow_report,
            requests=len(cloud.injected_faults()),
            seconds=statistics.median(report.seconds for report in reports),
            slow_seconds=slow_report.seconds,
        )


def _report(cloud: LocalCloud) -> Run:
    """Make a report; what its shards took is what their functions' logs say."""
    before = _durations(cloud)
    client = ApiClient(cloud.api_url)
    report_id = client.trigger()
    report = client.wait(report_id)
    digest = hashlib.sha256(requests.get(report["url"], timeout=30).content).hexdigest()
    plan = json.load(
        cloud.client("s3").get_object(
            Bucket=cloud.outputs["DataBucketName"], Key=f"reports/{report_id}/plan.json"
        )["Body"]
    )
    files = sum(len(shard["stores_files"]) + len(shard["polls_files"]) for shard in plan["shards"])
    after = _durations(cloud)
    assert len(after) - len(before) == len(plan["shards"])
    return Run(len(plan["shards"]), files, digest, seconds=sum(after) - sum(before))


def _durations(cloud: LocalCloud) -> list[float]:
    log = cloud.logs("ComputeShardFunction")
    return [float(duration) / 1000 for duration in _REPORT_LINE.findall(log)]


if __name__ == "__main__":
    main()
