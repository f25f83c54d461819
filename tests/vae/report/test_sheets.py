"""Sheets are read back pixel by pixel: each image must stand where the docstring says."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from twofold.vae.report import sheets
from twofold.vae.report.sheets import GAP, LINE, WIDE_GAP

WHITE = 255


def images(count: int, height: int = 5, width: int = 4, channels: int = 3) -> np.ndarray:
    """Images of which no two pixels are alike, and none is white."""
    total = count * height * width * channels
    return (np.arange(total, dtype=np.int64) * 37 % 251).astype(np.uint8).reshape(count, height, width, channels)


def read(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


def cut(sheet: np.ndarray, x: int, y: int, width: int, height: int) -> np.ndarray:
    return sheet[y : y + height, x : x + width]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1, 3])
def test_grid_puts_each_pixel_in_reading_order(channels: int, scale: int) -> None:
    tiles = images(7, channels=channels)
    sheet = read(sheets.grid(tiles, columns=3, scale=scale))
    assert sheet.shape == (3 * 5 * scale + 4, 3 * 4 * scale + 4, 3)
    for index, tile in enumerate(tiles):
        x, y = index % 3 * (4 * scale + 2), index // 3 * (5 * scale + 2)
        expected = np.broadcast_to(tile, (5, 4, 3)).repeat(scale, axis=0).repeat(scale, axis=1)
        np.testing.assert_array_equal(cut(sheet, x, y, 4 * scale, 5 * scale), expected)
    assert (sheet[:, 4 * scale : 4 * scale + 2] == WHITE).all()
    assert (sheet[5 * scale : 5 * scale + 2] == WHITE).all()
    assert (sheet[2 * (5 * scale + 2) :, 4 * scale :] == WHITE).all(), "the last row holds one image"


def test_fewer_images_than_columns_make_a_narrow_sheet() -> None:
    assert read(sheets.grid(images(2), columns=9)).shape == (5, 2 * 4 + GAP, 3)


def test_pairs_stand_side_by_side_with_a_wider_gap_between_pairs() -> None:
    real, made = images(3), 250 - images(3)
    sheet = read(sheets.pairs(real, made, columns=2))
    pitch = 2 * 4 + GAP + WIDE_GAP
    for index in range(3):
        x, y = index % 2 * pitch, index // 2 * (5 + GAP)
        np.testing.assert_array_equal(cut(sheet, x, y, 4, 5), real[index])
        np.testing.assert_array_equal(cut(sheet, x + 4 + GAP, y, 4, 5), made[index])
    assert WIDE_GAP > GAP
    assert (sheet[:, pitch - WIDE_GAP : pitch] == WHITE).all()


def test_strip_pairs_stand_one_above_the_other_over_their_label() -> None:
    top, bottom = images(3, 20, 40), 250 - images(3, 20, 40)
    sheet = read(sheets.strip_pairs(top, bottom, ["0.1", "0.2", "0.3"], columns=2))
    pitch_x, pitch_y = 40 + WIDE_GAP // 2, 2 * 20 + GAP + WIDE_GAP + LINE
    assert sheet.shape == (2 * pitch_y - WIDE_GAP, pitch_x + 40, 3)
    for index in range(3):
        x, y = index % 2 * pitch_x, index // 2 * pitch_y
        np.testing.assert_array_equal(cut(sheet, x, y, 40, 20), top[index])
        np.testing.assert_array_equal(cut(sheet, x, y + 20 + GAP, 40, 20), bottom[index])
        assert cut(sheet, x, y + 40 + GAP, 40, LINE).min() < 100, "the label is dark"


def test_rows_are_strips_with_labels_left_and_heads_above() -> None:
    strips = images(6, 20, 40).reshape(2, 3, 20, 40, 3)
    plain = read(sheets.rows(strips))
    assert plain.shape == (2 * 20 + GAP, 3 * 40 + 2 * GAP, 3)
    labelled = read(sheets.rows(strips, ["unit 3", "unit 12"], ["-1", "0", "+1"]))
    left = labelled.shape[1] - plain.shape[1]
    assert labelled.shape[0] - plain.shape[0] == LINE and left > 30
    for row, column in np.ndindex(2, 3):
        x, y = column * (40 + GAP), row * (20 + GAP)
        np.testing.assert_array_equal(cut(plain, x, y, 40, 20), strips[row, column])
        np.testing.assert_array_equal(cut(labelled, left + x, LINE + y, 40, 20), strips[row, column])
        assert cut(labelled, left + x, 0, 40, LINE).min() < 100
        assert cut(labelled, 0, LINE + y, left - 2, 20).min() < 100
    for labels, heads in ((["one"], None), (None, ["one"])):
        with pytest.raises(ValueError, match="zip"):
            sheets.rows(strips, labels, heads)


def test_texts_wider_than_the_images_push_them_apart() -> None:
    strips = images(3, 8, 8).reshape(1, 3, 8, 8, 3)
    sheet = read(sheets.rows(strips, heads=["+0.125", "+0.250", "+0.375"]))
    columns = np.flatnonzero((sheet[:LINE] < WHITE).any(axis=(0, 2)))
    assert (np.diff(columns) >= GAP).sum() >= 2, "there is paper between two heads"
    np.testing.assert_array_equal(cut(sheet, 0, LINE, 8, 8), strips[0, 0])


def test_scatter_centres_thumbnails_on_their_points() -> None:
    thumbs = np.full((3, 4, 4, 1), 9, dtype=np.uint8) * np.arange(1, 4, dtype=np.uint8)[:, None, None, None]
    xy = np.array([[-1.0, 0.0], [1.0, 0.5], [0.0, -0.5]])
    sheet = read(sheets.scatter(thumbs, xy, size=104, scale=1))
    # 100 pixels for two units: half of the height of the plane is 25 pixels above and below the line through 0.
    for value, x, y in ((9, 0, 25), (18, 100, 0), (27, 50, 50)):
        assert (cut(sheet, x, LINE + y, 4, 4) == value).all()
    assert (sheet[LINE + 27, 10:90] < WHITE).all() and (sheet[LINE + 10 : LINE + 45, 52] < WHITE).all()


def test_scatter_leaves_out_what_would_cover_another() -> None:
    thumbs = np.array([10, 20, 30], dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    xy = np.array([[0.0, 0.0], [0.01, 0.0], [1.0, 0.0]])
    sheet = read(sheets.scatter(thumbs, xy, size=104, scale=1))
    assert {10, 30} <= set(np.unique(sheet)) and 20 not in np.unique(sheet)


def test_scatter_of_one_point_and_of_grey_thumbnails_with_labels() -> None:
    sheet = read(sheets.scatter(images(1, 6, 6, 1), np.zeros((1, 2)), size=60, scale=2, labels=("across", "up")))
    np.testing.assert_array_equal(cut(sheet, 0, LINE, 12, 12)[::2, ::2, 0], images(1, 6, 6, 1)[0, :, :, 0])
    assert sheet[:LINE].min() < 100 and sheet[-LINE:].min() < 100


@given(
    arrays.arrays(np.int64, st.tuples(st.integers(1, 30), st.just(2)), elements=st.integers(0, 40)),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_apart_overlaps_nowhere_and_leaves_out_only_what_would(corners: np.ndarray, width: int, height: int) -> None:
    kept = sheets.apart(corners, width, height)
    times = np.zeros((60, 60), dtype=int)
    for x, y in corners[kept]:
        times[y : y + height, x : x + width] += 1
    assert times.max() == 1
    for index in set(range(len(corners))) - set(kept):
        x, y = corners[index]
        before = np.zeros((60, 60), dtype=bool)
        for left, top in corners[[each for each in kept if each < index]]:
            before[top : top + height, left : left + width] = True
        assert before[y : y + height, x : x + width].any()


def test_sheets_are_the_same_bytes_each_time() -> None:
    strips = images(6).reshape(2, 3, 5, 4, 3)
    for _ in range(2):
        assert sheets.rows(strips, ["a", "b"], ["1", "2", "3"]) == sheets.rows(strips, ["a", "b"], ["1", "2", "3"])
    assert sheets.grid(images(3), 2) != sheets.grid(images(3), 3)
