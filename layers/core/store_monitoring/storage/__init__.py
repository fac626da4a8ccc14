"""How data lies in the data bucket: keys, buckets of stores, Parquet schemas."""
