"""Measure what shards cost, and compute a model of reports of any size: `make bench-sizes`."""

from bench.sizes.model import Size, estimate
from bench.sizes.shard_costs import measure

# 64 buckets do until a bucket has more polls than the memory holds.
SIZES = (
    Size(10_000),
    Size(100_000),
    Size(1_000_000),
    Size(10_000_000, bucket_count=1000, map_concurrency=250),
    Size(100_000_000, bucket_count=1000, map_concurrency=1000, shard_memory_mb=7168),
)


def main() -> None:
    """Print the shards that were measured, the costs fitted to them, and the model's table."""
    shards, costs = measure()
    print("| buckets | files | stores | polls | s | fitted | peak MB | fitted |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for shard in shards:
        seconds = costs.cpu_seconds(shard.files, shard.stores, shard.polls)
        print(
            f"| {shard.buckets} | {shard.files} | {shard.stores:,} | {shard.polls:,}"
            f" | {shard.cpu_seconds:.3f} | {seconds:.3f}"
            f" | {shard.peak_mb:,.0f} | {costs.memory_mb(shard.polls / shard.buckets):,.0f} |"
        )
    print(
        f"\na call {costs.call * 1e3:.1f} ms, a file {costs.file * 1e3:.2f} ms,"
        f" a store {costs.store * 1e6:.1f} µs, a poll {costs.poll * 1e9:.0f} ns;"
        f" {costs.base_mb:.0f} MB and {costs.bucket_poll_mb * 1e6:.0f} MB"
        " a million polls of a bucket\n"
    )
    print("| stores | polls | buckets | files | shards | s a shard | MB | merge s | s | GB-s | $ |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for size in SIZES:
        estimated = estimate(size, costs)
        print(
            f"| {size.stores:,} | {size.polls:,.0f} | {size.bucket_count} | {size.files:,}"
            f" | {estimated.shards:,} | {estimated.shard_seconds:.1f} | {estimated.shard_mb:,.0f}"
            f" | {estimated.merge_seconds:.0f} | {estimated.seconds:.0f}"
            f" | {estimated.gb_seconds:,.0f} | {estimated.dollars:.4f} |"
        )


if __name__ == "__main__":
    main()
