"""Plan a report: fix its snapshot and cut it into shards."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from store_monitoring.domain.poll_filter import PollFilter
from store_monitoring.errors import NoPolls
from store_monitoring.storage.keys import plan_key, shards_key
from store_monitoring.use_cases.ports import IngestLog, PollsFile, ReportFiles, StoresFile
from store_monitoring.use_cases.report import ReportRequest

_STORE_WEIGHT = 10  # a store without polls costs about as much as this many polls


@dataclass(frozen=True, slots=True)
class Shard:
    """The buckets that one compute_shard call computes, and the files it reads."""

    shard: int
    stores: int
    stores_files: tuple[StoresFile, ...]
    polls_files: tuple[PollsFile, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The snapshot that a report reads, shard by shard.

    Attributes
    ----------
    report_id : str
    version : int
        Version of the ingest log that it was planned from.
    now_us : int
        End of all windows.
    memory_us : int
        For how long before that a poll is evidence (rule 9).
    poll_filter : PollFilter
    shards : tuple of Shard
    """

    report_id: str
    version: int
    now_us: int
    memory_us: int
    poll_filter: PollFilter
    shards: tuple[Shard, ...]

    @property
    def stores(self) -> int:
        """Number of the report's rows."""
        return sum(shard.stores for shard in self.shards)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read a plan from its object."""
        plan = json.loads(text)
        shards = tuple(
            Shard(
                shard["shard"],
                shard["stores"],
                tuple(StoresFile(**file) for file in shard["stores_files"]),
                tuple(PollsFile(**file) for file in shard["polls_files"]),
            )
            for shard in plan.pop("shards")
        )
        return cls(**{**plan, "poll_filter": PollFilter(plan["poll_filter"]), "shards": shards})


def plan_report(
    report_id: str,
    request: ReportRequest,
    memory_us: int,
    shard_polls: int,
    log: IngestLog,
    files: ReportFiles,
) -> Plan:
    """Plan a report from what is committed now, and write the plan.

    Parameters
    ----------
    report_id : str
    request : ReportRequest
    memory_us : int
        For how long a poll is evidence (rule 9).
    shard_polls : int
        About how many polls a shard is to have.
    log, files : ports

    Raises
    ------
    NoPolls
        If no polls were ingested and the request names no `as_of`.
    """
    head = log.head()
    now_us = request.as_of_us if request.as_of_us is not None else head.greatest_us
    if now_us is None:
        raise NoPolls("no polls have been ingested yet: upload a polls file first")
    polls = log.polls(head.version, now_us - memory_us, now_us)
    groups = _shards(list(head.stores.values()), polls, now_us - memory_us, shard_polls)
    shards = tuple(Shard(i, *group) for i, group in enumerate(groups))
    plan = Plan(report_id, head.version, now_us, memory_us, request.poll_filter, shards)
    files.write_json(plan_key(report_id), plan.to_json())
    files.write_json(shards_key(report_id), [{"shard": shard.shard} for shard in plan.shards])
    return plan


def _shards(
    stores: Sequence[StoresFile], polls: Sequence[PollsFile], since_us: int, shard_polls: int
) -> Iterator[tuple[int, tuple[StoresFile, ...], tuple[PollsFile, ...]]]:
    """Group buckets, in their order, into shards of about `shard_polls` polls."""
    polls_of: dict[int, list[PollsFile]] = defaultdict(list)
    for file in sorted(polls, key=lambda file: file.key):
        polls_of[file.bucket].append(file)
    group: list[StoresFile] = []
    weight = 0.0
    for stores_file in sorted(stores, key=lambda file: file.bucket):
        bucket_polls = sum(_polls_since(file, since_us) for file in polls_of[stores_file.bucket])
        bucket_weight = bucket_polls + _STORE_WEIGHT * stores_file.stores
        if group and weight + bucket_weight > shard_polls:
            yield _shard(group, polls_of)
            group, weight = [], 0.0
        group.append(stores_file)
        weight += bucket_weight
    if group:
        yield _shard(group, polls_of)


def _shard(
    stores: list[StoresFile], polls_of: dict[int, list[PollsFile]]
) -> tuple[int, tuple[StoresFile, ...], tuple[PollsFile, ...]]:
    polls = tuple(file for stores_file in stores for file in polls_of[stores_file.bucket])
    return sum(file.stores for file in stores), tuple(stores), polls


def _polls_since(file: PollsFile, since_us: int) -> float:
    """Estimate how many polls of a file are not older than an instant."""
    span_us = file.greatest_us - file.least_us + 1
    return file.rows * min(1.0, (file.greatest_us + 1 - since_us) / span_us)
