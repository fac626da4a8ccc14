"""The built functions and layers fit into Lambda and work in its runtime."""

import csv
import json
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from bench.cold_start import cold_start, fill_runtime
from local.emulator.built_functions import BuiltFunction, built_functions
from store_monitoring.storage.keys import report_key
from tests.built.conftest import ROOT, RUNTIME_VERSION, Builder
from tests.cases import EVERY_DAY, MONDAY, active, inactive, opens
from tests.oracle import Case, csv_text, report

pytestmark = pytest.mark.exhaustive

MAX_UNZIPPED_BYTES = 245_000_000  # Lambda's limit is 262,144,000
MAX_CODE_BYTES = 1_000_000
ARCHITECTURES = ("arm64", "x86_64")
NATIVE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
WITH_ARROW = {
    *("IngestFunction", "ComputeShardFunction", "GetTimelineFunction", "PlanAndMergeFunction"),
    *("CompactFunction", "DeleteStoreFunction", "TakeBackIngestFunction"),
    *("ListStoresFunction", "PublishStoreChangesFunction", "PublishTablesFunction"),
}
WITH_DATA_LAYER = WITH_ARROW | {"StartScheduledReportFunction"}  # has time zones from it
ELF_MACHINES = {"arm64": 183, "x86_64": 62}


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def build(builder: Builder, architecture: str) -> Path:
    return builder(architecture)


@pytest.fixture
def functions(build: Path) -> list[BuiltFunction]:
    return built_functions(build)


@pytest.fixture
def native_functions(builder: Builder) -> list[BuiltFunction]:
    return built_functions(builder(NATIVE))


