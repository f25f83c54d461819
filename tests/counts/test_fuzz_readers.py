"""200 damaged files: each is refused with a clear message, or read as what it still says."""

from pathlib import Path

import numpy as np
import pytest

from counts.damage import DAMAGES, FILES, SEED, Case, damaged_files
from twofold.counts.load import read_panel
from twofold.counts.panel import Panel
from twofold.engine.errors import InputError


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> list[Case]:
    return damaged_files(SEED, tmp_path_factory.mktemp("damaged"))


def read(case: Case) -> Panel | str:
    """The panel, or the message that refuses the file; any other exception is the test's."""
    try:
        return read_panel(case.path, case.config)
    except InputError as error:
        return str(error)


def test_every_file_is_refused_clearly_or_read_rightly(cases):
    wrong = [complaint for case in cases if (complaint := _complaint(case, read(case)))]

    assert wrong == []


def _complaint(case: Case, result: Panel | str) -> str | None:
    if isinstance(result, str):
        if case.expected is not None:
            return f"{case.path.name}: refused though readable: {result}"
        return (
            None
            if result.startswith(str(case.path)) and len(result) > len(str(case.path)) + 20
            else f"unclear: {result}"
        )
    if case.expected is None:
        return f"{case.path.name}: read though it should be refused"
    return None if result.digest() == case.expected.digest() else f"{case.path.name}: read wrongly"


def test_at_least_a_fifth_of_200_files_still_parse(cases):
    assert len(cases) == FILES == 200
    assert sum(case.expected is not None for case in cases) >= 40
    assert sum(case.expected is None for case in cases) >= 40


def test_every_damage_strikes_and_most_refusals_differ(cases):
    assert {case.damage for case in cases} == set(DAMAGES)
    refusals = {str(read(case)).replace(str(case.path), "") for case in cases if case.expected is None}
    assert len(refusals) > 60


def test_the_same_seed_writes_the_same_files(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        damaged_files(SEED, tmp_path / name, files=40)

    def written(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    assert written(tmp_path / "one") == written(tmp_path / "two")


def test_the_expected_panels_are_not_all_alike(cases):
    shapes = {case.expected.values.shape for case in cases if case.expected is not None}

    assert len(shapes) > 2
    assert any(np.any(np.diff(case.expected.values) < 0) for case in cases if case.expected is not None)
