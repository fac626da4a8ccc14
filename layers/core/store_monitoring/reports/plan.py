"""The plan of a report: its snapshot, cut into shards."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

from store_monitoring.domain.poll_filter import PollFilter
from store_monitoring.reports.report import Format
from store_monitoring.storage.keys import plan_key
from store_monitoring.storage.ports import (
    PollsFile,
    StoresFile,
    Tables,
    from_stored_names,
    to_stored_names,
)


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
        polls_of: dict[int, list[PollsFile]] = defaultdict(list)
        for file in self.polls_files:
            polls_of[file.bucket].append(file)
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
    max_timestamp_us : int or None
        Greatest poll timestamp of the snapshot.
    memory_us : int
        For how long before that a poll is evidence (rule 9).
    poll_filter : PollFilter
    formats : tuple of Format
    follows_stores : bool
        Whether the changes of stores are told from it.
    shards : tuple of Shard
    unknown_store_ids : tuple of str
        Requested stores that are in no shard, for no input knows them.
    """

    report_id: str
    version: int
    now_us: int
    max_timestamp_us: int | None
    memory_us: int
    poll_filter: PollFilter
    formats: tuple[Format, ...]
    follows_stores: bool
    shards: tuple[Shard, ...]
    unknown_store_ids: tuple[str, ...] = ()

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
        return asdict(self, dict_factory=to_stored_names)

    @classmethod
    def from_json(cls, document: Any) -> Self:
        """Read a plan from its object, decoded."""
        plan = from_stored_names(document)
        shards = tuple(
            Shard(
                shard["shard"],
                shard["stores"],
                tuple(StoresFile(**file) for file in shard["stores_files"]),
                tuple(PollsFile.from_json(file) for file in shard["polls_files"]),
                None if shard["store_ids"] is None else tuple(shard["store_ids"]),
            )
            for shard in plan.pop("shards")
        )
        poll_filter = PollFilter(plan.pop("poll_filter"))
        formats = tuple(Format(name) for name in plan.pop("formats"))
        unknown = tuple(plan.pop("unknown_store_ids", ()))  # earlier plans do not have it
        return cls(
            **plan,
            poll_filter=poll_filter,
            formats=formats,
            shards=shards,
            unknown_store_ids=unknown,
        )


def read_plan(report_id: str, tables: Tables) -> Plan:
    """Return a report's plan, once it is written."""
    return Plan.from_json(json.loads(tables.read_bytes(plan_key(report_id))))
