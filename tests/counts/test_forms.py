"""One true table in hundreds of forms: read back equal, or refused where the form leaves a question open."""

from collections import Counter

import numpy as np
import pytest

from counts.forms import AXES, DATES, Question, Written, draw_mixes, write_mix
from twofold.counts.config import SourceConfig
from twofold.counts.load import read_panel
from twofold.engine.errors import DataError

SEED, MIXES = 20201130, 560


@pytest.fixture(scope="module")
def forms(tmp_path_factory) -> list[Written]:
    folder, rng = tmp_path_factory.mktemp("forms"), np.random.default_rng(SEED)
    return [write_mix(rng, choice, folder / f"{i:03d}") for i, choice in enumerate(draw_mixes(SEED, MIXES))]


def complaint(written: Written) -> str | None:
    """What is wrong with how a form is read; None when each open question is asked, and the truth comes out."""
    config, left = dict(written.config), list(written.open)
    while left:
        try:
            read_panel(written.path, SourceConfig(**config))
        except DataError as error:
            asked = next((question for question in left if question.option in str(error)), None)
            if asked is None:
                return f"{written.form}: refused for another reason than {options(left)}: {error}"
        else:
            return f"{written.form}: read, though it leaves {options(left)} open"
        left.remove(asked)
        config |= asked.answer
    try:
        panel = read_panel(written.path, SourceConfig(**config))
    except DataError as error:
        return f"{written.form}: refused: {error}"
    truth = written.truth
    if panel.dates.tolist() != list(truth.dates):
        return f"{written.form}: dates {panel.dates[:3]} for {truth.dates[:3]}"
    if dict(zip(panel.regions, panel.values.tolist(), strict=True)) != truth.series():
        return f"{written.form}: other counts"
    return None if panel.kind == truth.kind else f"{written.form}: read as {panel.kind}"


def options(questions: list[Question]) -> list[str]:
    return [question.option for question in questions]


def test_every_form_is_read_back_equal_or_asks_what_it_leaves_open(forms):
    wrong = [said for written in forms if (said := complaint(written))]

    assert wrong == []


def test_there_are_500_different_mixes_and_every_question_is_among_them(forms):
    assert len({written.form for written in forms}) >= 500
    asked = Counter(question.option for written in forms for question in written.open)
    assert set(asked) == {f"--source.{each}" for each in ("decimal", "date-format", "weeks", "value", "region")}
    assert min(asked.values()) >= 10
    assert sum(not written.open for written in forms) >= 300
    for name, values in AXES.items():
        if name not in ("date", "step"):
            assert len(set(values)) == len({choice[name] for choice in draw_mixes(SEED, MIXES)})
    assert set(DATES) == {choice["date"] for choice in draw_mixes(SEED, MIXES)}
