"""Finds a user's input files by the file names of known data sets."""

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from local import LocalError
from store_monitoring.ingest.parsing.kinds import Kind

_NAMES: dict[Kind, tuple[str, ...]] = {
    Kind.POLLS: ("store_status.csv", "store status.csv"),
    Kind.BUSINESS_HOURS: ("menu_hours.csv", "business_hours.csv", "menu hours.csv"),
    Kind.TIMEZONES: (
        "timezones.csv",
        "store_timezone.csv",
        "store_timezones.csv",
        "bq-results-*.csv",
    ),
    Kind.SPECIAL_HOURS: ("special_hours.csv", "holiday_hours.csv"),
    Kind.EXCLUSIONS: ("exclusions.csv", "maintenance.csv"),
    Kind.ATTRIBUTES: ("stores.csv", "attributes.csv"),
}


class InputError(LocalError):
    """The folder does not contain the needed files; the message says which."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to upload."""

    kind: Kind
    path: Path

    @property
    def key(self) -> str:
        """The key of its upload."""
        return f"{self.kind}/{self.path.name}"


def find_inputs(folder: Path) -> list[InputFile]:
    """Return the input files of a folder, plain or gzipped; polls come first.

    Raises
    ------
    InputError
        If the folder or its polls file is missing, or two files are of one kind.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    found: list[InputFile] = []
    for kind, names in _NAMES.items():
        paths = sorted(path for path in folder.iterdir() if _has_name(path, names))
        if len(paths) > 1:
            raise InputError(f"{paths[0].name} and {paths[1].name} are both {kind} files")
        found += [InputFile(kind, path) for path in paths]
    if not any(file.kind is Kind.POLLS for file in found):
        polls_names = " or ".join(_NAMES[Kind.POLLS])
        raise InputError(f"there is no polls file in {folder}: name it {polls_names}")
    return found


def kind_by_name(path: Path) -> Kind:
    """Return the kind of a file that has one of the known names.

    Raises
    ------
    InputError
        If it does not.
    """
    for kind, names in _NAMES.items():
        if _has_name(path, names):
            return kind
    raise InputError(f"{path.name} is not the name of a known file")


def _has_name(path: Path, names: tuple[str, ...]) -> bool:
    plain = path.name.lower().removesuffix(".gz")
    return path.is_file() and any(fnmatch(plain, name) for name in names)
