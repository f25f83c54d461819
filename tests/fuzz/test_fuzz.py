"""Damaged files of each kind, by the code of `bench/fuzz.py`: each is read or refused by name, and no process dies."""

from collections import Counter

from fuzz.seeds import KINDS, Kind, damaged
from fuzz.trial import trials

FILES, SEED = 30, 1


def test_damaged_files_of_every_kind_are_read_or_refused() -> None:
    tasks: list[tuple[Kind, int]] = [(kind, number) for kind in KINDS for number in range(FILES)]
    told = [each for each, _ in trials(tasks, SEED, workers=1)]
    assert [each for each in told if each.fate == "FAULT"] == []
    fates = Counter(each.fate for each in told)
    assert fates.total() == len(KINDS) * FILES
    assert min(fates["accepted"], fates["refused"]) > 50
    assert len({each.what for each in told if each.fate == "refused"}) > 100


def test_files_that_once_broke_their_reader_do_no_longer() -> None:
    """Found by `bench/fuzz.py --seed 0`; a workbook's part that is none was passed over with words of the library's."""
    broke: list[tuple[Kind, int]] = [("safetensors", 319), ("safetensors", 787), ("safetensors", 990)]
    broke += [("xlsx", 394), ("xlsx", 766), ("skops", 504)]
    fates = {(each.kind, each.number): each.fate for each, _ in trials(broke, 0, workers=1)}
    assert fates == dict.fromkeys(broke, "refused") | {("safetensors", 787): "accepted"}


def test_a_number_makes_the_same_file() -> None:
    for kind in ("xlsx", "images", "archives"):
        assert [damaged(kind, SEED, n)[1] for n in range(12)] == [damaged(kind, SEED, n)[1] for n in range(12)]
        assert len({damaged(kind, SEED, n)[1] for n in range(12)}) > 8
