"""300 damaged images, archives and arrays: none stops the reading, and no file is lost without a word."""

from collections import Counter
from pathlib import Path

import pytest

from twofold.engine.errors import DataError
from twofold.vae.config import ImageConfig
from twofold.vae.images.load import Images, load_images
from vae.images.damage import DAMAGES, END, PACKED, PACKED_DAMAGES, SEED, SINGLE, Case, damaged_sources

SIZE = ImageConfig(size=16)


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> list[Case]:
    return damaged_sources(SEED, tmp_path_factory.mktemp("damaged"))


@pytest.fixture(scope="module")
def results(cases, tmp_path_factory) -> list[Images | str]:
    cache = tmp_path_factory.mktemp("cache")
    return [read(case, cache) for case in cases]


def read(case: Case, cache: Path) -> Images | str:
    """The images, or the message that refuses the source; any other exception is the test's."""
    try:
        return load_images(case.path, SIZE, strict=False, cache=cache)
    except DataError as error:
        return str(error)


def test_every_source_is_refused_clearly_or_accounts_for_every_name(cases, results):
    complaints = [complaint for case, result in zip(cases, results, strict=True) if (complaint := _wrong(case, result))]

    assert complaints == []


def _wrong(case: Case, result: Images | str) -> str | None:
    name = case.path.name
    if isinstance(result, Images):
        if case.refused:
            return f"{name}: read though it should be refused"
        fates = {file: file in result.names for file in case.fates}
        return _miscounted(case, result) or (None if fates == case.fates else f"{name}: {fates} is not {case.fates}")
    if case.refused is False:
        return f"{name}: refused though readable: {result}"
    clear = result.startswith(str(case.path)) and len(result) > len(str(case.path)) + 20
    return None if clear else f"{name}: unclear: {result}"


def _miscounted(case: Case, images: Images) -> str | None:
    """A name of the source that is neither kept nor skipped, or one that was made up."""
    found, known = Counter([*images.names, *(item.name for item in images.skipped)]), Counter(case.names)
    if case.renamed:
        return None if found.total() == known.total() else f"{case.path.name}: {found} of {known}"
    if case.open_ended and found[END]:
        known = (known & found) + Counter([END])
    return None if found == known else f"{case.path.name}: lost {known - found}, made up {found - known}"


def test_reasons_are_short_and_say_something(results):
    reasons = {item.reason for result in results if isinstance(result, Images) for item in result.skipped}

    assert all(0 < len(reason) <= 100 and " at 0x" not in reason and "\n" not in reason for reason in reasons), reasons
    expected = {"not an image", "empty file", "truncated", "an archive, not an image", "encrypted"}
    assert reasons >= expected


def test_there_are_300_and_every_damage_strikes(cases):
    assert SINGLE + PACKED == 300
    assert sum(len(case.damages) for case in cases) == 300
    assert {damage for case in cases for damage in case.damages} == {*DAMAGES, *PACKED_DAMAGES}


def test_many_are_kept_many_skipped_many_refused(results):
    read_well = [result for result in results if isinstance(result, Images)]

    assert sum(len(result.names) for result in read_well) > 150
    assert sum(len(result.skipped) for result in read_well) > 100
    assert len(results) - len(read_well) > 20


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        damaged_sources(SEED, tmp_path / name, single=40, packed=17)

    def written(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert written(tmp_path / "one") == written(tmp_path / "two")