@pytest.fixture(scope="session")
def runtime(lambda_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runtime")
    fill_runtime(folder, lambda_python)
    return folder


def test_functions_fit_into_lambda(
    functions: list[BuiltFunction], architecture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {
        function.logical_id: [size(folder) for folder in (function.code, *function.layers)]
        for function in functions
    }
    with capsys.disabled():
        print(f"\n\n{'bytes, unzipped, ' + architecture:<28}{'code':>12}{'layers':>14}{'all':>14}")
        for name, (code, *layers) in sizes.items():
            print(f"{name:<28}{code:>12,}{sum(layers):>14,}{code + sum(layers):>14,}")
    assert all(sum(parts) <= MAX_UNZIPPED_BYTES for parts in sizes.values())
    assert all(code <= MAX_CODE_BYTES for code, *_ in sizes.values())


def test_functions_without_arrow_do_not_carry_it(functions: list[BuiltFunction]) -> None:
    carrying = {
        function.logical_id
        for function in functions
        if "DataLayer" in (layer.name for layer in function.layers)
    }
    assert carrying == WITH_DATA_LAYER


def test_only_plan_and_merge_carries_the_html_layer(functions: list[BuiltFunction]) -> None:
    carrying = {
        function.logical_id
        for function in functions
        if "HtmlLayer" in (layer.name for layer in function.layers)
    }
    assert carrying == {"PlanAndMergeFunction"}


def test_only_publish_tables_carries_the_tables_layer(functions: list[BuiltFunction]) -> None:
    carrying = {
        function.logical_id
        for function in functions
        if "TablesLayer" in (layer.name for layer in function.layers)
    }
    assert carrying == {"PublishTablesFunction"}


def test_libraries_are_for_the_functions_processor(build: Path, architecture: str) -> None:
    libraries = [path for path in build.rglob("*") if re.search(r"\.so(\.|$)", path.name)]
    assert {elf_machine(library) for library in libraries} == {ELF_MACHINES[architecture]}


def test_both_processors_get_the_same_modules(builder: Builder) -> None:
    modules = [
        {path.relative_to(folder) for path in folder.rglob("*.py")}
        for folder in map(builder, ARCHITECTURES)
    ]
    assert modules[0] == modules[1]
    extensions = [
        {re.sub(r"-(aarch64|x86_64)-", "", path.name) for path in folder.rglob("*.cpython-*.so")}
        for folder in map(builder, ARCHITECTURES)
    ]
    assert extensions[0] == extensions[1]


def test_layers_are_compiled_for_the_runtime(build: Path, lambda_python: Path) -> None:
    tag = f"cpython-{RUNTIME_VERSION.replace('.', '')}"
    sources = [path for layer in layer_folders(build) for path in layer.rglob("*.py")]
    missing = [p for p in sources if not (p.parent / f"__pycache__/{p.stem}.{tag}.pyc").exists()]
    assert not missing
    assert not [p for p in build.rglob("*.pyc") if not p.name.endswith(f".{tag}.pyc")]


def test_handlers_import_only_what_they_need(
    native_functions: list[BuiltFunction], lambda_python: Path, runtime: Path
) -> None:
    for function in native_functions:
        modules = cold_start(function, lambda_python, runtime).modules
        assert "pandas" not in modules, function.logical_id
        assert ("pyarrow" in modules) == (function.logical_id in WITH_ARROW), function.logical_id
        if function.logical_id == "ComputeShardFunction":
            assert "botocore.client" not in modules, function.logical_id


def test_report(builder: Builder, lambda_python: Path, tmp_path: Path) -> None:
    case = Case(
        polls=(
            active("2024-10-14 10:00:00", "plain"),
            inactive("2024-10-14 22:30:00", "plain"),
            active("2024-10-14 23:55:18.727055", "plain"),
            inactive("2024-10-10 12:00", "always open"),
            active("2024-10-13 12:00", "always open"),
            active("2024-10-12 03:00", "overnight"),
            inactive("2024-10-12 03:00", "overnight"),
            active("2024-10-14 06:00", "overnight"),
        ),
        hours=(
            *opens("09:00", "17:30", *EVERY_DAY, store_id="plain"),
            *opens("18:00:00", "23:59:59", *EVERY_DAY, store_id="plain"),
            *opens("20:00", "04:00", *EVERY_DAY, store_id="overnight"),
            *opens("10:00", "12:00", MONDAY, store_id="never, polled"),
        ),
        zones={"plain": "America/New_York", "overnight": "Asia/Kathmandu"},
    )
    write_inputs(case, tmp_path / "inputs")
    folders = (str(tmp_path / "inputs"), str(tmp_path / "objects"))
    command = on_layers(lambda_python, builder(NATIVE), "tests.built.report_of_folder", *folders)
    done = subprocess.run(command, env={}, check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == csv_text(report(case))
    assert (tmp_path / "objects" / report_key("r", "html")).stat().st_size > 0


def on_layers(
    interpreter: Path, build: Path, module: str, *arguments: str, tools: Sequence[Path] = ()
) -> list[str]:
    """Return a command: run a module with only the built layers, tests and tools on the path."""
    start = "import json, runpy, sys; sys.path[:0] = json.loads(sys.argv.pop(1)); " + (
        "runpy.run_module(sys.argv.pop(1), run_name='__main__')"
    )
    path = [*(str(layer / "python") for layer in layer_folders(build)), *map(str, (ROOT, *tools))]
    flags = ("-I", "-S", "-B", "-c")
    return [str(interpreter), *flags, start, json.dumps(path), module, *arguments]


def layer_folders(build: Path) -> list[Path]:
    return [build / f"{name}Layer" for name in ("Core", "Data", "Html", "Tables")]


def size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def elf_machine(library: Path) -> int:
    with library.open("rb") as file:
        header = file.read(20)
    assert header.startswith(b"\x7fELF")
    return int.from_bytes(header[18:20], "little")


def write_inputs(case: Case, folder: Path) -> None:
    polls = [
        (p.store_id, ("inactive", "active")[p.active], f"{p.timestamp:%F %T.%f} UTC")
        for p in case.polls
    ]
    hours = [(row.store_id, row.day, row.start, row.end) for row in case.hours]
    write_csv(folder / "polls/a.csv", ("store_id", "status", "timestamp_utc"), polls)
    write_csv(
        folder / "business_hours/b.csv",
        ("store_id", "day", "start_time_local", "end_time_local"),
        hours,
    )
    write_csv(folder / "timezones/c.csv", ("store_id", "timezone_str"), case.zones.items())


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
