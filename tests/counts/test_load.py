"""Readers: layouts, notes, and the message for every fault of a table."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twofold.counts.config import SourceConfig
from twofold.counts.load import load_panel, read_frame, read_panel
from twofold.counts.panel import corrections
from twofold.engine.errors import DataError, InputError

ORIGINAL = """\
,Lat,Long,1/30/20,1/31/20,2002/1/20,2002/2/20
,sum,sum,sum,sum,sum,sum
Country/Region,,,,,,
Italy,42,12,0,2,2,5
Korea South,36,128,1,1,4,4
"""
JHU = """\
Province/State,Country/Region,Lat,Long,1/30/20,1/31/20,2/1/20,2/2/20
,Italy,42,12,0,2,2,5
Hubei,China,31,112,10,20,30,25
Hunan,China,27,111,1,2,3,4
"""
LONG = """\
region,date,value
Peru,2020-01-02,4
Chad,2020-01-01,1
Chad,2020-01-03,0
Peru,2020-01-01,7
Peru,2020-01-03,9
Chad,2020-01-02,2
"""
PLAIN = SourceConfig()


@pytest.fixture
def write(tmp_path):
    """Writes text or bytes to a file and gives its path."""

    def to_file(content: str | bytes, name: str = "counts.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return to_file


def days(panel) -> list[str]:
    return panel.dates.astype(str).tolist()


# --- layouts ---


def test_the_original_layout_with_its_mangled_dates(write):
    panel = read_panel(write(ORIGINAL), PLAIN)
    assert panel.regions == ("Italy", "Korea South")
    assert days(panel) == ["2020-01-30", "2020-01-31", "2020-02-01", "2020-02-02"]
    assert panel.values.tolist() == [[0, 2, 2, 5], [1, 1, 4, 4]]
    assert panel.kind == "cumulative"
    assert panel.notes == (
        "2 dates mangled by a spreadsheet, such as 2002/1/20, read by position: 2002/1/20 as 2020-02-01.",
    )


def test_dates_that_are_evenly_spaced_as_they_stand_are_not_repaired(write):
    header = "1/30/20,1/31/20,2002/1/20,2002/2/20"
    panel = read_panel(write(ORIGINAL.replace(header, "2002/1/20,2002/1/21,2002/1/22,2002/1/23")), PLAIN)
    assert days(panel)[0] == "2002-01-20"
    assert panel.notes == ()


def test_a_repair_that_does_not_give_consecutive_days_is_refused(write):
    path = write(ORIGINAL.replace("2002/2/20", "2002/4/20"))
    with pytest.raises(DataError, match=r"the dates jump from 2020-02-01 to 2020-02-04, 3 days"):
        read_panel(path, PLAIN)


def test_jhus_layout_sums_provinces(write):
    panel = read_panel(write(JHU), PLAIN)
    assert panel.regions == ("Italy", "China")
    assert panel.values.tolist() == [[0, 2, 2, 5], [11, 22, 33, 29]]
    assert panel.kind == "cumulative"
    assert panel.notes == ("3 rows of provinces and countries were summed to 2 regions.",)


def test_the_long_layout_in_any_order_comes_out_sorted(write):
    panel = read_panel(write(LONG), PLAIN)
    assert panel.regions == ("Chad", "Peru")
    assert days(panel) == ["2020-01-01", "2020-01-02", "2020-01-03"]
    assert panel.values.tolist() == [[1, 2, 0], [7, 4, 9]]
    assert panel.kind == "incident"


def test_long_columns_can_be_named(write):
    path = write(LONG.replace("region,date,value", "place,when,cases"))
    panel = read_panel(path, SourceConfig(region="place", date="when", value="cases", kind="cumulative"))
    assert panel.values.tolist() == [[1, 2, 0], [7, 4, 9]]
    assert panel.kind == "cumulative"


def test_weekly_dates(write):
    weekly = LONG.replace("2020-01-03", "2020-01-15").replace("2020-01-02", "2020-01-08")
    assert read_panel(write(weekly), PLAIN).step_days == 7


@pytest.mark.parametrize("text", [ORIGINAL, JHU, LONG])
def test_compression_line_ends_and_encoding_marks_change_nothing(write, text):
    plain = read_panel(write(text), PLAIN)
    forms = {
        "packed.csv.gz": gzip.compress(text.encode()),
        "packed-without-suffix.csv": gzip.compress(text.encode()),
        "windows.csv": text.replace("\n", "\r\n").encode(),
        "mark.csv": text.encode("utf-8-sig"),
        "utf16.csv": text.encode("utf-16"),
    }
    assert {read_panel(write(data, name), PLAIN).digest() for name, data in forms.items()} == {plain.digest()}


def test_latin_1_is_read_and_noted(write):
    panel = read_panel(write(LONG.replace("Peru", "Curaçao").encode("latin-1")), PLAIN)
    assert panel.regions == ("Chad", "Curaçao")
    assert panel.notes == ("The file is not UTF-8 and was read as Windows-1252 (Latin-1); check: Curaçao.",)


def test_thousands_separators_are_read_and_noted(write):
    panel = read_panel(write(LONG.replace(",9\n", ',"1,234"\n')), PLAIN)
    assert panel.values[1].tolist() == [7, 4, 1234]
    assert panel.notes == ("1 count with thousands separators; '1,234' was read as 1234.",)


def test_parquet_and_frame_give_what_the_csv_gives(write, tmp_path):
    panel = read_panel(write(LONG), PLAIN)
    frame = pl.read_csv(LONG.encode(), try_parse_dates=True)
    frame.write_parquet(tmp_path / "counts.parquet")
    others = [
        read_panel(tmp_path / "counts.parquet", PLAIN),
        read_frame(frame, PLAIN),
        read_frame(frame.with_columns(pl.col("date").cast(pl.Datetime), pl.col("value").cast(pl.Float64)), PLAIN),
        read_frame(frame.with_columns(pl.col("date").cast(pl.Datetime("us", "UTC"))), PLAIN),
        read_frame(frame.cast(pl.String), PLAIN),
    ]
    assert {other.digest() for other in others} == {panel.digest()}


def test_a_panels_frame_reads_back(write):
    panel = read_panel(write(JHU), PLAIN)
    again = read_frame(panel.frame(), SourceConfig(kind="cumulative"))
    assert again.regions == ("China", "Italy")
    assert again.values.tolist() == panel.values[::-1].tolist()


# --- errors: the message names file, row, column and a remedy ---

REFUSED_LONG = {
    "unparsable date": ("03,9", "03x,9", r"row 6, column 2 \('date'\): '2020-01-03x' is not a date; write"),
    "ambiguous dates": (
        LONG,
        "region,date,value\nA,1/3/20,1\nA,2/5/20,1\nA,4/7/20,1\n",
        r"row 2, column 2 \('date'\): '1/3/20' can be read month first or day first",
    ),
    "empty date": ("2020-01-03,9", ",9", r"row 6, column 2 \('date'\): the date is empty"),
    "duplicate": ("Chad,2020-01-02", "Chad,2020-01-01", r"row 7: 'Chad' on 2020-01-01 already stands in row 3; remove"),
    "missing row": ("Peru,2020-01-02,4\n", "", r"1 cell has no count, of 6 .*'Peru' on 2020-01-02"),
    "missing rows": ("Peru,2020-01-02,4\nChad,2020-01-01,1\n", "", r"2 cells have no count, .*'Chad' on 2020-01-01"),
    "gap": ("2020-01-03", "2020-01-05", r"jump from 2020-01-02 to 2020-01-05, 3 days; every region"),
    "two dates": (
        LONG,
        "region,date,value\nA,2020-01-01,1\nA,2020-01-02,2\n",
        r"at least 3 dates are needed, found 2 \(2020",
    ),
    "negative": (",9", ",-9", r"row 6, column 3 .*'Peru' on 2020-01-03: -9 new .*--negatives clip .*--negatives redis"),
    "fraction": (",9", ",9.5", r"row 6, column 3 \('value'\), 'Peru' on 2020-01-03: '9.5' is a fraction"),
    "no number": (",9", ",nine", r"row 6, column 3 .*'Peru' on 2020-01-03: 'nine' is not a number"),
    "empty count": (",9", ",", r"1 cell has no count, .*'Peru' on 2020-01-03.*--source.missing zero"),
    "infinite": (",9", ",inf", r"row 6, .*'inf' is not finite"),
    "huge": (",9", ",99999999999999999999", r"row 6, .*larger than any count of cases"),
    "empty region": ("Peru,2020-01-03", ",2020-01-03", r"row 6, column 1 \('region'\): the region's name is empty"),
    "ragged": (",9", ",9,9", r"row 6: the row has 4 cells but the header has 3"),
    "column twice": ("region,date", "date,date", r"no column holds the regions .*; found 'date', 'date', 'value'"),
    "two columns of counts": (",value", ",a,b", r"row [0-9]: the row has 3 cells but the header has 4"),
    "no header": ("region,date,value\n", "", r"row 1: '2020-01-02' is no name of a column, so the header is missing"),
    "a rate": (",value", ",rate_per_100k", r"by its name it holds rates .*counts of cases are needed"),
    "NUL": ("Peru,2020-01-03", "Peru\0,2020-01-03", r"row 6: the file holds NUL bytes"),
    "open quote": ("Peru,2020-01-03", '"Peru,2020-01-03', r"row 6: quotes or line ends are broken"),
    "header only": (LONG, "region,date,value\n", r"there is a header but no row of counts"),
}
REFUSED_JHU = {
    "duplicate row": (
        "Hunan",
        "Hubei",
        r"row 4, column 2 \('Country/Region'\): 'China' already stands in row 3; remove one of the two rows",
    ),
    "unsorted": (
        "2/1/20,2/2/20",
        "2/2/20,2/1/20",
        r"row 1, column 8 \('2/1/20'\): the date 2020-02-01 comes after 2020-02-02",
    ),
    "reversed": (
        "1/30/20,1/31/20",
        "1/31/20,1/30/20",
        r"column 6 .*2020-01-30 comes after 2020-01-31; sort the columns",
    ),
    "gap": ("2/2/20", "2/4/20", r"the dates jump from 2020-02-01 to 2020-02-04, 3 days"),
    "date twice": ("2/2/20", "2/1/20", r"row 1, column 8 .*the date 2/1/20 stands twice"),
    "bad date": ("2/2/20", "total", r"row 1, column 8: 'total' is not a date.*every header from column 5 on"),
    "negative total": (
        ",0,2,2,5",
        ",-1,2,2,5",
        r"row 2, column 5 \('1/30/20'\), 'Italy' on 2020-01-30: a running total can't",
    ),
    "no number": ("20,30,25", "20,z,25", r"row 3, column 7 \('2/1/20'\), 'China' on 2020-02-01: 'z' is not a number"),
    "empty cell": ("20,30,25", "20,,25", r"1 cell has no count, of 8 .*'China' on 2020-02-01"),
    "ragged": ("20,30,25", "20,30", r"row 3: the row has 7 cells but the header has 8"),
    "no name": (",Italy", ",", r"row 2, column 2 \('Country/Region'\): the region's name is empty"),
    "column twice": ("Lat,Long", "Lat,Lat", r"row 1: the column 'Lat' stands 2 times; remove one"),
    "few dates": (JHU, "Country/Region,1/1/20,1/2/20\nA,1,2\nB,1,2\n", r"at least 3 date columns are needed, found 2"),
    "header only": (JHU, JHU.splitlines()[0], r"there is a header but no row of counts"),
}
REFUSED_ORIGINAL = {
    "header row gone": (",sum,sum,sum,sum,sum,sum\n", "", r"three header rows .* but row 2 isn't one"),
    "corner": ("Country/Region", "Country", r"'Country/Region' in row 3; got .* and \['Country'\]"),
    "cut": (ORIGINAL, ",Lat\n,sum\n", r"three header rows .* but row 3 isn't one"),
    "duplicate row": ("Korea South", "Italy", r"row 5, column 1: 'Italy' already stands in row 4"),
}
REFUSED = [
    pytest.param(good.replace(old, new), message, id=f"{layout}: {name}")
    for layout, good, cases in (
        ("long", LONG, REFUSED_LONG),
        ("jhu", JHU, REFUSED_JHU),
        ("original", ORIGINAL, REFUSED_ORIGINAL),
    )
    for name, (old, new, message) in cases.items()
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_table_that_breaks_a_rule_is_refused(write, text, message):
    path = write(text)
    with pytest.raises(DataError, match=message) as caught:
        read_panel(path, PLAIN)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"", "empty.csv", "the file is empty"),
        (b"\n \n", "blank.csv", "the file is empty"),
        (b"\xef\xbb\xbf\n", "mark.csv", "blank lines only"),
        (gzip.compress(LONG.encode(), mtime=0)[:-9], "cut.csv.gz", "gzip file is cut or damaged"),
        (LONG.encode(), "false.csv.gz", "named .gz but is not gzip"),
        (b"PK\x03\x04rest", "sheet.xlsx", "the zip file is cut or damaged"),
        (b"\xd0\xcf\x11\xe0rest", "sheet.xls", "an old Excel workbook .*export the sheet as CSV"),
        (LONG.replace("Peru", "Перу").encode("cp1251"), "cyrillic.csv", "row 2: byte 0xcf is neither UTF-8 nor"),
        (LONG.encode("utf-16-le"), "unmarked.csv", "row 1: the file holds NUL bytes"),
        (LONG.encode("utf-16")[:-1], "half.csv", "marked as utf-16 but damaged"),
        (b"PAR1" + b"\x07" * 40 + b"PAR1", "broken.parquet", "Parquet file is cut or damaged"),
    ],
)
def test_a_file_that_is_no_table_is_refused(write, data, name, message):
    with pytest.raises(DataError, match=message) as caught:
        read_panel(write(data, name), PLAIN)
    assert name in str(caught.value)


def test_a_missing_file_a_folder_and_a_forbidden_file_have_messages_of_their_own(tmp_path, write, monkeypatch):
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
        read_panel(tmp_path / "nowhere.csv", PLAIN)
    with pytest.raises(DataError, match="is a folder"):
        read_panel(tmp_path, PLAIN)
    path = write(LONG)

    def forbidden(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(DataError, match="no permission to read the file"):
        read_panel(path, PLAIN)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"date": pl.datetime(2020, 1, 1, 12)}, r"frame, row 1, column 2 \('date'\): .*12:00:00' is not a date"),
        ({"value": pl.lit(None)}, "frame: no cell of the counts holds a number"),
        ({"value": pl.lit(float("nan"))}, "frame: no cell of the counts holds a number"),
        ({"value": pl.lit(float("inf"))}, "'inf' is not finite"),
        ({"value": pl.lit(1.25)}, "'1.25' is a fraction"),
        ({"value": pl.lit(2**62)}, "larger than any count"),
        ({"value": pl.concat_list("value")}, r"column 'value': holds List\(Int64\); text, dates or numbers"),
        ({"region": pl.lit("Chad")}, "frame, row 4: 'Chad' on 2020-01-01 already stands in row 2"),
    ],
)
def test_a_frame_that_breaks_a_rule_is_refused(change, message):
    frame = pl.read_csv(LONG.encode(), try_parse_dates=True).with_columns(**change)
    with pytest.raises(DataError, match=message):
        read_frame(frame, PLAIN)


def test_an_empty_frame_is_refused_and_one_of_a_single_region_read():
    frame = pl.read_csv(LONG.encode())
    with pytest.raises(DataError, match="frame: there are columns but no row"):
        read_frame(frame.clear(), PLAIN)
    assert read_frame(frame.filter(pl.col("region") == "Chad"), PLAIN).regions == ("Chad",)


def test_a_layout_that_the_file_does_not_have_is_refused(write):
    with pytest.raises(DataError, match="the layout `jhu` needs a column 'Country/Region'"):
        read_panel(write(LONG), SourceConfig(layout="jhu"))
    with pytest.raises(DataError, match="the layout `original` has three header rows"):
        read_panel(write(JHU), SourceConfig(layout="original"))


def test_negative_new_cases_are_read_when_their_treatment_is_chosen(write):
    path = write(LONG.replace(",9", ",-3"))
    panel = load_panel(path, SourceConfig(negatives="redistribute"))
    assert panel.values[1].tolist() == [7, 4, -3]
    assert panel.increments("redistribute").counts[1].tolist() == [7, 1, 0]
    assert panel.notes == (
        "1 downward correction in 1 region, the largest of 3 cases (Peru, 2020-01-03): taken off the dates before "
        "(--negatives redistribute).",
    )


# --- load_panel ---


def test_without_a_file_the_panel_is_simulated():
    panel = load_panel(None, SourceConfig(simulation_seed=3))
    assert "Simulated" in panel.notes[0]
    assert "seed 3" in panel.notes[0]


def test_drop_last_applies_to_every_source(write):
    config = SourceConfig(drop_last=1)
    assert len(load_panel(None, config).dates) == 199
    assert days(load_panel(write(JHU), config))[-1] == "2020-02-01"
    assert days(load_panel(load_panel(write(JHU), PLAIN).frame(), config))[-1] == "2020-02-01"
    with pytest.raises(InputError, match=r"must lie in \[0, 1\]"):
        load_panel(write(JHU), SourceConfig(drop_last=2))


def test_corrections_in_running_totals_are_kept_counted_and_noted(write):
    panel = load_panel(write(JHU), PLAIN)
    assert panel.values[1].tolist() == [11, 22, 33, 29]
    assert panel.notes[1] == (
        "1 downward correction in 1 region, the largest of 4 cases (China, 2020-02-02): kept as negative increments "
        "(--negatives keep)."
    )


def test_new_cases_that_never_fall_and_totals_that_often_do_are_noted(write):
    rows = [(region, f"2020-01-{day:02}", day * 100) for region in ("Chad", "Peru") for day in range(1, 12)]
    rising = "region,date,value\n" + "".join(f"{region},{day},{count}\n" for region, day, count in rows)
    falling = rising.replace("900\n", "0\n").replace("500\n", "0\n")
    assert "look like running totals" in load_panel(write(rising), PLAIN).suspicions[-1].text
    assert load_panel(write(rising), SourceConfig(kind="cumulative")).suspicions == ()
    assert load_panel(write(falling), PLAIN).suspicions == ()
    assert (
        "add --source.kind incident" in load_panel(write(falling), SourceConfig(kind="cumulative")).suspicions[-1].text
    )


def test_an_incomplete_tail_is_noted(write):
    rng = np.random.default_rng(0)
    counts = rng.poisson(100, size=(20, 60))
    counts[:, -1] = 3
    dates = np.datetime64("2020-01-01") + np.arange(60)
    rows = [f"region {r},{dates[t]},{counts[r, t]}\n" for r in range(20) for t in range(60)]
    path = write("region,date,value\n" + "".join(rows))
    assert "--drop-last 1" in load_panel(path, PLAIN).suspicions[-1].text
    assert load_panel(path, SourceConfig(drop_last=1)).suspicions == ()


# --- the real files ---


@pytest.mark.realdata
def test_the_original_studys_file(data_folder):
    panel = read_panel(data_folder / "covid_19.csv", PLAIN)
    assert panel.values.shape == (185, 82)
    assert (days(panel)[0], days(panel)[-1], panel.step_days) == ("2020-01-22", "2020-04-12", 1)
    assert panel.notes[0].startswith("36 dates mangled by a spreadsheet, such as 2002/1/20")
    assert panel.values[panel.regions.index("Afghanistan"), -3:].tolist() == [521, 555, 607]
    assert {"Diamond Princess", "MS Zaandam"} <= set(panel.regions)


@pytest.mark.realdata
def test_jhus_whole_series(data_folder):
    panel = read_panel(data_folder / "time_series_covid19_confirmed_global.csv", PLAIN)
    assert panel.values.shape == (201, 1143)
    assert (days(panel)[0], days(panel)[-1]) == ("2020-01-22", "2023-03-09")
    assert panel.notes == ("289 rows of provinces and countries were summed to 201 regions.",)
    assert len(corrections(panel)) == 171
