"""What a wheel holds: the whole package with its templates, styles, scripts and data, its licence, and nothing else."""

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"


def test_the_wheel_holds_the_package_and_its_licence_alone(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    files = (item for item in (SOURCE / "twofold").rglob("*") if item.is_file() and "__pycache__" not in item.parts)
    package = {item.relative_to(SOURCE).as_posix() for item in files}
    assert {Path(name).suffix for name in package} >= {".j2", ".css", ".js", ".json", ".toml"}
    assert "twofold/py.typed" in package
    about = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert names - about == package
    assert {name.split("/", 1)[1] for name in about} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }
