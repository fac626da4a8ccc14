"""The packaged functions run in the local cloud as they do in Lambda.

`make check-report` compares the report of the built ones.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from local.cli.output import outputs_of
from local.cli.run import run
from local.cli.sample_data import SMALL, write_sample
from local.emulator.artefacts import Artefacts, from_source
from local.emulator.cloud import LocalCloud
from local.emulator.execution_environment import ExecutionEnvironment, FunctionConfiguration
from local.emulator.runtime import LAMBDA_VERSION, Runtime
from local.emulator.runtime import lambda_python as lambda_runtime
from local.emulator.settings import ACCESS_KEY, REGION, SECRET_KEY
from tests.built.conftest import ROOT, Builder
from tests.built.test_layers import NATIVE

pytestmark = pytest.mark.exhaustive

PACKAGES = "packages"
HANDLER = """
import importlib.util, sys

def lambda_handler(names, context):
    return {
        "version": sys.version,
        "path": sys.path,
        "found": [name for name in names if importlib.util.find_spec(name)],
    }
"""


@pytest.fixture(scope="module")
def runtime(lambda_python: Path) -> Runtime:
    return lambda_runtime(ROOT / ".data")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "small"
    write_sample(folder, shape=SMALL)
    return folder


@pytest.fixture(scope="module")
def report_from_source(sample: Path) -> bytes:
    return report(from_source(ROOT), sample)


def test_the_package_makes_the_same_report(
    builder: Builder, runtime: Runtime, sample: Path, report_from_source: bytes, tmp_path: Path
) -> None:
    with LocalCloud() as cloud:
        cloud.client("s3").create_bucket(Bucket=PACKAGES)
        packaged = package(builder(NATIVE) / "template.yaml", cloud)
        unpack(packaged, cloud, tmp_path)
    assert report(Artefacts(tmp_path / "template.yaml", runtime), sample) == report_from_source


def test_handlers_can_import_their_code_their_layers_and_the_runtime(
    runtime: Runtime, tmp_path: Path
) -> None:
    code, layer = tmp_path / "code", tmp_path / "layer"
    for folder, module in ((code, "app"), (layer, "layer_module")):
        folder.mkdir()
        (folder / f"{module}.py").write_text(HANDLER)
    function = FunctionConfiguration(
        name="describe",
        role="describe",
        handler="app.lambda_handler",
        task_root=code,
        layers=(layer,),
        variables={},
        timeout_seconds=300,
        memory_mb=128,
    )
    names = ["app", "layer_module", "awslambdaric", "boto3", "moto", "numpy", "pip", "local"]
    environment = ExecutionEnvironment(function, runtime.command, runtime, {}, tmp_path)
    try:
        result = environment.invoke(json.dumps(names).encode())
    finally:
        environment.stop()
    seen = json.loads(result.payload)
    assert seen["version"].startswith(f"{LAMBDA_VERSION}.")
    assert seen["found"] == ["app", "layer_module", "awslambdaric", "boto3"]
    assert not [folder for folder in seen["path"] if "site-packages" in folder]


def report(artefacts: Artefacts, data: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "report.csv")
        run(artefacts, data, outputs_of(out), as_of=None)
        return out.read_bytes()


def package(template: Path, cloud: LocalCloud) -> str:
    """Run `sam package` on a template; return the packaged template."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "samcli", "package", "--no-progressbar"),
            *("--template-file", template, "--s3-bucket", PACKAGES, "--language-extensions"),
        ],
        env={
            **os.environ,
            "SAM_CLI_TELEMETRY": "0",
            "AWS_ENDPOINT_URL": cloud.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        },
        cwd=template.parent,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def unpack(packaged: str, cloud: LocalCloud, folder: Path) -> None:
    """Save a packaged template and its uploads in a folder, each by its key."""
    s3 = cloud.client("s3")
    for upload in s3.list_objects_v2(Bucket=PACKAGES)["Contents"]:
        content = io.BytesIO(s3.get_object(Bucket=PACKAGES, Key=upload["Key"])["Body"].read())
        if zipfile.is_zipfile(content):
            zipfile.ZipFile(content).extractall(folder / upload["Key"])
        else:
            (folder / upload["Key"]).write_bytes(content.getvalue())
    assert f"s3://{PACKAGES}/" in packaged
    (folder / "template.yaml").write_text(packaged.replace(f"s3://{PACKAGES}/", ""))
