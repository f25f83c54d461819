"""A hub's locations: what is read, what is refused."""

from pathlib import Path

import polars as pl
import pytest

from twofold.engine.errors import DataError, InputError
from twofold.hub.tables import read_locations, with_population

TEXT = """\
abbreviation,location,location_name,population,count_rate1
US,US,US,332200066,3322
AL,01,Alabama,5063778,51
"""


@pytest.fixture
def write(tmp_path):
    """Writes a CSV and gives its path."""

    def to_file(text: str) -> Path:
        path = tmp_path / "locations.csv"
        path.write_text(text)
        return path

    return to_file


def test_codes_keep_their_zeros_and_come_sorted(write) -> None:
    assert read_locations(write(TEXT)).to_dicts() == [
        {"location": "01", "abbreviation": "AL", "name": "Alabama", "population": 5063778},
        {"location": "US", "abbreviation": "US", "name": "US", "population": 332200066},
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("5063778", "0", r"row 3, column 'population': must be at least 1 person, got 0"),
        ("AL,01", "AL,US", r"row 3: location 'US' stands above already"),
        ("5063778", "", r"row 3, column 'population': the cell is empty"),
        (TEXT[TEXT.index("US,US") :], "", r"there is a header but no location"),
    ],
)
def test_a_broken_table_is_refused(write, old: str, new: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_locations(write(TEXT.replace(old, new)))


def test_a_place_without_population_is_refused(write) -> None:
    locations = read_locations(write(TEXT))
    assert with_population(pl.DataFrame({"location": ["US", "01", "US"]}), locations)["population"].to_list() == [
        332200066,
        5063778,
        332200066,
    ]
    with pytest.raises(InputError, match=r"it lacks \['72'\]"):
        with_population(pl.DataFrame({"location": ["72", "01"]}), locations)


@pytest.mark.realdata
@pytest.mark.parametrize("season", ["2023-24", "2024-25"])
def test_the_hubs_files(data_folder: Path, season: str) -> None:
    locations = read_locations(data_folder / "flusight" / f"locations_{season}.csv")
    assert (locations.height, locations["location"][0], locations["location"][-1]) == (53, "01", "US")
