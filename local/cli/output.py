"""Where a report is saved, and in which formats."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from store_monitoring.reports.report import Format

_KNOWN = ", ".join(Format)


class OutputError(Exception):
    """A report cannot be saved as it should be; the message says why."""


@dataclass(frozen=True, slots=True)
class Output:
    """A file of the report: its format, and where it is saved."""

    format: Format
    path: Path


def outputs_of(out: Path, formats: str | None = None) -> tuple[Output, ...]:
    """Return what is saved, by the name of a file or by a list of formats.

    Parameters
    ----------
    out
        The file. Without a list of formats its ending names the format; without an ending, and for
        devices and pipes, that is CSV.
    formats
        Formats, separated by commas. One goes to `out` itself, unless its ending names another;
        several go to files beside each other, named by `out` without its ending.

    Raises
    ------
    OutputError
        If a format is unknown, or `out` is a folder, lies in none, may not be written or cannot
        have neighbours.

    Examples
    --------
    >>> [str(output.path) for output in outputs_of(Path("report.csv"), "csv,html")]
    ['report.csv', 'report.html']
    """
    if not out.parent.is_dir():
        raise OutputError(f"the report cannot be saved: {out.parent} is not a folder")
    if out.is_dir():
        raise OutputError(f"the report cannot be saved: {out} is a folder")
    is_file = out.is_file() or not out.exists()
    written = out.parent if is_file and not out.is_symlink() else out
    if written.exists() and not os.access(written, os.W_OK) and not is_standard_output(out):
        raise OutputError(f"the report cannot be saved: you may not write to {written}")
    named = _format_of(out)
    if formats is None:
        if named is None and out.suffix and is_file:
            raise OutputError(
                f"OUT={out}: {out.suffix[1:]} is not a format ({_KNOWN}); "
                "FORMATS=csv saves CSV under any name"
            )
        return (Output(named or Format.CSV, out),)
    wanted = tuple(dict.fromkeys(_format(name.strip()) for name in formats.split(",")))
    if len(wanted) == 1 and (named in (None, wanted[0]) or not is_file):
        return (Output(wanted[0], out),)
    if not is_file:
        raise OutputError(f"OUT={out} is not a file: it takes one format, not {len(wanted)}")
    stem = out.name if named is None else out.stem
    return tuple(Output(each, out.with_name(f"{stem}.{each}")) for each in wanted)


def _format_of(out: Path) -> Format | None:
    ending = out.suffix[1:].lower()
    return Format(ending) if ending in tuple(Format) else None


def _format(name: str) -> Format:
    if name not in tuple(Format):
        raise OutputError(f"FORMATS: {name!r} is not a format; known are {_KNOWN}")
    return Format(name)


def is_standard_output(path: Path) -> bool:
    """Tell whether a path leads to where this program prints."""
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except OSError:  # there is no such file, or no standard output
        return False


def save(finished: Path, out: Path) -> None:
    """Save a finished file: all of it or nothing, where a file can be replaced.

    A regular file, or none, is replaced as a whole. All else is written to as it is: devices,
    pipes, and what a symbolic link leads to.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if is_standard_output(out):
        _copy(finished, os.dup(sys.stdout.fileno()))
    elif out.is_symlink() or (out.exists() and not out.is_file()):
        _copy(finished, out)
    else:
        unfinished = out.with_name(f".{out.name}.{os.getpid()}.part")
        try:
            _copy(finished, unfinished)
            unfinished.replace(out)
        finally:
            unfinished.unlink(missing_ok=True)


def _copy(finished: Path, out: Path | int) -> None:
    with finished.open("rb") as source, open(out, "wb") as target:  # noqa: PTH123  # or a number
        shutil.copyfileobj(source, target, 1024 * 1024)
