"""Measure our report against DuckDB's, Polars' and a pandas loop's: `make bench-peers`.

From Parquet files to exact totals of all stores, business time included, on one core. All results
must be equal, to the microsecond.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

import pyarrow as pa

from bench.data_set import BUCKETS, MEMORY_US, make_data_set, recompute_shard
from bench.measuring import cpu_seconds, medians, use_one_core
from bench.peers import classic, duckdb_peer, pandas_loop, polars_peer
from store_monitoring.storage.keys import part_key

_REPORT_ID = "r"


def main() -> None:
    """Print medians and ratios."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--scale", type=float, default=1, help="1: 1.85 million polls")
    arguments.add_argument("--buckets", type=int, default=BUCKETS)
    arguments.add_argument("--runs", type=int, default=7)
    arguments.add_argument("--loop", action="store_true", help="the pandas loop too, once")
    chosen = arguments.parse_args()
    use_one_core()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data_set = make_data_set(folder, chosen.scale, chosen.buckets)
        plan = data_set.plan(_REPORT_ID)
        print(f"{data_set.polls:,} polls in {chosen.buckets} buckets")
        ours = partial(recompute_shard, _REPORT_ID, 0, data_set.tables)
        peers = {
            peer.__name__: partial(peer.compute_uptime, folder, plan.now_us, MEMORY_US)
            for peer in (duckdb_peer, polars_peer, pandas_loop)
        }
        loop = peers.pop(pandas_loop.__name__)
        ours()
        part = classic(pa.concat_tables(data_set.tables.read_part(part_key(_REPORT_ID, 0))))
        for name, peer in peers.items():
            assert peer().cast(part.schema).equals(part), f"{name} has other totals"
        seconds = medians({"ours": ours, **peers}, chosen.runs)
        if chosen.loop:
            assert loop().equals(part), "the pandas loop has other totals"
            seconds[pandas_loop.__name__] = cpu_seconds(loop)
    for name, median in seconds.items():
        print(f"{median:9.3f} s  {median / seconds['ours']:8.2f}  {name}")


if __name__ == "__main__":
    main()
