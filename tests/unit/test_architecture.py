"""Dependencies point inwards, and no function loads what it does not use."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "layers/core/store_monitoring"
FUNCTIONS = ROOT / "functions"
AS_IN_LAMBDA = ROOT / "local/emulator/as_in_lambda"

WITHOUT_ARROW = [
    *("create_upload", "end_report", "fail_upload", "get_report", "get_upload", "healthz"),
    *("list_reports", "pages", "retry_report", "trigger_report"),
]
# The functions that no HTTP request with parameters reaches.
WITHOUT_PYDANTIC = [
    *("compact", "compute_shard", "delete_store", "end_report", "fail_upload", "healthz", "ingest"),
    *("pages", "plan_and_merge", "publish_store_changes", "start_scheduled_report"),
    "take_back_ingest",
]
WITHOUT_BOTO3 = ["compute_shard"]
WITH_ALL = [
    *("compact", "delete_store", "get_timeline", "ingest", "list_stores", "plan_and_merge"),
    *("publish_store_changes", "publish_tables", "start_scheduled_report", "take_back_ingest"),
]

# The settings of all functions together.
SETTINGS = {
    "DATA_BUCKET": "data",
    "INBOX_BUCKET": "inbox",
    "UPLOAD_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/uploads",
    "REPORT_TABLE": "reports",
    "INGEST_TABLE": "ingests",
    "STATE_MACHINE_ARN": "arn:aws:states:eu-central-1:123456789012:stateMachine:report",
    "BUCKET_COUNT": "64",
    "POLL_MEMORY_DAYS": "14",
    "COVERAGE_MINUTES": "120",
    "TARGET_PERCENT": "99",
    "SHARD_POLLS": "50000",
    "MAP_CONCURRENCY": "100",
    "DOWNLOAD_LINK_SECONDS": "900",
    "REPORT_RETENTION_DAYS": "90",
    "CORS_ORIGIN": "https://example.com",
    "NOTIFICATION_TOPIC_ARN": "",
    "STORE_EVENT_LIMIT": "0",
    "FUTURE_POLL_TOLERANCE_MINUTES": "60",
    "TABLES_DATABASE": "store_monitoring",
    "SCHEDULED_REQUEST": "last_month",
    "SCHEDULE_ZONE": "America/Chicago",
}

# What each part of the library may import of the library.
_CAPABILITIES = {"domain", "errors", "instants", "storage", "store_ids"}
ALLOWED = {
    "domain": {"domain"},
    "storage": {"domain", "storage"},
    "ingest": {*_CAPABILITIES, "ingest", "page_tokens"},
    "reports": {*_CAPABILITIES, "ingest.ports", "page_tokens", "reports"},
    "notifications": {*_CAPABILITIES, "metrics", "notifications", "reports"},
    "http": {
        *(*_CAPABILITIES, "find_stores", "history", "http", "logs", "reports", "timeline"),
        *("ingest.outcomes", "ingest.parsing.kinds", "uploads"),
    },
    "aws": {
        *(*_CAPABILITIES, "aws", "delete_store", "logs", "notifications.events", "reports"),
        *("notifications.store_changes", "ingest.outcomes", "ingest.parsing.kinds", "ingest.ports"),
        "publish_tables",
    },
}
# The capabilities of one module.
_ONE_MODULE = {
    "delete_store": {*_CAPABILITIES, "ingest", "reports"},
    "find_stores": {*_CAPABILITIES, "page_tokens", "reports"},
    "history": {*_CAPABILITIES, "ingest.ports", "reports", "timeline"},
    "page_tokens": set(),
    "publish_tables": {*_CAPABILITIES, "ingest", "reports"},
    "store_ids": {"errors"},
    "timeline": {*_CAPABILITIES, "ingest.ports", "reports"},
    "uploads": {*_CAPABILITIES, "ingest.outcomes", "ingest.parsing.kinds"},
}
# What only some parts may import of others.
CLOUD = {"aws_lambda_powertools", "boto3", "botocore"}
OUTSIDE = {
    "domain": {"numpy", "pyarrow", "pytz"},
    "storage": {"numpy", "pyarrow"},
    "ingest": {"isal", "numpy", "pyarrow"},
    "reports": {"jinja2", "markupsafe", "numpy", "pyarrow", "pygal", "xlsxwriter"},
    "notifications": {"pyarrow"},
    "http": {"aws_lambda_powertools", "numpy", "pydantic", "typing_extensions"},
    "aws": {"obstore", "pyarrow", "pyiceberg", "typing_extensions", *CLOUD},
}
INPUT_OUTPUT = {
    *("io", "logging", "os", "pathlib", "random", "shutil", "socket", "subprocess", "tempfile"),
    *("time", "urllib"),
}


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield node.module


def top_level(name: str) -> str:
    return name.partition(".")[0]


def modules(part: str) -> list[Path]:
    return sorted((LIBRARY / part).rglob("*.py"))


def is_allowed(name: str, allowed: set[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_inwards(part: str) -> None:
    paths = modules(part)
    assert paths
    for path in paths:
        for name in imports(path):
            if top_level(name) == "store_monitoring":
                of_library = name.removeprefix("store_monitoring.")
                assert is_allowed(of_library, ALLOWED[part]), f"{path.name} imports {name}"
            else:
                of_outside = OUTSIDE[part] | sys.stdlib_module_names
                assert top_level(name) in of_outside, f"{path.name} imports {name}"


@pytest.mark.parametrize("module", _ONE_MODULE)
def test_a_capability_of_one_module_imports_inwards(module: str) -> None:
    for name in imports(LIBRARY / f"{module}.py"):
        if top_level(name) == "store_monitoring":
            of_library = name.removeprefix("store_monitoring.")
            assert is_allowed(of_library, _ONE_MODULE[module]), f"{module} imports {name}"
        else:
            assert top_level(name) in {"numpy", "pyarrow"} | sys.stdlib_module_names


def test_only_one_module_knows_iceberg() -> None:
    paths = [*LIBRARY.rglob("*.py"), *FUNCTIONS.rglob("*.py")]
    knowing = [path.name for path in paths if "pyiceberg" in map(top_level, imports(path))]
    assert knowing == ["iceberg_tables.py"]


def test_every_part_is_held_to_it() -> None:
    assert {path.parent.name for path in LIBRARY.glob("*/__init__.py")} == set(ALLOWED)


@pytest.mark.parametrize("path", modules("domain"), ids=lambda path: path.stem)
def test_the_domain_has_no_input_output_and_no_clock(path: Path) -> None:
    assert not INPUT_OUTPUT.intersection(map(top_level, imports(path)))
    calls = [
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]
    assert not {"datetime.now", "datetime.utcnow", "date.today", "print", "open"}.intersection(
        calls
    )


@pytest.mark.parametrize(
    "path", sorted([*LIBRARY.rglob("*.py"), *FUNCTIONS.rglob("*.py")]), ids=lambda path: path.stem
)
def test_nothing_that_is_deployed_imports_the_local_cloud_or_the_tests(path: Path) -> None:
    assert not {"local", "testing", "tests", "bench", "moto", "samcli"}.intersection(
        map(top_level, imports(path))
    )


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("bench", {"tests"}),
        ("local", {"bench", "testing", "tests"}),
        ("testing", {"bench", "local", "tests"}),
    ],
)
def test_only_tests_import_from_the_tests(folder: str, forbidden: set[str]) -> None:
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    for path in paths:
        assert not forbidden.intersection(map(top_level, imports(path))), path


def test_what_is_deployed_imports_only_packages_that_a_layer_or_lambda_has() -> None:
    locks = (ROOT / "layers").glob("*/requirements.txt")
    locked = {
        name.replace("-", "_")
        for lock in locks
        for name in re.findall(r"^([a-z0-9-]+)==", lock.read_text(), re.MULTILINE)
    }
    on_lambda = {"boto3", "botocore", *sys.stdlib_module_names}
    paths = [*LIBRARY.rglob("*.py"), *FUNCTIONS.rglob("*.py")]
    imported = {top_level(name) for path in paths for name in imports(path)}
    assert imported <= {"store_monitoring", *locked, *on_lambda}


# --- functions ------------------------------------------------------------------------------


def apps() -> list[Path]:
    return sorted(FUNCTIONS.glob("*/app.py"))


def test_all_functions_are_known_here() -> None:
    names = [path.parent.name for path in apps()]
    assert names == sorted([*WITHOUT_ARROW, *WITHOUT_BOTO3, *WITH_ALL])


@pytest.mark.parametrize("path", apps(), ids=lambda path: path.parent.name)
def test_a_handler_is_thin(path: Path) -> None:
    allowed = {"store_monitoring", "aws_lambda_powertools", *sys.stdlib_module_names}
    assert set(map(top_level, imports(path))) <= allowed
    tree = ast.parse(path.read_text())
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            statements = sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1
            assert statements <= 15, f"{function.name} has {statements} statements"
    assert not any(isinstance(node, ast.For | ast.While) for node in tree.body)
    assert [node.name for node in tree.body if isinstance(node, ast.ClassDef)] == ["Settings"]


LOADED_BY_EACH = """
import importlib, json, sys
loaded = {}
for name in sys.argv[1:]:
    sys.path.insert(0, name)
    importlib.import_module("app")
    del sys.modules["app"], sys.path[0]
    loaded[name] = sorted(sys.modules)
