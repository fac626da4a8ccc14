"""The files that a report is saved to, and their formats."""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local import LocalError
from store_monitoring.reports.report import Format

_KNOWN = ", ".join(Format)


class OutputError(LocalError):
    """A report cannot be saved; the message says why."""


@dataclass(frozen=True, slots=True)
class Output:
    """A file of the report: its format and its path."""

    format: Format
    path: Path


def outputs_of(out: Path, formats: str | None = None) -> tuple[Output, ...]:
    """Return the files to save, for a file name or a list of formats.

    Parameters
    ----------
    out
        The file. Without `formats` its extension selects the format. Files without an extension,
        devices and pipes get CSV.
    formats
        Formats, separated by commas. A single format is saved to `out` itself, unless its extension
        names another format. Several are saved in one folder, under the name of `out` with the
        formats' extensions.

    Raises
    ------
    OutputError
        If a format is unknown; if `out` is a folder, is not in an existing folder or may not be
        written; or if `out` is a device or pipe and there are several formats.

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
                f"{out}: {out.suffix[1:]} is not a format ({_KNOWN}); "
                "with --formats csv, a CSV may have any name"
            )
        return (Output(named or Format.CSV, out),)
    wanted = tuple(dict.fromkeys(_format(name.strip()) for name in formats.split(",")))
    if len(wanted) == 1 and (named in (None, wanted[0]) or not is_file):
        return (Output(wanted[0], out),)
    if not is_file:
        raise OutputError(f"{out} is not a file: it takes one format, not {len(wanted)}")
    stem = out.name if named is None else out.stem
    return tuple(Output(each, out.with_name(f"{stem}.{each}")) for each in wanted)


def _format_of(out: Path) -> Format | None:
    ending = out.suffix[1:].lower()
    return Format(ending) if ending in tuple(Format) else None


def _format(name: str) -> Format:
    if name not in tuple(Format):
        raise OutputError(f"{name!r} is not a format; the formats are {_KNOWN}")
    return Format(name)


def is_standard_output(path: Path) -> bool:
    """Return whether a path is this program's standard output."""
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except OSError:  # the file or standard output does not exist
        return False


def save(finished: Path, out: Path) -> None:
    """Save a finished file, atomically if possible.

    A regular file is created or replaced as a whole. Devices, pipes and the targets of symbolic
    links are written in place.

    Raises
    ------
    OSError
        If the file cannot be written.
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


def save_all(files: Mapping[Format, Path], outputs: Sequence[Output]) -> None:
    """Save the finished files of a report.

    Raises
    ------
    OutputError
        If one cannot be saved; the message says where all of them are kept.
    """
    for output in outputs:
        try:
            save(files[output.format], output.path)
        except BrokenPipeError:
            pass  # the reading program has closed the pipe
        except OSError as error:
            kept = Path(tempfile.mkdtemp(prefix="store-report-"))
            for each in outputs:
                shutil.copy(files[each.format], kept)
            raise OutputError(
                f"the report cannot be saved as {output.path}: {error.strerror}; "
                f"it is kept in {kept}"
            ) from error


def _copy(finished: Path, out: Path | int) -> None:
    with finished.open("rb") as source, open(out, "wb") as target:  # noqa: PTH123  # also takes a file descriptor
        shutil.copyfileobj(source, target, 1024 * 1024)
