"""Ingest: uploaded CSV files become Parquet, all of a file or nothing."""
