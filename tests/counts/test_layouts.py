"""Layouts: each published one in its publisher's header, roles by header and cells, and the questions they leave."""

import pytest

from twofold.counts.config import SourceConfig
from twofold.counts.csv import find_table
from twofold.counts.layouts import KNOWN, find_roles
from twofold.counts.load import load_panel, read_panel
from twofold.engine.errors import DataError

PLAIN = SourceConfig()
NEW = {"A": [4, 9, 2, 7], "B": [8, 1, 5, 3]}
"""Counts of two regions on four dates."""


def table(header: str, row: str, dates: list[str], extra: str = "") -> str:
    """Rows of a layout; {r}: the region, {d}: the date, {n}: its count, {c}: the sum so far."""
    lines = [header]
    for region, counts in NEW.items():
        so_far = 0
        for day, count in zip(dates, counts, strict=True):
            so_far += count
            lines.append(row.format(r=region, d=day, n=count, c=so_far))
    return "\n".join([*lines, *extra.splitlines()]) + "\n"


DAYS = ["2022-05-06", "2022-05-07", "2022-05-08", "2022-05-09"]
WEEKS = ["2022-05-07", "2022-05-14", "2022-05-21", "2022-05-28"]
ISO = ["2022-W18", "2022-W19", "2022-W20", "2022-W21"]
SUNDAYS = ["2022-05-08", "2022-05-15", "2022-05-22", "2022-05-29"]