print(json.dumps(loaded))
"""


def loaded_by(names: list[str]) -> dict[str, set[str]]:
    """Load functions one after the other; return the modules that are loaded after each."""
    environment = {
        **SETTINGS,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_REGION": "eu-central-1",
        "PATH": os.environ["PATH"],
        # Of the packages that are installed here, handlers have those of their layers only.
        "PYTHONPATH": os.pathsep.join(map(str, (LIBRARY.parent, AS_IN_LAMBDA))),
    }
    done = subprocess.run(
        [sys.executable, "-c", LOADED_BY_EACH, *names],
        cwd=FUNCTIONS,
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    return {name: set(loaded) for name, loaded in json.loads(done.stdout).items()}


@pytest.mark.parametrize(
    ("names", "needless"),
    [
        (WITHOUT_ARROW, {"numpy", "pyarrow"}),
        (WITHOUT_BOTO3, {"boto3", "botocore.client", "jinja2", "pygal", "xlsxwriter"}),
        (WITH_ALL, {"jinja2", "pygal"}),
        (WITHOUT_PYDANTIC, {"pydantic"}),
    ],
    ids=["without Arrow", "without boto3", "without pages", "without Pydantic"],
)
def test_a_cold_start_loads_nothing_needless(names: list[str], needless: set[str]) -> None:
    assert {
        name: loaded & needless for name, loaded in loaded_by(names).items() if loaded & needless
    } == {}
