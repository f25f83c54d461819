"""Over 300 damaged files: each is refused with a clear message, or read as what it still says."""

import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from counts.damage import DAMAGES, FILES, SEED, Case, damaged_files
from counts.damaged_forms import Case as Form
from counts.damaged_forms import damaged_forms
from twofold.counts.config import SourceConfig
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


# --- the forms of published tables ---


def test_each_damaged_form_is_refused_for_its_reason_or_read_as_what_it_says(tmp_path):
    cases = damaged_forms(tmp_path)
    assert len(cases) >= 100
    assert sum(isinstance(case.says, str) for _, case in cases) >= 40
    assert sum(not isinstance(case.says, str) for _, case in cases) >= 35

    assert [said for path, case in cases if (said := _fault(path, case))] == []


def _fault(path: Path, case: Form) -> str | None:
    try:
        panel = read_panel(path, SourceConfig(**case.config))
    except InputError as error:
        message = str(error).removeprefix(str(path))
        if not isinstance(case.says, str):
            return f"{path.name}: refused though readable: {message}"
        clear = message != str(error) and re.search(case.says, message)
        return None if clear else f"{path.name}: refused for another reason than {case.says}: {message}"
    if isinstance(case.says, str):
        return f"{path.name}: read though it should be refused: {case.says}"
    dates = [case.first + timedelta(days=case.step * t) for t in range(len(next(iter(case.says.values()))))]
    if panel.dates.tolist() != dates or dict(zip(panel.regions, panel.values.tolist(), strict=True)) != case.says:
        return f"{path.name}: read wrongly"
    filled = 0 if panel.filled is None else int(panel.filled.sum())
    return None if filled == case.filled else f"{path.name}: {filled} cells filled in"
