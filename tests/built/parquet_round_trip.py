"""Run by CPython 3.13 on the built layers: write a frame to Parquet and read it."""

import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def main() -> None:
    """Check that the frame stays equal."""
    frame = pd.read_csv(
        io.StringIO("store_id,at,up\na,2024-10-14 23:55:18.727055,true\nb,2024-03-10,false\n"),
        parse_dates=["at"],
        date_format="ISO8601",
    )
    frame["at"] = frame["at"].dt.tz_localize("UTC")
    parquet = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame), parquet, compression="snappy")
    parquet.seek(0)
    pd.testing.assert_frame_equal(pq.read_table(parquet).to_pandas(), frame)
    pd.testing.assert_frame_equal(pd.read_parquet(parquet), frame)


if __name__ == "__main__":
    main()
