"""Plan a report: fix its snapshot and cut it into shards."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from store_monitoring.domain.poll_filter import PollFilter
from store_monitoring.errors import NoPolls, UnknownStore
from store_monitoring.storage.bucketing import bucket_of
from store_monitoring.storage.keys import plan_key, request_key, shards_key
from store_monitoring.use_cases.ports import (
    Head,
    IngestLog,
    PollsFile,
    ReportFiles,
    StoresFile,
    Tables,
)
from store_monitoring.use_cases.report import Format, ReportRequest

_STORE_WEIGHT = 10  # a store without polls costs about as much as this many polls


@dataclass(frozen=True, slots=True)
class Shard:
    """The buckets that one compute_shard call computes.

    Attributes
    ----------
    shard : int
        Its number, from 0.
    stores : int
        Number of its rows.
    stores_files, polls_files : tuples of files
        What it reads.
    store_ids : tuple of str or None
        The stores that it is about; None: all in its files.
    """

    shard: int
    stores: int
    stores_files: tuple[StoresFile, ...]
    polls_files: tuple[PollsFile, ...]
    store_ids: tuple[str, ...] | None

    def batches(self, polls: int) -> Iterator[tuple[list[StoresFile], list[PollsFile]]]:
        """Yield the files of some buckets after the others, of about as many polls at a time."""
        polls_of = _by_bucket(self.polls_files)
        batch: tuple[list[StoresFile], list[PollsFile]] = [], []
        for stores_file in self.stores_files:
            batch[0].append(stores_file)
            batch[1].extend(polls_of[stores_file.bucket])
            if sum(file.rows for file in batch[1]) >= polls:
                yield batch
                batch = [], []
        if batch[0]:
            yield batch


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
    greatest_us : int or None
        Greatest poll timestamp of the snapshot.
    memory_us : int
        For how long before that a poll is evidence (rule 9).
    poll_filter : PollFilter
    formats : tuple of Format
    follows_stores : bool
        Whether the changes of stores are told from it.
    shards : tuple of Shard
    """

    report_id: str
    version: int
    now_us: int
    greatest_us: int | None
    memory_us: int
    poll_filter: PollFilter
    formats: tuple[Format, ...]
    follows_stores: bool
    shards: tuple[Shard, ...]

    @property
    def in_detail(self) -> bool:
        """Whether its parts tell more than the CSV does."""
        return self.follows_stores or self.formats != (Format.CSV,)

    @property
    def of_all_stores(self) -> bool:
        """Whether it is about all stores that are known."""
        return all(shard.store_ids is None for shard in self.shards)

    @property
    def stores(self) -> int:
        """Number of the report's rows."""
        return sum(shard.stores for shard in self.shards)

    def asks_for(self, store_id: str) -> bool:
        """Tell whether the report is of all stores, or of this one and perhaps others."""
        return self.of_all_stores or any(
            store_id in (shard.store_ids or ()) for shard in self.shards
        )

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Any) -> Self:
        """Read a plan from its object, decoded."""
        plan = dict(document)
        shards = tuple(
            Shard(
                shard["shard"],
                shard["stores"],
                tuple(StoresFile(**file) for file in shard["stores_files"]),
                tuple(PollsFile(**file) for file in shard["polls_files"]),
                None if shard["store_ids"] is None else tuple(shard["store_ids"]),
            )
            for shard in plan.pop("shards")
        )
        poll_filter = PollFilter(plan.pop("poll_filter"))
        formats = tuple(Format(name) for name in plan.pop("formats"))
        return cls(**plan, poll_filter=poll_filter, formats=formats, shards=shards)


def read_plan(report_id: str, tables: Tables) -> Plan:
    """Return a report's plan, once it is written."""
    return Plan.from_json(json.loads(tables.read_bytes(plan_key(report_id))))


