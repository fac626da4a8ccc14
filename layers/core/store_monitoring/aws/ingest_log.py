"""The ingest log in DynamoDB.

Key `log`, `entry`:

- ``head``, ``head``: the current snapshot: its version, the stores file of each bucket and the
  greatest poll timestamp. Names of attributes are stored once; each stores file has a bit mask of
  its own, in hexadecimal.
- a kind, an ingest id: one committed ingest, with the version that committed it.
- a kind, a slash and an ingest id: a partition for the items that are kept for good.
  ``commit`` and a version: the stores files that this commit replaced. ``replaced``: the ingest was
  compacted, and its entry and files are deleted; if its file is uploaded again, it is skipped.
- ``taken_back/`` and a kind, an ingest id: its commits that were taken back.
- ``replaced``, the id of a compaction: the ingests that it replaced. The compaction also has an
  entry of polls, like an ingest, with the mark ``is_compaction``. From its version on, the replaced
  entries do not count.

A commit writes its entry and the head in one transaction, conditional on the head's version. So a
version names a snapshot: all entries up to it, and none of later ones. The same transaction records
the outcome of the upload, in the format of `upload_table`.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

import boto3
from botocore.config import Config

from store_monitoring.aws.clients import transient_errors
from store_monitoring.aws.dynamodb_items import from_item, item_bytes, to_item
from store_monitoring.aws.upload_table import DynamoDbUploads
from store_monitoring.errors import (
    BucketCountChangedError,
    CommitConflictError,
    OutcomeRecordedError,
    TransientError,
)
from store_monitoring.ingest.outcomes import UploadOutcome
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.ingest.ports import (
    Commit,
    Committed,
    Compacted,
    ManifestEntry,
    Replacement,
    Reversal,
    Snapshot,
    StoresChange,
)
from store_monitoring.storage.keys import polls_key
from store_monitoring.storage.ports import PollsFile, StoresFile, WrittenPolls

_HEAD_KEY = {"log": "head", "entry": "head"}
_BY_GREATEST_TIMESTAMP = "by_greatest_timestamp"
_REPLACED = "replaced"


class DynamoDbIngestLog:
    """The ingest log in one DynamoDB table.

    Parameters
    ----------
    table : str
    bucket_count : int
        Must be the number that the first ingest was made with.
    config : Config or None
        Timeouts and retries of the client; None for those of boto3.
    uploads : DynamoDbUploads or None
        Where commits record the outcome of an upload; only ingests need it.
    """

    def __init__(
        self,
        table: str,
        bucket_count: int,
        config: Config | None = None,
        uploads: DynamoDbUploads | None = None,
    ) -> None:
        self._table = table
        self._uploads = uploads
        self._bucket_count = bucket_count
        self._client = boto3.client("dynamodb", config=config)

    def snapshot(self) -> Snapshot:
        """Return the current snapshot, with a strongly consistent read."""
        item = self._get(_HEAD_KEY)
        if item is None:
            return Snapshot(version=0, stores={}, max_timestamp_us=None)
        if item["bucket_count"] != self._bucket_count:
            raise BucketCountChangedError(
                f"data are stored in {item['bucket_count']} buckets, not {self._bucket_count}"
            )
        names = item.get("attributes", ())  # older heads have none
        files = [_stores_file(bucket, file, names) for bucket, file in item["stores"].items()]
        return Snapshot(
            version=item["version"],
            stores={file.bucket: file for file in files},
            max_timestamp_us=item.get("greatest_us"),
        )

    def committed(self, kind: str, ingest_id: str) -> Committed | None:
        """Return what is recorded about an ingest; None if not committed, or taken back."""
        item = self._get({"log": kind, "entry": ingest_id})
        if item is None:
            item = self._get({"log": f"{kind}/{ingest_id}", "entry": _REPLACED})
        if item is None or "taken_back_in" in item:
            return None
        return Committed(item.get("left_out_from_us"), item.get("is_compaction", False))

    def commit(
        self,
        snapshot: Snapshot,
        new_stores: Sequence[StoresFile],
        commit: Commit,
        outcome: UploadOutcome | None = None,
    ) -> None:
        """Commit an ingest on top of the snapshot that it read, in one transaction."""
        known_us = [
            snapshot.max_timestamp_us,
            *(file.max_timestamp_us for file in commit.polls_files),
        ]
        new_snapshot = Snapshot(
            version=snapshot.version + 1,
            stores=snapshot.stores | {file.bucket: file for file in new_stores},
            max_timestamp_us=max((us for us in known_us if us is not None), default=None),
        )
        writes = [self._put(_entry(commit, new_snapshot.version))]
        if new_stores:
            writes.append(self._put(_stores_before(snapshot, new_stores, commit)))
        if outcome is not None:
            assert self._uploads is not None
            writes = [*self._uploads.write_requests(outcome), *writes]
        self._transact(snapshot, new_snapshot, writes, records_outcome=outcome is not None)

    def replace(self, snapshot: Snapshot, ingest_ids: Sequence[str], compaction: Commit) -> None:
        """Commit a compaction on top of the snapshot that it read, in one transaction."""
        new_snapshot = replace(snapshot, version=snapshot.version + 1)
        self._transact(
            snapshot, new_snapshot, self._replacing(ingest_ids, compaction, new_snapshot.version)
        )

    def _replacing(
        self, ingest_ids: Sequence[str], compaction: Commit, version: int
    ) -> list[dict[str, Any]]:
        """Return the writes that replace several ingests by a compaction."""
        replaced = {
            "log": "replaced",
            "entry": compaction.ingest_id,
            "replaced_at": compaction.committed_at.isoformat(),
            "ingest_ids": list(ingest_ids),
        }
        mark: list[Any] = [
            {
                "Update": {
                    "TableName": self._table,
                    "Key": to_item({"log": Kind.POLLS.value, "entry": ingest_id}),
                    "ConditionExpression": "attribute_not_exists(replaced_in)",
                    "UpdateExpression": "SET replaced_in = :version, replaced_by = :by",
                    "ExpressionAttributeValues": to_item(
                        {":version": version, ":by": compaction.ingest_id}
                    ),
                }
            }
            for ingest_id in ingest_ids
        ]
        entry = {**_entry(compaction, version), "is_compaction": True}
        return [self._put(entry), self._put(replaced), *mark]

    def take_back(
        self, snapshot: Snapshot, new_stores: Sequence[StoresFile], reversal: Reversal
    ) -> None:
        """Take back an ingest on top of the snapshot that was read, in one transaction."""
        version = snapshot.version + 1
        max_timestamp_us = snapshot.max_timestamp_us
        mark: dict[str, Any] = {
            "TableName": self._table,
            "Key": to_item({"log": reversal.kind, "entry": reversal.ingest_id}),
            "ConditionExpression": (
                "attribute_exists(entry) AND attribute_not_exists(taken_back_in)"
            ),
            "UpdateExpression": "SET taken_back_in = :version",
            "ExpressionAttributeValues": to_item({":version": version}),
        }
        writes: list[dict[str, Any]] = [{"Update": mark}]
        if reversal.kind == Kind.POLLS:
            mark["UpdateExpression"] += ", replaced_in = if_not_exists(replaced_in, :version)"
            max_timestamp_us = self._max_timestamp_us(
                {reversal.ingest_id, *reversal.stale_ids},
                reversal.compaction.polls_files if reversal.compaction else (),
            )
        if reversal.compaction is not None:
            *nested, current = reversal.stale_ids
            writes += self._replacing([current], reversal.compaction, version)
            writes[-1]["Update"]["UpdateExpression"] += ", is_stale = :version"
            writes += [
                {
                    "Update": {
                        "TableName": self._table,
                        "Key": to_item({"log": Kind.POLLS.value, "entry": each}),
                        "UpdateExpression": "SET is_stale = :version",
                        "ExpressionAttributeValues": to_item({":version": version}),
                    }
                }
                for each in nested
            ]
        commits = [item["entry"] for item in self._commits_of(reversal.kind, reversal.ingest_id)]
        if commits:
            taken_back = {
                "log": f"taken_back/{reversal.kind}",
                "entry": reversal.ingest_id,
                "commits": commits,
            }
            writes.append(self._put(taken_back))
        stores = snapshot.stores | {file.bucket: file for file in new_stores}
        self._transact(snapshot, Snapshot(version, stores, max_timestamp_us), writes)

    def _max_timestamp_us(self, removed: Container[str], files: Iterable[PollsFile]) -> int | None:
        """Return the greatest poll timestamp after `files` have replaced the `removed` ingests."""
        known_us = [file.max_timestamp_us for file in files]
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=_BY_GREATEST_TIMESTAMP,
            ConsistentRead=True,
            ScanIndexForward=False,
            KeyConditionExpression="#log = :polls",
            FilterExpression="attribute_not_exists(replaced_in)",
            ProjectionExpression="entry, greatest_us",
            ExpressionAttributeNames={"#log": "log"},
            ExpressionAttributeValues=to_item({":polls": Kind.POLLS.value}),
        )
        with transient_errors("read the ingest log"):
            items = (from_item(item) for page in pages for item in page["Items"])
            known_us += [
                item["greatest_us"]
                for item in islice((item for item in items if item["entry"] not in removed), 1)
            ]
        return max(known_us, default=None)

    def is_current(self, ingest_id: str, key: str) -> bool | None:
        """Return whether a polls file is current; False if replaced, None if not in the log."""
        entry = self._get({"log": Kind.POLLS.value, "entry": ingest_id})
        if entry is None or all(file.key != key for file in _files(entry)):
            return None
        return "replaced_in" not in entry

    def rewrite(
        self,
        snapshot: Snapshot,
        ingest_id: str,
        key: str,
        written: WrittenPolls | None,
        deleted: Counter[int],
    ) -> None:
        """Replace a polls file by another one, or remove it, in one transaction."""
        entry = self._get({"log": Kind.POLLS.value, "entry": ingest_id})
        if entry is None or all(file.key != key for file in _files(entry)):
            raise CommitConflictError(f"{key} is no longer in the log")
        files = [file for file in _files(entry) if file.key != key]
        if written is not None:
            files.append(written.file)
        by_week = _by_week(entry) - deleted
        entry |= {
            "rows": sum(file.rows for file in files),
            "rows_by_week": {str(week_us): rows for week_us, rows in by_week.items()},
            **_files_item(ingest_id, files),
        }
        max_timestamp_us = snapshot.max_timestamp_us
        if "replaced_in" not in entry:
            max_timestamp_us = self._max_timestamp_us({ingest_id}, files)
        after = Snapshot(snapshot.version + 1, snapshot.stores, max_timestamp_us)
        self._transact(snapshot, after, [self._put(entry)])

    def replace_stores(self, snapshot: Snapshot, new_stores: Sequence[StoresFile]) -> None:
        """Replace the current stores files of some buckets."""
        stores = snapshot.stores | {file.bucket: file for file in new_stores}
        self._transact(snapshot, replace(snapshot, version=snapshot.version + 1, stores=stores), [])

    def has_entry(self, kind: str, ingest_id: str) -> bool:
        """Return whether the log still has the entry of an ingest, replaced or not."""
        return self._get({"log": kind, "entry": ingest_id}) is not None

    def replaced_by(self, ingest_id: str) -> str | None:
        """Return the id of the compaction that replaced an ingest, or None."""
        entry = self._get({"log": Kind.POLLS.value, "entry": ingest_id})
        if entry is None or "replaced_in" not in entry:
            return None
        if "replaced_by" in entry:
            found: str = entry["replaced_by"]
            return found
        items = self._query(  # older entries do not name their compaction
            KeyConditionExpression="#log = :replaced",
            FilterExpression="contains(ingest_ids, :ingest_id)",
            ExpressionAttributeValues=to_item({":replaced": "replaced", ":ingest_id": ingest_id}),
        )
        return items[0]["entry"] if items else None

    def compacted(self, compaction_id: str) -> Compacted | None:
        """Return what a compaction replaced; None if some of it is deleted."""
        item = self._get({"log": "replaced", "entry": compaction_id})
        if item is None:
            return None
        if not all(self.has_entry(Kind.POLLS, each) for each in item["ingest_ids"]):
            return None
        entries = [
            entry
            for entry in self._replaced_by(compaction_id, item["ingest_ids"])
            if "taken_back_in" not in entry
        ]
        stale_ids = frozenset(entry["entry"] for entry in entries if "is_stale" in entry)
        return Compacted(tuple(_manifest_entry(entry) for entry in entries), stale_ids)

    def stores_changes(self, kind: str, ingest_id: str) -> list[StoresChange]:
        """Return the stores files that each commit of an ingest replaced."""
        return [_stores_change(item) for item in self._commits_of(kind, ingest_id)]

    def taken_back_changes(self, kind: str) -> list[StoresChange]:
        """Return the stores files that commits of a kind replaced that were later taken back."""
        items = self._query(
            KeyConditionExpression="#log = :taken_back",
            ExpressionAttributeValues=to_item({":taken_back": f"taken_back/{kind}"}),
        )
        return [
            _stores_change(commit)
            for item in items
            for commit in self._commits_of(kind, item["entry"])
            if commit["entry"] in item["commits"]
        ]

    def _commits_of(self, kind: str, ingest_id: str) -> list[dict[str, Any]]:
        return self._query(
            KeyConditionExpression="#log = :ingest AND begins_with(entry, :commit)",
            ExpressionAttributeValues=to_item(
                {":ingest": f"{kind}/{ingest_id}", ":commit": "commit "}
            ),
        )

    def replaced_before(self, when: datetime) -> list[Replacement]:
        """Return the replacements made before an instant and not yet deleted, oldest first."""
        items = self._query(
            KeyConditionExpression="#log = :replaced",
            FilterExpression="replaced_at < :when",
            ExpressionAttributeValues=to_item({":replaced": "replaced", ":when": when.isoformat()}),
        )
        return [
            Replacement(
                item["entry"],
                tuple(
                    file.key
                    for entry in self._replaced_by(item["entry"], item["ingest_ids"])
                    for file in _files(entry)
                ),
            )
            for item in sorted(items, key=lambda item: item["replaced_at"])
        ]

    def _replaced_by(self, compaction_id: str, ingest_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the entries that a compaction replaced and that are still in the log.

        An ingest that was taken back and committed again has the same key, but is not replaced.
        """
        entries = [self._get({"log": Kind.POLLS.value, "entry": id_}) for id_ in ingest_ids]
        return [
            entry
            for entry in entries
            if entry is not None
            and "replaced_in" in entry
            and entry.get("replaced_by", compaction_id) == compaction_id
        ]

    def delete_replacement(self, replacement: Replacement) -> None:
        """Delete the record of a replacement and the replaced entries; their files are gone.

        This bounds the partition of polls: with its index it can have at most 10 GB. A small item
        of each ingest stays, in a partition of its own.
        """
        key = {"log": "replaced", "entry": replacement.compaction_id}
        item = self._get(key)
        if item is None:
            return
        entries = self._replaced_by(replacement.compaction_id, item["ingest_ids"])
        with transient_errors("delete replaced entries"):
            for entry in entries:
                if "taken_back_in" not in entry:
                    self._client.put_item(
                        TableName=self._table, Item=to_item(_replaced_item(entry))
                    )
                self._client.delete_item(
                    TableName=self._table,
                    Key=to_item({"log": entry["log"], "entry": entry["entry"]}),
                )
            self._client.delete_item(TableName=self._table, Key=to_item(key))

    def _put(self, item: dict[str, Any]) -> Any:
        return {"Put": {"TableName": self._table, "Item": to_item(item)}}

    def _transact(
        self,
        snapshot: Snapshot,
        new_snapshot: Snapshot,
        writes: Sequence[Any],
        *,
        records_outcome: bool = False,
    ) -> None:
        put_head = self._put(self._head_item(new_snapshot))
        put_head["Put"] |= {
            "ConditionExpression": "attribute_not_exists(version) OR version = :version",
            "ExpressionAttributeValues": to_item({":version": snapshot.version}),
        }
        try:
            with transient_errors("commit to the ingest log"):
                self._client.transact_write_items(TransactItems=[put_head, *writes])
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = error.response["CancellationReasons"]
            # The first write is that of the head.
            if records_outcome and reasons[1]["Code"] == "ConditionalCheckFailed":
                raise OutcomeRecordedError(
                    "the outcome of the upload is already recorded"
                ) from error
            if _is_conflict(reasons):
                raise CommitConflictError(f"version {snapshot.version} is not current") from error
            raise TransientError.cannot("commit to the ingest log") from error

    def polls(self, version: int, min_timestamp_us: int, max_timestamp_us: int) -> list[PollsFile]:
        """Return the files that have polls in a range of timestamps, as of a version."""
        return [
            file
            for ingest in self.manifest(version, min_timestamp_us, max_timestamp_us)
            for file in ingest.files_within(min_timestamp_us, max_timestamp_us)
        ]

    def manifest(
        self, version: int, min_timestamp_us: int, max_timestamp_us: int
    ) -> list[ManifestEntry]:
        """Return the ingests that have polls in a range of timestamps, as of a version."""
        items = self._query(
            IndexName=_BY_GREATEST_TIMESTAMP,
            KeyConditionExpression="#log = :polls AND greatest_us >= :since_us",
            FilterExpression=(
                "least_us <= :until_us AND version <= :version"
                " AND (attribute_not_exists(replaced_in) OR replaced_in > :version)"
            ),
            ExpressionAttributeValues=to_item(
                {
                    ":polls": Kind.POLLS.value,
                    ":since_us": min_timestamp_us,
                    ":until_us": max_timestamp_us,
                    ":version": version,
                }
            ),
        )
        return [_manifest_entry(item) for item in items]

    def _head_item(self, snapshot: Snapshot) -> dict[str, Any]:
        names = sorted(snapshot.attributes)
        return _HEAD_KEY | {
            "version": snapshot.version,
            "bucket_count": self._bucket_count,
            "attributes": names or None,
            "stores": {
                str(bucket): _stores_item(file, names) for bucket, file in snapshot.stores.items()
            },
            "greatest_us": snapshot.max_timestamp_us,
        }

    def _query(self, **query: Any) -> list[dict[str, Any]]:
        """Return the entries that a query finds, with a strongly consistent read.

        The query refers to the attribute `log`, a reserved word, as `#log`.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            ExpressionAttributeNames={"#log": "log"},
            **query,
        )
        with transient_errors("read the ingest log"):
            return [from_item(item) for page in pages for item in page["Items"]]

    def _get(self, key: dict[str, str]) -> dict[str, Any] | None:
        with transient_errors("read the ingest log"):
            response = self._client.get_item(
                TableName=self._table, Key=to_item(key), ConsistentRead=True
            )
        return from_item(response["Item"]) if "Item" in response else None


def _entry(commit: Commit, version: int) -> dict[str, Any]:
    """Return the entry of a commit."""
    return {
        "log": commit.kind,
        "entry": commit.ingest_id,
        "version": version,
        "rows": commit.rows,
        "rejected": commit.rejected,
        "committed_at": commit.committed_at.isoformat(),
        "left_out_from_us": commit.left_out_from_us,
        **_files_item(commit.ingest_id, commit.polls_files),
        "rows_by_week": {str(week_us): rows for week_us, rows in commit.rows_by_week.items()},
    }


def _stores_before(
    snapshot: Snapshot, new_stores: Sequence[StoresFile], commit: Commit
) -> dict[str, Any]:
    """Return the stores files that a commit replaces; null where a bucket had none."""
    before = {file.bucket: snapshot.stores.get(file.bucket) for file in new_stores}
    return {
        "log": f"{commit.kind}/{commit.ingest_id}",
        "entry": f"commit {snapshot.version + 1:012d}",
        "uploaded_at": commit.uploaded_at.isoformat() if commit.uploaded_at else None,
        "stores_before": {
            str(bucket): _stores_item(file) if file else None for bucket, file in before.items()
        },
    }


def _stores_change(item: dict[str, Any]) -> StoresChange:
    uploaded_at = item.get("uploaded_at")
    return StoresChange(
        int(item["entry"].removeprefix("commit ")),
        None if uploaded_at is None else datetime.fromisoformat(uploaded_at),
        {
            int(bucket): _stores_file(bucket, file) if file else None
            for bucket, file in item["stores_before"].items()
        },
    )


def _stores_item(file: StoresFile, names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the item of a stores file, which has some of the named attributes."""
    item = {"key": file.key, "stores": file.stores, "bytes": file.bytes}
    mask = sum(1 << bit for bit, name in enumerate(names) if name in file.attributes)
    return item | {"attributes": f"{mask:x}"} if mask else item


