"""Lengths of time on the command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.cli import main
from twofold.tune.config import duration, seconds


@given(st.integers(1, 10**6))
def test_a_duration_is_read_as_it_is_written(value: int) -> None:
    assert seconds(duration(float(value))) == value


@pytest.mark.parametrize("text", ["", "30", "m", "0s", "-3m", "1d", "1 h", "nan"])
def test_what_is_no_length_of_time_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["vae", "tune", f"--budget={text}"])
    assert ended.value.code == 2
    assert "must be a number above 0 with its unit" in " ".join(capsys.readouterr().err.split())


def test_numbers_below_zero_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vae", "tune", "--jobs", "-1"]) == 2
    assert "--jobs: must be 0 or more, got -1" in capsys.readouterr().err


def test_what_is_not_installed_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("twofold.tune.config.find_spec", lambda name: None)
    assert main(["vae", "tune", "--storage", "postgresql://ann:secret@db/x"]) == 2
    shown = capsys.readouterr().err
    assert "needs optuna, psycopg; install with `pip install 'twofold[tune]'`" in shown and "secret" not in shown
