"""Queries of the Iceberg tables, in DuckDB."""

import csv
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

import boto3

from local import LocalError
from local.emulator.settings import ACCESS_KEY, REGION, SECRET_KEY

_EXTENSIONS = ("httpfs", "avro", "iceberg")
_ROWS_AT_ONCE = 10_000


class SqlError(LocalError):
    """A query cannot be run; the message says why."""


def query(
    statement: str, database: str, endpoint: str | None, out: TextIO, *, as_csv: bool
) -> None:
    """Run an SQL statement and write what it returns.

    Parameters
    ----------
    statement : str
        It may name the tables of the database.
    database : str
        The Glue database of the tables.
    endpoint : str or None
        Address of AWS's services in a local cloud; None: AWS, with the usual credentials.
    out : file
    as_csv : bool
        Write all rows as CSV, not DuckDB's table, which abbreviates long results.

    Raises
    ------
    SqlError
        If DuckDB is not installed, the database has no tables, or the statement is not valid.
    """
    try:
        import duckdb
    except ImportError as error:
        raise SqlError("DuckDB is not installed: pip install duckdb") from error
    try:
        found = connect(database, endpoint).sql(statement)
        if found is None:  # a statement without rows, such as SET
            return
        if not as_csv:
            out.write(f"{found}\n")
            return
        rows = found.project("COLUMNS(*)::VARCHAR")  # as DuckDB writes values
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(found.columns)
        while some := rows.fetchmany(_ROWS_AT_ONCE):
            writer.writerows(some)
    except duckdb.Error as error:
        raise SqlError(str(error)) from error


def connect(database: str, endpoint: str | None) -> Any:
    """Return a DuckDB that has a view of each table of a database, in its current version."""
    import duckdb

    session = (
        boto3.Session() if endpoint is None else boto3.Session(ACCESS_KEY, SECRET_KEY, None, REGION)
    )
    found = session.client("glue", endpoint_url=endpoint).get_tables(DatabaseName=database)
    if not found["TableList"]:
        raise SqlError(f"the database {database} has no tables yet")
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name in _EXTENSIONS:
        load_extension(connection, name)
    connection.execute(_secret(session, endpoint))
    for table in found["TableList"]:
        location = table["Parameters"]["metadata_location"]
        rows = f"SELECT * FROM iceberg_scan({_quoted(location)})"  # noqa: S608  # quoted
        connection.execute(f"CREATE VIEW {table['Name']} AS {rows}")
    return connection


def load_extension(connection: Any, name: str) -> None:
    """Load an extension of DuckDB, from a package if there is one, else from DuckDB's site."""
    package = find_spec(f"duckdb_extension_{name}")
    if package is None:
        connection.install_extension(name)
        connection.load_extension(name)
        return
    folder = Path(str(package.origin)).parent
    (file,) = folder.rglob("*.duckdb_extension")
    connection.load_extension(str(file))


def _secret(session: boto3.Session, endpoint: str | None) -> str:
    """Return the statement that gives DuckDB the session's credentials for S3."""
    credentials = session.get_credentials()
    if credentials is None:
        raise SqlError("there are no AWS credentials")
    keys = credentials.get_frozen_credentials()
    options = {
        "KEY_ID": keys.access_key,
        "SECRET": keys.secret_key,
        "SESSION_TOKEN": keys.token,
        "REGION": session.region_name,
    }
    if endpoint is not None:
        options |= {"ENDPOINT": endpoint.partition("://")[2], "URL_STYLE": "path"}
        options |= {"USE_SSL": "false"}
    given = ", ".join(f"{name} {_quoted(value)}" for name, value in options.items() if value)
    return f"CREATE SECRET (TYPE s3, {given})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
