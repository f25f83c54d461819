"""Files unpacked: zips and workbooks."""

import io
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
import xlsxwriter

from twofold.counts.config import SourceConfig
from twofold.counts.files import is_workbook, sheet_rows, unzipped
from twofold.counts.load import read_panel, read_table
from twofold.engine import unpack
from twofold.engine.errors import DataError

CSV = b"region,date,value\nChad,2020-01-01,1\nChad,2020-01-02,2\nChad,2020-01-03,0\n"
PATH = Path("cases.zip")


def packed(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def workbook(sheets: dict[str, list[list[object]]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "dd.mm.yyyy"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for i, row in enumerate(rows):
                sheet.write_row(i, 0, row)
    return out.getvalue()


SHEET: list[list[object]] = [["region", "date", "value"]]
SHEET += [["Chad", datetime(2020, 1, day), day * 1000] for day in (1, 2, 3)]


def test_the_one_member_of_a_zip_is_taken_whatever_lies_hidden_beside_it():
    data = packed({"data/cases.csv": CSV, "__MACOSX/data/._cases.csv": b"\0", "data/.DS_Store": b"\0"})
    assert unzipped(PATH, data) == (CSV, "data/cases.csv")
    assert unzipped(PATH, CSV) == (CSV, None)


def test_a_member_that_unpacks_to_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(unpack, "FREE_BYTES", 20)
    monkeypatch.setattr(unpack, "RATIO", 0)
    with pytest.raises(DataError, match=r"cases\.zip: its table unpacks from [0-9]+ bytes to more than"):
        unzipped(PATH, packed({"a.csv": CSV}))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.csv": CSV, "b.csv": CSV}, r"holds 2 files \('a.csv', 'b.csv'\)"),
        ({f"{i}.csv": CSV for i in range(9)}, r"holds 9 files \(.*'5.csv', …\)"),
        ({".hidden": CSV}, r"holds 0 files \(none\)"),
        ({"a.csv": b" \n"}, "'a.csv' is empty"),
    ],
)
def test_a_zip_without_one_table_is_refused(members, message):
    with pytest.raises(DataError, match=message):
        unzipped(PATH, packed(members))


def test_a_workbook_is_told_from_a_zip_and_read_with_its_dates(tmp_path):
    path = tmp_path / "cases.xlsx"
    path.write_bytes(workbook({"notes": [], "Cases": SHEET}))
    assert is_workbook(path.read_bytes())
    assert not is_workbook(packed({"a.csv": CSV}))
    panel = read_panel(path, SourceConfig())
    assert panel.values.tolist() == [[1000, 2000, 3000]]
    assert panel.dates.astype(str).tolist() == ["2020-01-01", "2020-01-02", "2020-01-03"]
    assert panel.notes[0] == "Read from the sheet 'Cases'."


def test_a_place_in_a_sheet_is_the_row_that_the_spreadsheet_shows(tmp_path):
    path = tmp_path / "cases.xlsx"
    path.write_bytes(workbook({"Cases": [["Cases of 2020"], [], *SHEET[:3], ["Chad", datetime(2020, 1, 3), "many"]]}))
    with pytest.raises(DataError, match=r"row 6, column 3 \('value'\).*'many' is not a number"):
        read_panel(path, SourceConfig())


def test_cells_far_away_that_are_only_formatted_do_no_harm(tmp_path):
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "dd.mm.yyyy"}) as book:
        sheet = book.add_worksheet("Cases")
        for i, row in enumerate(SHEET):
            sheet.write_row(i, 0, row)
        sheet.write_blank(1_048_575, 9, None, book.add_format({"bold": True}))
    path = tmp_path / "cases.xlsx"
    path.write_bytes(out.getvalue())
    assert read_panel(path, SourceConfig()).values.tolist() == [[1000, 2000, 3000]]
    far = workbook({"Cases": [*SHEET, *[[]] * 1_000_000, [*[None] * 9, 1]]})
    with pytest.raises(
        DataError, match=r"t: xl/worksheets/sheet1\.xml spans 1,000,005 rows and 10 columns and holds 13"
    ):
        sheet_rows("t", far, None)


def test_a_sheet_is_named_where_several_are_filled():
    data = workbook({"Cases": SHEET, "Deaths": SHEET[:2]})
    assert sheet_rows("t", data, "Deaths")[0][1][0] == "Chad"
    with pytest.raises(DataError, match=r"2 sheets hold cells .*--source.sheet NAME"):
        sheet_rows("t", data, None)
    with pytest.raises(DataError, match="no sheet 'cases'; there are 'Cases', 'Deaths'"):
        sheet_rows("t", data, "cases")
    with pytest.raises(DataError, match="every sheet is empty"):
        sheet_rows("t", workbook({"a": []}), None)


def test_a_sheet_is_asked_for_of_workbooks_only(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_bytes(CSV)
    with pytest.raises(DataError, match=r"--source.sheet is for Excel workbooks"):
        read_table(path, SourceConfig(sheet="Cases"))
