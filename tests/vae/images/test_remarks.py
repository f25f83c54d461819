"""How images were read and what looks like a mistake; each option that is advised is run and mends what it was for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from twofold.engine.errors import DataError
from twofold.vae.config import ImageConfig
from twofold.vae.images.load import Images, load_images
from twofold.vae.images.remarks import reading_remarks, remarks

SIZE = 16
RNG = np.random.default_rng(4)
COLOURS = RNG.integers(0, 256, (30, SIZE, SIZE, 3), dtype=np.uint8)
GREY = COLOURS[..., 0]
COUNTS = RNG.integers(96, 3600, (30, SIZE, SIZE)).astype(np.uint16)
FLAGS = {
    "--image.range": "range",
    "--image.channels": "channels",
    "--image.size": "size",
    "--image.key": "key",
    "--image.pages": "pages",
    "--fit": "fit",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path


def saved(folder: Path, images: np.ndarray, kind: str = "png", first: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    for i, image in enumerate(images, first):
        Image.fromarray(image).save(folder / f"{i:03d}.{kind}")
    return folder


def load(path: Path, **settings: Any) -> Images:
    config = ImageConfig.model_validate({"size": SIZE, **settings})
    return load_images(path, config, strict=True, cache=path.parent / "cache")


def said(path: Path, **settings: Any) -> list[str]:
    given = ImageConfig.model_validate({"size": SIZE, **settings})
    return [remark.sentence() for remark in remarks(load(path, **settings), given)]


def advised(path: Path, **settings: Any) -> dict[str, Any]:
    """The settings with what is proposed."""
    given = ImageConfig.model_validate({"size": SIZE, **settings})
    for remark in remarks(load(path, **settings), given):
        if remark.proposed:
            name, *values = remark.option
            settings[FLAGS[name]] = (values if len(values) > 1 else values[0]) if values else True
    return {
        name: int(value) if name in ("size", "channels") and isinstance(value, str) else value
        for name, value in settings.items()
    }


def test_ordinary_images_are_read_without_a_word(place):
    assert said(saved(place / "set", COLOURS)) == []
    assert load(place / "set").config == ImageConfig(size=SIZE)


def test_counts_have_one_scale_and_its_words_repeat_it(place):
    folder = saved(place / "set", COUNTS, "tif")
    (text,) = said(folder, channels=1)
    lowest, highest = COUNTS.min(), COUNTS.max()
    assert text == (
        f"the images hold values of {lowest} to {highest}: 0 is black and 4095 white; --image.range 0 4095 keeps this "
        "scale whatever is added"
    )
    images = load(folder, channels=1)
    np.testing.assert_array_equal(images.pixels[..., 0], np.rint(COUNTS / 4095 * 255))
    again = load(folder, channels=1, range=(0, 4095))
    assert (again.digest, again.config) == (images.digest, images.config)
    assert said(folder, channels=1, range=(0, 4095)) == []


@pytest.mark.parametrize("source", ["tif", "png", "npy", "npz", "pages"])
def test_counts_are_the_same_from_every_source(place, source):
    if source in ("tif", "png"):
        path = saved(place / "set", COUNTS, source)
    elif source == "pages":
        path = place / "set.tif"
        first, *others = map(Image.fromarray, COUNTS)
        first.save(path, save_all=True, append_images=others)
    else:
        path = place / f"set.{source}"
        np.save(path, COUNTS) if source == "npy" else np.savez(path, images=COUNTS)
    images = load(path, channels=1, pages=source == "pages")
    assert images.config.range == (0.0, 4095.0)
    np.testing.assert_array_equal(images.pixels[..., 0], np.rint(COUNTS / 4095 * 255))


def test_a_value_outside_a_given_scale_is_clipped_and_counted(place):
    folder = saved(place / "set", COUNTS, "tif")
    below, above = int((COUNTS < 500).sum()), int((COUNTS > 2000).sum())
    (text,) = said(folder, channels=1, range=(500, 2000))
    assert text == (f"{below + above:,} values in 30 images lie outside the scale of 500 to 2000 and were clipped")


def test_the_scale_does_not_depend_on_threads_or_on_the_order(place, monkeypatch):
    values = (COUNTS / 7.0 - 100).astype(np.float32)
    one = load(saved(place / "one", values, "tif"), channels=1)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(5))
    other = load(saved(place / "other", values[::-1], "tif"), channels=1)
    assert one.config == other.config
    assert one.digest == other.digest


def test_masks_of_bytes_and_of_booleans_are_the_same(place):
    masks = (GREY > 200).astype(np.uint8)
    np.save(place / "bytes.npy", masks)
    np.save(place / "bools.npy", masks > 0)
    np.save(place / "longs.npy", masks.astype(np.int64))
    paths = [place / "bytes.npy", place / "bools.npy", place / "longs.npy", saved(place / "files", masks)]
    read = [load(path, channels=1) for path in paths]
    for images in read:
        np.testing.assert_array_equal(images.pixels[..., 0], masks * 255)
        assert images.config.range == (0.0, 1.0)
    assert len({images.digest for images in read}) == 1
    (text,) = said(place / "bytes.npy", channels=1)
    assert text.startswith("no pixel holds another value than 0 and 1: 0 is black and 1 white; --image.range 0 255")
    assert load(place / "bytes.npy", channels=1, range=(0, 255)).pixels.max() == 1


def test_one_other_value_and_they_are_no_masks_even_where_shrinking_hides_it(place):
    masks = np.zeros((12, 16 * SIZE, 16 * SIZE), np.uint8)
    masks[:, : 8 * SIZE] = 1
    assert load(saved(place / "masks", masks), channels=1).pixels.max() == 255
    masks[5, -1, -1] = 90  # a 256th of a pixel after fitting
    assert load(saved(place / "others", masks), channels=1).config.range is None
    assert "levels only" in said(place / "others", channels=1)[0]


def test_thin_masks_that_vanish_among_the_levels_are_masks(place):
    masks = np.zeros((12, 16 * SIZE, 16 * SIZE), np.uint8)
    masks[:, ::8] = 1
    assert load(saved(place / "set", masks), channels=1).pixels.max() > 20


def test_few_levels_are_spread_by_the_option(place):
    folder = saved(place / "set", GREY % 6)
    texts = said(folder, channels=1)
    assert texts == ["the pixels have 6 levels only, 0 to 5 of 255; --image.range 0 5 spreads them from black to white"]
    mended = advised(folder, channels=1)
    np.testing.assert_array_equal(load(folder, **mended).pixels[..., 0], GREY % 6 * 51)
    assert said(folder, **mended) == ["the pixels have 6 levels only: 0, 51, 102, 153, 204, 255 of 255"]


@pytest.mark.parametrize("kind", ["8-bit", "16-bit", "floats", "shares", "hot"])
def test_dark_images_are_named_and_the_option_lights_them(place, kind):
    dark = RNG.integers(0, 40, (30, SIZE, SIZE))
    values = {
        "8-bit": (dark // 3).astype(np.uint8) + (dark > 38).astype(np.uint8) * 20,
        "16-bit": np.where(dark > 38, 60000, dark * 10).astype(np.uint16)[:, ::-1],
        "floats": dark * 2.5 + np.where(RNG.random(dark.shape) < 0.0002, 1e6, 0),
        "shares": dark / 10_000.0,
        "hot": np.where(RNG.random(dark.shape) < 0.0002, 65535, dark * 100).astype(np.uint16),
    }[kind]
    if kind == "16-bit":
        values = np.minimum(values, 390)
        values[0, 0, 0] = 60000
    np.save(place / "set.npy", values)
    settings: dict[str, Any] = {"channels": 1}
    for _ in range(4):
        mended = advised(place / "set.npy", **settings)
        if mended == settings:
            break
        settings = mended
    assert "range" in settings
    pixels = load(place / "set.npy", **settings).pixels
    assert np.quantile(pixels, 0.99) > 128
    assert advised(place / "set.npy", **settings) == settings


def test_stars_on_a_dark_sky_are_no_mistake(place):
    sky = np.zeros((30, SIZE, SIZE), np.uint8)
    sky[:, 3, 4] = RNG.integers(200, 256, 30)
    sky[:, 3, 5] = RNG.integers(20, 200, 30)
    assert not [text for text in said(saved(place / "set", sky), channels=1) if "--image.range" in text]


def test_flat_images_are_named(place):
    folder = saved(place / "set", 100 + GREY // 12)
    (text,) = said(folder, channels=1)
    assert text.startswith("99.8 % of pixels lie in the levels 100 to 121 of 255; --image.range 100 121")
    assert load(folder, **advised(folder, channels=1)).pixels.max() == 255


def test_grey_images_in_three_channels(place):
    folder = saved(place / "set", np.repeat(GREY[..., None], 3, axis=3))
    assert said(folder) == [
        "all images are grey: their three channels are equal; --image.channels 1 trains on one channel instead of three"
    ]
    assert said(folder, **advised(folder)) == []
    found = load(folder, channels=0)
    assert found.config.channels == 1
    np.testing.assert_array_equal(found.pixels, load(folder, channels=1).pixels)
    saved(folder, COLOURS[:1], first=99)
    assert load(folder, channels=0).config.channels == 3
    assert said(folder, channels=0) == ["--image.channels auto: RGB"]


def test_small_images_are_enlarged_and_the_size_that_does_not_is_named(place):
    folder = saved(place / "set", COLOURS[:, :, :15])
    (text,) = said(folder, size=64)
    assert text == (
        "all images are smaller than 64 x 64 (most 16 x 15) and were enlarged; --image.size 15 invents no pixels"
    )
    assert said(folder, **advised(folder, size=64)) == []


@pytest.mark.parametrize("repeats", [(1, 3), (4, 1)])
def test_images_of_which_most_is_cropped_away(place, repeats):
    folder = saved(place / "set", np.tile(COLOURS[:20], (1, *repeats, 1)))
    share = "67 %" if repeats == (1, 3) else "75 %"
    shape = "9 28" if repeats == (1, 3) else "32 8"
    (text,) = said(folder)
    assert text == f"{share} of an image's pixels are cropped away on average; --image.size {shape} keeps them"
    assert said(folder, **advised(folder)) == []


def test_images_of_several_shapes_of_which_most_is_cropped_away(place):
    folder = saved(place / "set", np.tile(COLOURS[:20], (1, 1, 3, 1)))
    saved(folder, np.tile(COLOURS[20:], (1, 4, 1, 1)), first=50)
    (text,) = said(folder)
    assert text == "69 % of an image's pixels are cropped away on average; --fit pad keeps them and fills up with white"
    assert said(folder, **advised(folder)) == []


def test_padding_hides_no_darkness(place):
    dark = np.concatenate([GREY // 20] * 3, axis=2)
    assert "levels only" in said(saved(place / "set", dark), channels=1, fit="pad")[0]


def test_pages_that_were_not_read_are_counted_and_read_by_the_option(place):
    folder = place / "set"
    folder.mkdir()
    first, *others = map(Image.fromarray, GREY[:12])
    first.save(folder / "stack.tif", save_all=True, append_images=others)
    (text,) = said(folder, channels=1)
    assert text == "11 more pages not read (stack.tif: 11); --image.pages takes each page as an image"
    images = load(folder, **advised(folder, channels=1))
    assert images.names[0] == "stack.tif#01"
    np.testing.assert_array_equal(images.pixels[..., 0], GREY[:12])


def test_eight_bits_beside_deeper_images_keep_their_levels(place):
    folder = saved(place / "set", COUNTS[:10], "tif")
    saved(folder, GREY[:5], first=50)
    images = load(folder, channels=1)
    np.testing.assert_array_equal(images.pixels[-5:, ..., 0], GREY[:5])
    np.testing.assert_array_equal(images.pixels[:-5, ..., 0], np.rint(COUNTS[:10] / 4095 * 255))
    assert "5 images of 8 bits or fewer keep their levels of 0 to 255" in said(folder, channels=1)


def test_floats_beside_integers_have_no_scale_until_one_is_given(place):
    folder = saved(place / "set", COUNTS[:10], "tif")
    saved(folder, (GREY[:5] / 255).astype(np.float32), "tif", 50)
    with pytest.raises(DataError, match=r"floats in \[0, 1\] and integers of .* with --image.range 0 4095, or"):
        load(folder)
    assert load(folder, range=(0, 4095)).config.range == (0, 4095)


def test_an_archive_says_what_it_read(place):
    np.savez(place / "a.npz", x_train=GREY, y_train=np.arange(30), x_test=GREY[:5])
    texts = said(place / "a.npz", channels=1)
    assert texts == [
        "a.npz: the images are the array x_train, its labels from y_train; not read: x_test (5, 16, 16); --image.key "
        "x_test reads another array",
        "x_test looks like the set's own test images; --split.own takes them for the test",
    ]
    assert len(load(place / "a.npz", channels=1, key="x_test").names) == 5


def test_a_command_without_an_option_names_none(place):
    images = load(saved(place / "set", GREY % 6), channels=1)
    (remark,) = reading_remarks(images, images.config)
    assert remark.sentence(("--image.key",)) == "the pixels have 6 levels only, 0 to 5 of 255"
    assert "--image.range" in remark.sentence(("--image.range",))


def test_each_setting_has_an_entry_of_the_cache_of_its_own(place):
    np.savez(place / "a.npz", x_train=GREY, x_test=GREY[:5])
    counts = [len(load(place / "a.npz", channels=1, key=key).names) for key in ("", "x_test", "x_train", "x_test")]
    assert counts == [30, 5, 30, 5]
    folder = saved(place / "set", COUNTS, "tif")
    tops = [load(folder, channels=1, range=scale).pixels.max() for scale in ((0, 65535), (0, 4095), (0, 65535))]
    assert tops[0] == tops[2] < tops[1]