# name of the layout -> text, kind, names of the regions A and B, dates
SAMPLES: dict[str, tuple[str, str, list[str], list[str]]] = {
    "NYT, US counties": (
        table("date,county,state,fips,cases,deaths", "{d},Kent,{r},10001,{c},0", DAYS),
        "cumulative",
        ["Kent, A", "Kent, B"],
        DAYS,
    ),
    "NYT, US states": (
        table("date,state,fips,cases,deaths", "{d},{r},53,{c},0", DAYS),
        "cumulative",
        ["A", "B"],
        DAYS,
    ),
    "OWID": (
        table(
            "location,iso_code,date,total_cases,total_deaths,new_cases,new_deaths,new_cases_smoothed",
            "{r},{r}{r}{r},{d},{c}.0,0.0,{n}.0,0.0,1.29",
            DAYS,
            "\n".join(f"Oceania,OWID_OCE,{day},9.0,0.0,3.0,0.0,0.43" for day in DAYS),
        ),
        "incident",
        ["A", "B"],
        DAYS,
    ),
    "OWID, compact": (
        table(
            "country,date,total_cases,new_cases,new_cases_smoothed,total_cases_per_million,code,continent,population",
            "{r},{d},{c}.0,{n}.0,0.571,0.1,{r}{r}{r},Asia,1000",
            DAYS,
            "\n".join(f"Low-income countries,{day},9,3,0.43,0.1,OWID_LIC,,900" for day in DAYS),
        ),
        "incident",
        ["A", "B"],
        DAYS,
    ),
    "WHO": (
        table(
            "Date_reported,Country_code,Country,WHO_region,New_cases,Cumulative_cases,New_deaths,Cumulative_deaths",
            "{d},{r}{r},{r},EURO,{n},{c},,0",
            SUNDAYS,
        ),
        "incident",
        ["A", "B"],
        SUNDAYS,
    ),
    "ECDC, by day": (
        table(
            "dateRep,day,month,year,cases,deaths,countriesAndTerritories,geoId,countryterritoryCode,popData2019,"
            "continentExp,Cumulative_number_for_14_days_of_COVID-19_cases_per_100000",
            "{d},6,5,2022,{n},0,{r},{r}{r},{r}{r}{r},1000,Europe,",
            ["28/05/2022", "29/05/2022", "30/05/2022", "31/05/2022"],
        ),
        "incident",
        ["A", "B"],
        ["2022-05-28", "2022-05-29", "2022-05-30", "2022-05-31"],
    ),
    "ECDC, by week": (
        table(
            "country,country_code,continent,population,indicator,weekly_count,year_week,rate_14_day,cumulative_count,"
            "source,note",
            "{r},{r}{r}{r},Europe,1000,cases,{n},{d},,{c},TESSy,",
            ["2022-18", "2022-19", "2022-20", "2022-21"],
            "A,AAA,Europe,1000,deaths,1,2022-18,,1,TESSy,",
        ),
        "incident",
        ["A", "B"],
        SUNDAYS,
    ),
    "ERVISS": (
        table(
            "survtype,countryname,yearweek,pathogen,pathogentype,pathogensubtype,indicator,age,value",
            "non-sentinel,{r},{d},RSV,RSV,total,detections,total,{n}",
            ISO,
            "non-sentinel,A,2022-W18,RSV,RSV,total,detections,0-4,2",
        ),
        "incident",
        ["A", "B"],
        SUNDAYS,
    ),
    "RKI, cases": (
        table(
            "FID,IdBundesland,Bundesland,Landkreis,Altersgruppe,Geschlecht,AnzahlFall,AnzahlTodesfall,Meldedatum,"
            "IdLandkreis,Datenstand,NeuerFall,NeuerTodesfall",
            '1,1,Nord,SK {r},A35-A59,M,{n},0,{d},0100{r},"30.10.2022, 00:00 Uhr",0,-9',
            [f"{day.replace('-', '/')} 00:00:00+00" for day in DAYS],
            "2,1,Nord,SK A,A60-A79,W,6,0,2022/05/06 00:00:00+00,0100A,x,1,-9\n"
            "3,1,Nord,SK A,A60-A79,W,-5,0,2022/05/06 00:00:00+00,0100A,x,-1,-9",
        ),
        "incident",
        ["0100A", "0100B"],
        DAYS,
    ),
    "RKI, incidence of the states": (
        table(
            "Meldedatum,Bundesland_id,Altersgruppe,Bevoelkerung,Faelle_gesamt,Faelle_neu,Faelle_7-Tage,Inzidenz_7-Tage",
            "{d},{r},00+,1000,{c},{n},9,0.9",
            DAYS,
            "2022-05-06,A,00-04,100,2,2,2,2.0",
        ),
        "incident",
        ["A", "B"],
        DAYS,
    ),
    "RKI, incidence of the districts": (
        table(
            "Meldedatum,Landkreis_id,Altersgruppe,Bevoelkerung,Faelle_gesamt,Faelle_neu,Faelle_7-Tage,Inzidenz_7-Tage",
            "{d},0100{r},00+,1000,{c},{n},9,0.9",
            DAYS,
        ),
        "incident",
        ["0100A", "0100B"],
        DAYS,
    ),
    "RKI, by week": (
        table(
            "Saison\tMeldewoche\tRegion\tRegion_Id\tAltersgruppe\tFallzahl\tInzidenz",
            "2021/22\t{d}\t{r}\t1\t00+\t{n}\t0.1",
            ISO,
            "2021/22\t2022-W18\tA\t1\t00-04\t2\t0.1",
        ),
        "incident",
        ["A", "B"],
        SUNDAYS,
    ),
    "FluView, ILINet": (
        "PERCENTAGE OF VISITS FOR INFLUENZA-LIKE-ILLNESS REPORTED BY SENTINEL PROVIDERS\n"
        + table(
            "REGION TYPE,REGION,YEAR,WEEK,% WEIGHTED ILI,%UNWEIGHTED ILI,AGE 0-4,AGE 25-49,AGE 25-64,AGE 5-24,"
            "AGE 50-64,AGE 65,ILITOTAL,NUM. OF PROVIDERS,TOTAL PATIENTS",
            "States,{r},2022,{d},X,2.1,X,X,X,X,X,X,{n},35,11664",
            ["18", "19", "20", "21"],
        ),
        "incident",
        ["A", "B"],
        WEEKS,
    ),
    "hub, time series": (
        table(
            "as_of,target,target_end_date,location,location_name,observation,weekly_rate",
            "2022-06-11,wk inc flu hosp,{d},0{r},{r},{n}.0,0.197",
            WEEKS,
            "2022-06-04,wk inc flu hosp,2022-05-28,0A,A,99.0,0.31",
        ),
        "incident",
        ["0A", "0B"],
        WEEKS,
    ),
    "hub, target data": (
        table("date,location,location_name,value,weekly_rate", "{d},0{r},{r},{n},1.6", WEEKS),
        "incident",
        ["A", "B"],
        WEEKS,
    ),
    "hub, versions": (
        table(
            "as_of,target_end_date,location,value",
            "2022-06-11,{d},0{r},{n}",
            WEEKS,
            "2022-06-04,2022-05-28,0A,99",
        ),
        "incident",
        ["0A", "0B"],
        WEEKS,
    ),
    "JHU, daily reports": (
        table("Province_State,Country_Region,date,Lat,Long_,Confirmed,Deaths", "{r},US,{d},1.5,-2.5,{c},0", DAYS),
        "cumulative",
        ["A", "B"],
        DAYS,
    ),
}


