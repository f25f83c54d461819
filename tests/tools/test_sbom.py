"""The bill of materials of the wheel: what is in it, what is not, and what is refused."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hatchling.builders.wheel import WheelBuilder

import sbom
from runs.private import told
from tools.made import install

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])
    return Path(path)


def read(wheel: Path) -> dict[str, Any]:
    return json.loads((wheel.parent / f"twofold-{wheel.name.split('-')[1]}.cdx.json").read_text())


def test_the_wheel_of_the_package(wheel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = Path(shutil.copy(wheel, tmp_path))
    assert sbom.main(wheel) == sbom.main(again) == 0
    assert "every licence allowed; extras: app" in capsys.readouterr().out
    text = next(wheel.parent.glob("*.cdx.json")).read_text()
    assert text == next(tmp_path.glob("*.cdx.json")).read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert "timestamp" not in text and not told(text.encode())
    found = read(wheel)
    names = {each["name"] for each in found["components"]}
    assert {"torch", "typing-extensions", "fastapi", "starlette"} <= names
    assert not names & {"pytest", "ruff", "zensical", "twofold"}
    assert all(each["licenses"] for each in found["components"])
    needs = {each["ref"]: each.get("dependsOn", []) for each in found["dependencies"]}
    assert any(need.startswith("pkg:pypi/numpy@") for need in needs["pkg:pypi/twofold@0.1.0"])
    assert "+" not in "".join(needs), "a version tells which build one machine has"


def test_the_time_is_that_of_the_source(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert sbom.main(wheel) == 0
    assert read(wheel)["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"


# --- packages that are made here ---


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which Python finds packages."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "site"


def _wheel(folder: Path, *lines: str) -> Path:
    about = ["Metadata-Version: 2.4", "Name: twofold", "Version: 9", "License-Expression: MIT", *lines]
    with zipfile.ZipFile(path := folder / "twofold-9-py3-none-any.whl", "w") as archive:
        archive.writestr("twofold-9.dist-info/METADATA", "\n".join(about))
    return path


def test_what_is_needed_is_followed_through_extras_and_markers(installed: Path, tmp_path: Path) -> None:
    first = ["Requires-Dist: x-second[more]", "Requires-Dist: x-none; sys_platform == 'none'"]
    install(installed, "x-first", *first, "License-Expression: MIT")
    second = ["Provides-Extra: more", "Requires-Dist: x-third; extra == 'more'", "Requires-Dist: x-none; extra == 'no'"]
    install(installed, "x-second", *second, "Requires-Dist: x-first", "License-Expression: MIT")
    install(installed, "x-third", "License-Expression: ISC", version="3.1+build.7")
    extras = ["Provides-Extra: app", "Provides-Extra: dev", "Requires-Dist: x-away; extra == 'app'"]
    path = _wheel(tmp_path, "Requires-Dist: x_First>=1", *extras, "Requires-Dist: x-away; extra == 'dev'")
    assert sbom.main(path) == 0
    found = read(path)
    versions = {each["name"]: each["version"] for each in found["components"]}
    assert versions == {"x-first": "1.0", "x-second": "1.0", "x-third": "3.1"}
    told = {each["name"]: each.get("value") for each in found["metadata"]["properties"]}
    assert told["twofold:extras-left-out"] == "app"


def test_what_one_build_of_torch_needs_is_told_and_left_out(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(installed, "torch", "License-Expression: MIT", "Requires-Dist: nvidia-x", "Requires-Dist: x-one")
    install(installed, "x-one", "License-Expression: MIT")
    assert sbom.main(path := _wheel(tmp_path, "Requires-Dist: torch")) == 0
    assert {each["name"] for each in read(path)["components"]} == {"torch", "x-one"}
    assert "not checked: what this build of torch needs besides (nvidia-x)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["Requires-Dist: x-away"], "x-away is not installed, and the wheel needs it"),
        (["Requires-Dist: x-one"], "x-one 1.0: GPL-3.0-only"),
        (["Requires-Dist: x-two"], "x-two 1.0: names no licence"),
        (["Requires-Dist: x-one>=2"], "x-one 1.0 is installed, and the wheel needs x-one>=2"),
        (["Requires-Dist: x-three"], "x-away is not installed, and x-three needs it"),
    ],
)
def test_what_must_not_be_is_named(
    lines: list[str], said: str, installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(installed, "x-one", "License-Expression: GPL-3.0-only")
    install(installed, "x-two")
    install(installed, "x-three", "License-Expression: MIT", "Requires-Dist: x-away")
    assert sbom.main(_wheel(tmp_path, *lines)) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("*.json"))