def _stores_file(bucket: str, item: Mapping[str, Any], names: Sequence[str] = ()) -> StoresFile:
    mask = int(item.get("attributes", "0"), 16)
    attributes = tuple(name for bit, name in enumerate(names) if mask >> bit & 1)
    return StoresFile(int(bucket), item["key"], item["stores"], item["bytes"], attributes)


def _replaced_item(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the item that is kept when the entry of a replaced ingest is deleted."""
    return {
        "log": f"{entry['log']}/{entry['entry']}",
        "entry": _REPLACED,
        "left_out_from_us": entry.get("left_out_from_us"),
    }


def _manifest_entry(entry: dict[str, Any]) -> ManifestEntry:
    return ManifestEntry(
        entry["entry"], entry["rows"], _files(entry), _by_week(entry), item_bytes(entry)
    )


def _files(entry: dict[str, Any]) -> tuple[PollsFile, ...]:
    return tuple(
        PollsFile.from_json({"key": polls_key(file["bucket"], entry["entry"]), **file})
        for file in entry["files"]
    )


def _by_week(entry: dict[str, Any]) -> Counter[int]:
    # Older entries have no counts by week.
    return Counter({int(week_us): rows for week_us, rows in entry.get("rows_by_week", {}).items()})


def _is_conflict(reasons: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a concurrent commit cancelled the transaction."""
    codes = {reason["Code"] for reason in reasons}
    return bool(codes & {"ConditionalCheckFailed", "TransactionConflict"})


def _files_item(ingest_id: str, files: Sequence[PollsFile]) -> dict[str, Any]:
    """Return the attributes of an entry that describe its files."""
    return {
        "greatest_us": max((file.max_timestamp_us for file in files), default=None),
        "least_us": min((file.min_timestamp_us for file in files), default=None),
        "files": [_file_item(ingest_id, file) for file in files],
    }


def _file_item(ingest_id: str, file: PollsFile) -> dict[str, Any]:
    """Return a file's item, without its key if the bucket and the ingest id determine it."""
    item = file.to_json()
    if file.key == polls_key(file.bucket, ingest_id):
        del item["key"]
    return item