def test_each_known_layout_has_a_sample():
    assert list(SAMPLES) == [layout.name for layout in KNOWN]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_published_layout_is_read_as_its_publisher_means_it(name, tmp_path):
    text, kind, regions, dates = SAMPLES[name]
    path = tmp_path / "published.csv"
    path.write_text(text)
    panel = read_panel(path, PLAIN)
    counts = [list(row) for row in NEW.values()]
    if name == "RKI, cases":
        counts[0][0] += 6  # a further case of the day; the case that was taken back is none
    if kind == "cumulative":
        counts = [[sum(row[: t + 1]) for t in range(len(row))] for row in counts]
    assert list(panel.regions) == regions
    assert panel.dates.astype(str).tolist() == dates
    assert panel.values.tolist() == counts
    assert panel.kind == kind
    table = find_table("published.csv", text.encode())
    assert find_roles(table, PLAIN).layout == f"long ({name})"


def test_in_a_listing_of_cases_a_date_without_a_row_had_none(tmp_path):
    text = SAMPLES["RKI, cases"][0]
    path = tmp_path / "cases.csv"
    path.write_text("\n".join(line for line in text.splitlines() if "2022/05/07" not in line or "0100B" in line))
    assert read_panel(path, PLAIN).values.tolist() == [[10, 0, 2, 7], [8, 1, 5, 3]]


def roles(text: str, **config):
    return find_roles(find_table("t.csv", text.encode()), SourceConfig(**config))


def test_names_are_taken_before_their_codes_wherever_they_stand():
    for header, row in (("code,Ort,Tag,n", "{c},{r},{d},{n}"), ("Ort,code,Tag,n", "{r},{c},{d},{n}")):
        lines = [row.format(c=c, r=r, d=day, n=4) for c, r in (("DE1", "Nordhausen"), ("DE2", "Suhl")) for day in DAYS]
        assert roles("\n".join([header, *lines])).region == (header.split(",").index("Ort"),)


def test_a_column_that_never_changes_names_no_region():
    lines = [f"{day},{region},final,{n}" for region in ("Suhl", "Jena") for n, day in enumerate(DAYS)]
    assert roles("\n".join(["Tag,Ort,Status,n", *lines])).region == (1,)


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("county,state,date,cases", "{r},{r}{n},{d},{n}", "'state', 'county' could hold the regions .*--source.region"),
        ("Ort,Tag,a,b", "{r},{d},{n},{c}", "'a', 'b' could hold the counts; .*--source.value .*--source.layout transp"),
        ("region,when,then,cases", "{r},{d},{d},{n}", "'when', 'then' could hold the dates; .*--source.date NAME"),
        ("region,date,cases per 100k", "{r},{d},{n}", "holds rates or smoothed values"),
    ],
)
def test_what_the_columns_leave_open_is_asked(header, row, message):
    with pytest.raises(DataError, match=message):
        roles(table(header, row, DAYS))


def test_a_transposed_table_may_have_weeks_in_two_columns(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("iso_year,iso_week,A,B\n2022,18,4,8\n2022,19,9,1\n2022,20,2,5\n")
    panel = load_panel(path, SourceConfig(layout="transposed"))
    assert (panel.dates.astype(str).tolist(), panel.values.tolist()) == (SUNDAYS[:3], [[4, 9, 2], [8, 1, 5]])