def plan_report(
    report_id: str,
    memory_us: int,
    shard_polls: int,
    bucket_count: int,
    log: IngestLog,
    files: ReportFiles,
    *,
    follow_stores: bool,
) -> Plan:
    """Plan a report from what is committed now, and write the plan.

    A report has one plan for ever: whatever was computed was computed from that one. Should it be
    planned again, by a second attempt or a second call, the first plan is what is returned.

    Parameters
    ----------
    report_id : str
    memory_us : int
        For how long a poll is evidence (rule 9).
    shard_polls : int
        About how many polls a shard is to have.
    bucket_count : int
    log, files : ports
    follow_stores : bool
        Whether changes of stores are told.

    Raises
    ------
    NoPolls
        If no polls were ingested and the request names no `as_of`.
    UnknownStore
        If a requested store lies in a bucket that has none.
    """
    request = ReportRequest.from_json(files.read_json(request_key(report_id)))
    head = log.head()
    now_us = request.as_of_us if request.as_of_us is not None else head.greatest_us
    if now_us is None:
        raise NoPolls("no polls have been ingested yet: upload a polls file first")
    polls = log.polls(head.version, now_us - memory_us, now_us)
    requested = _ids_by_bucket(request.store_ids, bucket_count)
    buckets = list(head.stores.values()) if requested is None else _holding(requested, head)
    shards = tuple(_shards(buckets, requested, polls, now_us - memory_us, shard_polls))
    plan = Plan(
        report_id,
        head.version,
        now_us,
        head.greatest_us,
        memory_us,
        request.poll_filter,
        request.formats,
        follow_stores and request.is_on_all_stores_now,
        shards,
    )
    if not files.create_json(plan_key(report_id), plan.to_json()):
        plan = Plan.from_json(files.read_json(plan_key(report_id)))
    files.write_json(shards_key(report_id), [{"shard": shard.shard} for shard in plan.shards])
    return plan


def _by_bucket(polls: Iterable[PollsFile]) -> dict[int, list[PollsFile]]:
    by_bucket: dict[int, list[PollsFile]] = defaultdict(list)
    for file in polls:
        by_bucket[file.bucket].append(file)
    return by_bucket


def _ids_by_bucket(
    store_ids: tuple[str, ...] | None, bucket_count: int
) -> dict[int, list[str]] | None:
    if store_ids is None:
        return None
    by_bucket: dict[int, list[str]] = defaultdict(list)
    for store_id in store_ids:
        by_bucket[bucket_of(store_id, bucket_count)].append(store_id)
    return by_bucket


def _holding(requested: dict[int, list[str]], head: Head) -> list[StoresFile]:
    """Return the files that requested stores must be in."""
    for bucket, store_ids in requested.items():
        if bucket not in head.stores:
            raise UnknownStore(f"no input knows the store {store_ids[0]!r}")
    return [head.stores[bucket] for bucket in requested]


def _shards(
    stores: Sequence[StoresFile],
    requested: dict[int, list[str]] | None,
    polls: Sequence[PollsFile],
    since_us: int,
    shard_polls: int,
) -> Iterator[Shard]:
    """Group buckets, in their order, into shards of about `shard_polls` polls."""
    polls_of = _by_bucket(sorted(polls, key=lambda file: file.key))
    groups: list[list[StoresFile]] = []
    weight = 0.0
    for stores_file in sorted(stores, key=lambda file: file.bucket):
        bucket_polls = sum(_polls_since(file, since_us) for file in polls_of[stores_file.bucket])
        bucket_weight = bucket_polls + _STORE_WEIGHT * stores_file.stores
        if not groups or weight + bucket_weight > shard_polls:
            groups.append([])
            weight = 0.0
        groups[-1].append(stores_file)
        weight += bucket_weight

    for number, group in enumerate(groups):
        wanted = None
        if requested is not None:
            wanted = tuple(store_id for file in group for store_id in requested[file.bucket])
        yield Shard(
            number,
            stores=sum(file.stores for file in group) if wanted is None else len(wanted),
            stores_files=tuple(group),
            polls_files=tuple(polls for file in group for polls in polls_of[file.bucket]),
            store_ids=wanted,
        )


def _polls_since(file: PollsFile, since_us: int) -> float:
    """Estimate how many polls of a file are not older than an instant."""
    span_us = file.greatest_us - file.least_us + 1
    return file.rows * min(1.0, (file.greatest_us + 1 - since_us) / span_us)
