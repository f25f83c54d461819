"""Codes of places, for every name in both real files."""

import csv

import pycountry
import pytest

from twofold.counts.places import SHIPS, iso2, ship

NO_COUNTRY = {"Diamond Princess", "MS Zaandam", "Summer Olympics 2020", "Winter Olympics 2022"}


@pytest.mark.parametrize(
    ("region", "code"),
    [
        ("Brunei", "bn"),
        ("Burma", "mm"),
        ("Congo (Brazzaville)", "cg"),
        ("Congo (Kinshasa)", "cd"),
        ("Cote d'Ivoire", "ci"),
        ("Holy See", "va"),
        ("Korea South", "kr"),
        ("Korea, South", "kr"),
        ("Korea, North", "kp"),
        ("Kosovo", "xk"),
        ("Russia", "ru"),
        ("Taiwan*", "tw"),
        ("Turkey", "tr"),
        ("West Bank and Gaza", "ps"),
        ("US", "us"),
        ("Antarctica", "aq"),
        ("Niger", "ne"),
        ("Nigeria", "ng"),
        ("Guinea", "gn"),
        ("Dominica", "dm"),
        ("Micronesia", "fm"),
    ],
)
def test_names_that_a_search_could_get_wrong(region, code):
    assert iso2(region) == code


@pytest.mark.parametrize("region", [*sorted(NO_COUNTRY), "", "Atlantis", "Nigeri"])
def test_ships_events_and_unknown_names_have_no_code(region):
    assert iso2(region) is None


def test_ships():
    assert ship("Diamond Princess")
    assert not ship("Italy")
    assert SHIPS <= NO_COUNTRY


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "column", "skip", "names"),
    [("covid_19.csv", 0, 3, 185), ("time_series_covid19_confirmed_global.csv", 1, 1, 201)],
)
def test_every_place_of_the_real_files_has_its_own_code(data_folder, file, column, skip, names):
    with (data_folder / file).open(encoding="utf-8") as lines:
        places = {row[column] for row in list(csv.reader(lines))[skip:]}
    codes = [code for place in sorted(places - NO_COUNTRY) if (code := iso2(place))]
    assert len(places) == names
    assert len(codes) == len(places - NO_COUNTRY)
    assert len(set(codes)) == len(codes)
    assert all(code == "xk" or pycountry.countries.get(alpha_2=code.upper()) for code in codes)
