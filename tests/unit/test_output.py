"""A report is saved in the requested formats, whatever exists at its path."""

import os
import stat
import tempfile
import threading
from pathlib import Path

import pytest

from local.cli.output import Output, OutputError, outputs_of, save, save_all
from store_monitoring.reports.report import Format


@pytest.mark.parametrize(
    ("out", "formats", "expected"),
    [
        ("report.csv", None, ["csv report.csv"]),
        *((f"r.{each}", None, [f"{each} r.{each}"]) for each in ("json", "xlsx", "parquet")),
        ("Report.HTML", None, ["html Report.HTML"]),
        ("report", None, ["csv report"]),
        ("/dev/null", None, ["csv /dev/null"]),
        ("/dev/null", "json", ["json /dev/null"]),
        ("report.txt", "csv", ["csv report.txt"]),
        ("report.csv", "html", ["html report.html"]),
        ("report.csv", "csv, html", ["csv report.csv", "html report.html"]),
        ("a/../report.xlsx", "html,csv,html", ["html a/../report.html", "csv a/../report.csv"]),
        ("report.2024-10", "csv,json", ["csv report.2024-10.csv", "json report.2024-10.json"]),
    ],
)
def test_names_and_formats(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    out: str,
    formats: str | None,
    expected: list[str],
) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path)
    found = [f"{output.format} {output.path}" for output in outputs_of(Path(out), formats)]
    assert found == expected


@pytest.mark.parametrize(
    ("out", "formats"),
    [("report.pdf", None), ("report.csv", "pdf"), ("report.csv", ""), ("/dev/null", "csv,json")],
)
def test_an_unknown_format_is_refused(out: str, formats: str | None) -> None:
    with pytest.raises(OutputError):
        outputs_of(Path(out), formats)


@pytest.mark.parametrize("name", ["folder/new.csv", "folder/old.csv", "link", "pipe"])
def test_an_unwritable_path_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old.csv").touch()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "old.csv")
    os.mkfifo(tmp_path / "pipe")
    outputs_of(tmp_path / name)
    # Root may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match=str(tmp_path)):
        outputs_of(tmp_path / name, "csv")


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    path = tmp_path / "finished"
    path.write_text("new")
    return path


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, finished: Path) -> None:
    out = tmp_path / "out.csv"
    save(finished, out)
    before = out.open()
    finished.write_text("newer")
    save(finished, out)
    assert (before.read(), out.read_text()) == ("new", "newer")
    before.close()
    assert {path.name for path in tmp_path.iterdir()} == {"finished", "out.csv"}


def test_a_file_stays_when_the_new_one_cannot_be_written(
    tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("old")
    # The unfinished file would be written here.
    (tmp_path / f".out.csv.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        save(finished, out)
    assert out.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"finished", "out.csv"}


def test_a_link_stays_a_link(tmp_path: Path, finished: Path) -> None:
    target, link, dangling = (tmp_path / name for name in ("target", "link", "dangling"))
    target.write_text("something longer")
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "made")
    save(finished, link)
    save(finished, dangling)
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert target.read_text() == (tmp_path / "made").read_text() == "new"


def test_a_pipe_stays_a_pipe(tmp_path: Path, finished: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=save, args=(finished, pipe))
    writer.start()
    assert pipe.read_text() == "new"
    writer.join()
    assert pipe.is_fifo()


def test_a_device_stays_a_device(tmp_path: Path, finished: Path) -> None:
    device = tmp_path / "full"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        device.open("wb").close()
    except PermissionError:
        pytest.skip("only root may make devices, and not everywhere")
    with pytest.raises(OSError, match="No space left on device"):
        save(finished, device)
    assert device.is_char_device()


def test_a_report_that_cannot_be_saved_is_kept(
    tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(OutputError, match=f"as {full}: ") as error:
        save_all({Format.CSV: finished}, [Output(Format.CSV, full)])
    kept = Path(str(error.value).rpartition(" ")[2])
    assert (kept / finished.name).read_text() == "new"
    assert full.is_symlink()
