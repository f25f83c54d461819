"""Shape and type checks on in every test, and where the real data lies."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("twofold", "beartype.beartype")


@pytest.fixture
def data_folder() -> Path:
    """The folder of real data sets; a test without it is skipped (`.ci/run` fails on that where the data is there)."""
    folder = os.environ.get("TWOFOLD_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real data: TWOFOLD_DATA names no folder")
    return Path(folder)
