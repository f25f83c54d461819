"""Images given in Python: every form that is one image is taken, what may be read in two ways is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from twofold.engine.errors import InputError
from twofold.vae import load_images
from twofold.vae.images.given import as_pixels
from twofold.vae.latent import Autoencoder
from vae.small import discs, folder_of, tiny

COLOUR, GREY = tiny().image, tiny(image={"channels": 1}).image
PICTURES = discs(4)
TENSOR = torch.from_numpy(PICTURES)


@pytest.mark.parametrize(
    "given",
    [
        PICTURES,
        PICTURES.transpose(0, 3, 1, 2),
        list(PICTURES),
        tuple(each.transpose(2, 0, 1) for each in PICTURES),
        [Image.fromarray(each) for each in PICTURES],
        TENSOR,
        TENSOR.permute(0, 3, 1, 2),
        list(TENSOR),
        [PICTURES[0], TENSOR[1], Image.fromarray(PICTURES[2]), PICTURES[3:]],
    ],
)
def test_levels_in_any_form(given: Any) -> None:
    found = as_pixels(given, COLOUR)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, PICTURES)


@pytest.mark.parametrize(
    "given",
    [
        PICTURES / 255,
        TENSOR / 255,
        (TENSOR / 255).double(),
        (TENSOR / 255).requires_grad_(),
        [PICTURES[0] / 255, *PICTURES[1:]],
    ],
)
def test_shares_of_white(given: Any) -> None:
    found = as_pixels(given, COLOUR)
    assert found.dtype.kind == "f"
    np.testing.assert_allclose(found, PICTURES / 255, atol=1e-6)


def test_a_short_float_is_read_too() -> None:
    np.testing.assert_allclose(as_pixels((TENSOR / 255).bfloat16(), COLOUR), PICTURES / 255, atol=0.004)


@pytest.mark.parametrize(
    "given", [PICTURES[0], PICTURES[0].transpose(2, 0, 1), TENSOR[0], Image.fromarray(PICTURES[0])]
)
def test_a_single_image(given: Any) -> None:
    np.testing.assert_array_equal(as_pixels(given, COLOUR), PICTURES[:1])


def test_grey_images_need_no_axis_of_channels() -> None:
    grey = discs(4, channels=1)
    for given in (grey, grey[:, :, :, 0], grey.transpose(0, 3, 1, 2), list(grey[:, :, :, 0])):
        np.testing.assert_array_equal(as_pixels(given, GREY), grey)
    np.testing.assert_array_equal(as_pixels(grey[0, :, :, 0], GREY), grey[:1])


def test_height_comes_before_width() -> None:
    wide, config = discs(3, (9, 14)), tiny(image={"size": (9, 14)}).image
    np.testing.assert_array_equal(as_pixels(wide, config), wide)
    np.testing.assert_array_equal(as_pixels(wide.transpose(0, 3, 1, 2), config), wide)
    with pytest.raises(InputError, match=r"shape \[n, 9, 14, 3\] or \[n, 3, 9, 14\].*got \[3, 14, 9, 3\]"):
        as_pixels(wide.transpose(0, 2, 1, 3), config)


def test_an_image_of_pillows_is_fitted_as_a_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_CACHE", str(tmp_path / "cache"))
    wide = Image.fromarray(discs(1, size=40)[0][:24]).convert("RGBA")
    wide.putpixel((0, 0), (0, 0, 0, 0))
    folder = tmp_path / "images"
    folder.mkdir()
    wide.save(folder / "wide.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    wide.convert("RGB").save(folder / "turned.png", exif=exif)
    for fit in ("crop", "pad", "stretch"):
        config = tiny(image={"fit": fit}).image
        files = load_images(folder, size=16, fit=fit)
        for name, pixels in zip(files.names, files.pixels, strict=True):
            with Image.open(folder / name) as opened:
                np.testing.assert_array_equal(as_pixels(opened, config)[0], pixels)


@pytest.mark.parametrize(
    ("given", "config", "said"),
    [
        (
            np.zeros((2, 16, 16, 1), np.uint8),
            COLOUR,
            r"shape \[n, 16, 16, 3\] or \[n, 3, 16, 16\].*got \[2, 16, 16, 1\]",
        ),
        (np.zeros((16, 16), np.uint8), COLOUR, r"got \[16, 16\]; PIL images and files .* are fitted"),
        (np.zeros((0, 16, 16, 3), np.uint8), COLOUR, "n > 0, got"),
        (np.zeros((1, 1, 16, 16, 3), np.uint8), COLOUR, "n > 0, got"),
        (
            np.full((1, 16, 16, 3), 1.5),
            COLOUR,
            r"must lie in \[0, 1\], got 1.5 to 1.5; levels 0 to 255 are given as uint8",
        ),
        (np.full((1, 16, 16, 3), np.nan), COLOUR, r"must lie in \[0, 1\], got nan"),
        (np.zeros((1, 16, 16, 3), np.int64), COLOUR, "int64 may be levels or shares of white: give uint8"),
        (np.zeros((3, 16, 16), np.uint8), GREY, r"three grey images or one in colour: give \[3, 16, 16, 1\]"),
        ([PICTURES[0], PICTURES[:2]], COLOUR, "image 1 of the list"),
        ([], COLOUR, "the list is empty"),
    ],
)
def test_what_does_not_fit_or_is_ambiguous_is_refused(given: Any, config: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        as_pixels(given, config)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    Image.fromarray(PICTURES[0]).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with Image.open(path) as opened, pytest.raises(InputError, match="the image can't be used: truncated"):
        as_pixels(opened, COLOUR)


def test_images_are_loaded_for_a_model_or_by_settings(
    model: Autoencoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_CACHE", str(tmp_path / "cache"))
    folder = folder_of(PICTURES, tmp_path / "images")
    (folder / "notes.txt").write_text("no picture")
    images = load_images(folder, like=model)
    np.testing.assert_array_equal(images.pixels, PICTURES)
    assert images.names == tuple(f"picture-{index:04d}.png" for index in range(4))
    assert [skip.name for skip in images.skipped] == ["notes.txt"]
    np.testing.assert_array_equal(model.encode(images), model.encode(PICTURES))
    assert load_images(str(folder)).pixels.shape == (4, 64, 64, 3)
    assert load_images(folder, size=32, channels=1, fit="pad").pixels.shape == (4, 32, 32, 1)
    with pytest.raises(InputError, match="size, fit: the model given as `like` has its own"):
        load_images(folder, model, size=16, fit="pad")
    with pytest.raises(InputError, match="size: height and width must lie in 8 to 512 pixels"):
        load_images(folder, size=7)
    with pytest.raises(InputError, match="no such file or folder"):
        load_images(tmp_path / "nowhere", like=model)
