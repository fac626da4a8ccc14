"""Measure what shards cost, and compute a model of reports of any size: `make bench-sizes`."""

from bench.sizes.model import HIGH, LOW, Size, Start, estimate
from bench.sizes.shard_costs import ShardCosts, measure

SAMPLE = Size(4_560, uploads=1)
# 64 buckets do until a bucket has more polls than the memory holds.
SIZES = (
    SAMPLE,
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
        memory_mb = costs.memory_mb(shard.stores / shard.buckets, shard.polls / shard.buckets)
        print(
            f"| {shard.buckets} | {shard.files} | {shard.stores:,} | {shard.polls:,}"
            f" | {shard.cpu_seconds:.3f} | {seconds:.3f}"
            f" | {shard.peak_mb:,.0f} | {memory_mb:,.0f} |"
        )
    print(
        f"\na call {costs.call * 1e3:.1f} ms, a file {costs.file * 1e3:.2f} ms,"
        f" a store {costs.store * 1e6:.1f} µs, a poll {costs.poll * 1e9:.0f} ns;"
        f" {costs.base_mb:.0f} MB, {costs.bucket_store_mb * 1e3:.1f} MB a thousand stores and"
        f" {costs.bucket_poll_mb * 1e6:.0f} MB a million polls of a bucket\n"
    )
    _print_sizes(costs)
    _print_parts(costs)


def _print_sizes(costs: ShardCosts) -> None:
    """Print how long reports take and what they cost, each from low to high."""
    starts = "".join(f" {start} s |" for start in Start) + "".join(
        f" {start} $ |" for start in Start
    )
    print(f"| stores | polls | buckets | files | shards | s a shard | MB | merge s |{starts}")
    print("|---:" * (8 + 2 * len(Start)) + "|")
    for size in SIZES:
        reports = [[estimate(size, costs, aws, start) for aws in (LOW, HIGH)] for start in Start]
        low, high = reports[0]
        print(
            f"| {size.stores:,} | {size.polls:,.0f} | {size.bucket_count} | {size.files:,}"
            f" | {low.shards:,}"
            + (f" | {low.shard_seconds:.1f}-{high.shard_seconds:.1f}" if low.shards > 1 else " | ")
            + f" | {low.shard_mb:,.0f} | {low.merge_seconds:.1f}-{high.merge_seconds:.1f} |"
            + "".join(f" {low.seconds:.1f}-{high.seconds:.1f} |" for low, high in reports)
            + "".join(f" {low.dollars:.4f}-{high.dollars:.4f} |" for low, high in reports)
        )


def _print_parts(costs: ShardCosts) -> None:
    """Print where the time of a report of the sample goes."""
    print("\n| seconds, low-high |" + "".join(f" {start} |" for start in Start))
    print("|---" + "|---:" * len(Start) + "|")
    reports = [[estimate(SAMPLE, costs, aws, start) for aws in (LOW, HIGH)] for start in Start]
    for name in reports[0][0].spent_seconds:
        spent = ((low.spent_seconds[name], high.spent_seconds[name]) for low, high in reports)
        print(f"| {name} |" + "".join(f" {low:.2f}-{high:.2f} |" for low, high in spent))
    print(
        "| **until Complete** |"
        + "".join(f" {a.seconds:.1f}-{b.seconds:.1f} |" for a, b in reports)
    )
    print("| dollars |" + "".join(f" {a.dollars:.5f}-{b.dollars:.5f} |" for a, b in reports))


if __name__ == "__main__":
    main()
