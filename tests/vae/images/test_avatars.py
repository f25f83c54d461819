"""Faces whose attributes are known: each attribute shows, where it should, and the table says what is drawn."""

from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from twofold.vae.config import ImageConfig
from twofold.vae.images import avatars
from twofold.vae.images.avatars import FACTORS, draw, load_avatars, render
from twofold.vae.images.load import duplicates

SIZE = 64
WHERE = {
    "eyes": (slice(22, 38), slice(16, 48)),
    "brows": (slice(17, 30), slice(15, 49)),
    "mouth": (slice(36, 52), slice(16, 48)),
    "accessory": (slice(19, 39), slice(8, 56)),
    "clothing_colour": (slice(54, 64), slice(0, 64)),
}
"""Rows and columns, of 64, beyond which an attribute changes nothing."""


def changed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pixels that a person could see change."""
    return (np.abs(first.astype(int) - second.astype(int)) > 8).any(axis=2)


def of(size: int | tuple[int, int], channels: int, fit: str = "crop") -> ImageConfig:
    return ImageConfig.model_validate({"size": size, "channels": channels, "fit": fit})


def small(**changes: Any) -> ImageConfig:
    return ImageConfig(size=16, avatars=12, **changes)


@pytest.mark.parametrize("factor", FACTORS)
def test_every_option_differs_from_every_other_on_any_face(factor: str) -> None:
    for face in draw(1, 3):
        shown = {word: render({**face, factor: word}, of(SIZE, 3)) for word in FACTORS[factor]}
        for one, other in combinations(shown, 2):
            assert changed(shown[one], shown[other]).sum() >= 10, f"{one} looks like {other} on {face}"


@pytest.mark.parametrize("factor", WHERE)
def test_an_attribute_changes_its_part_of_the_face_only(factor: str) -> None:
    for face in draw(2, 3):
        first, *others = (render({**face, factor: word}, of(SIZE, 3)) for word in FACTORS[factor])
        for other in others:
            pixels = changed(first, other)
            pixels[WHERE[factor]] = False
            assert not pixels.any()


def test_colours_are_those_that_the_words_say() -> None:
    face = draw(0, 1)[0] | {"accessory": "none", "mouth": "serious"}
    for word, option in FACTORS["skin"].items():
        cheek = render({**face, "skin": word}, of(SIZE, 3))[36, 20]
        assert f"#{bytes(cheek).hex()}" == option.value.lower()
    for word, option in FACTORS["clothing_colour"].items():
        shoulder = render({**face, "clothing_colour": word}, of(SIZE, 3))[62, 16]
        assert f"#{bytes(shoulder).hex()}" == option.value.lower()


def test_the_background_is_white_and_the_face_in_the_middle() -> None:
    pixels = render(draw(0, 1)[0] | {"hair": "cropped", "accessory": "none"}, of(SIZE, 3))
    assert (pixels[:, :4] == 255).all() and (pixels[:4] == 255).all()
    seen = np.flatnonzero((pixels[:50] < 250).any(axis=(0, 2)))
    assert abs(seen[0] + seen[-1] - (SIZE - 1)) <= 1


def test_a_larger_size_shows_the_same_face() -> None:
    face = draw(5, 1)[0]
    halved = render(face, of(2 * SIZE, 3)).reshape(SIZE, 2, SIZE, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - render(face, of(SIZE, 3))).mean() < 4
    assert np.abs(halved - render(draw(6, 1)[0], of(SIZE, 3))).mean() > 20


def test_grey_is_the_lightness_of_the_colours() -> None:
    face = draw(5, 1)[0]
    colour, grey = render(face, of(SIZE, 3)), render(face, of(SIZE, 1))
    assert colour.shape == (SIZE, SIZE, 3) and grey.shape == (SIZE, SIZE, 1)
    assert np.abs(colour @ np.array([0.299, 0.587, 0.114]) - grey[:, :, 0]).max() <= 1


def test_another_shape_shows_the_square_drawing_by_fit() -> None:
    face = draw(5, 1)[0]
    square = render(face, of(SIZE, 3))
    assert np.abs(render(face, of((SIZE, 48), 3)).astype(int) - square[:, 8:56]).mean() < 0.1
    padded = render(face, of((SIZE, 96), 3, "pad"))
    np.testing.assert_array_equal(padded[:, 16:80], square)
    assert (padded[:, :16] == 255).all() and (padded[:, 80:] == 255).all()
    wide = render(face, of((SIZE, 2 * SIZE), 3, "stretch")).reshape(SIZE, SIZE, 2, 3).mean(axis=2)
    assert np.abs(wide - square).mean() < 4


def test_equal_attributes_give_equal_bytes() -> None:
    face = draw(6, 1)[0]
    np.testing.assert_array_equal(render(face, of(32, 3)), render(dict(reversed(face.items())), of(32, 3)))


def test_unknown_or_missing_attributes_are_refused() -> None:
    face = draw(0, 1)[0]
    with pytest.raises(KeyError, match="green"):
        render({**face, "skin": "green"}, of(16, 3))
    with pytest.raises(KeyError, match="mouth"):
        render({factor: word for factor, word in face.items() if factor != "mouth"}, of(16, 3))


def test_an_avatar_does_not_depend_on_how_many_there_are() -> None:
    assert draw(0, 50)[:7] == draw(0, 7)
    assert draw(0, 7) != draw(1, 7)


@pytest.mark.parametrize("factor", FACTORS)
def test_options_are_drawn_uniformly(factor: str) -> None:
    drawn = Counter(face[factor] for face in draw(0, 6000))
    expected = 6000 / len(FACTORS[factor])
    assert drawn.keys() == FACTORS[factor].keys()
    # The largest of 16 deviations of some 20 standard errors at most would be above 4.5 once in ten thousand seeds.
    assert all(abs(count - expected) < 4.5 * expected**0.5 for count in drawn.values())


def test_attributes_are_drawn_independently() -> None:
    faces = draw(0, 6000)
    pairs = Counter((face["skin"], face["accessory"]) for face in faces)
    assert len(pairs) == 28 and all(abs(count - 6000 / 28) < 4.5 * (6000 / 28) ** 0.5 for count in pairs.values())


@pytest.mark.parametrize("channels", [1, 3])
def test_the_table_says_what_the_images_show(tmp_path: Path, channels: int) -> None:
    images, labels = load_avatars(small(channels=channels), cache=tmp_path)
    assert images.pixels.shape == (12, 16, 16, channels) and not images.pixels.flags.writeable
    assert images.source == "avatars" and images.skipped == ()
    assert labels.columns == ["name", *FACTORS]
    assert images.names == tuple(labels["name"]) == tuple(f"avatar-{index:05}" for index in range(12))
    for row, pixels in zip(labels.drop("name").iter_rows(named=True), images.pixels, strict=True):
        np.testing.assert_array_equal(render(row, of(16, channels)), pixels)


def test_they_are_rendered_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(avatars, "_AT_ONCE", 5)
    first, labels = load_avatars(small(), cache=tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(5, 12), (10, 12), (12, 12)]
    monkeypatch.setattr(avatars, "render", None)
    again, labels_again = load_avatars(small(), cache=tmp_path)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert first.digest == again.digest
    assert labels.equals(labels_again)


def test_other_settings_are_other_avatars(tmp_path: Path) -> None:
    first, labels = load_avatars(small(), cache=tmp_path)
    other, _ = load_avatars(small(avatar_seed=1), cache=tmp_path)
    grey, _ = load_avatars(small(channels=1), cache=tmp_path)
    more, more_labels = load_avatars(ImageConfig(size=16, avatars=20), cache=tmp_path)
    assert len({first.digest, other.digest, grey.digest, more.digest}) == 4
    np.testing.assert_array_equal(more.pixels[:12], first.pixels)
    assert more_labels.head(12).equals(labels)


def test_equal_draws_are_counted_as_duplicates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = draw(0, 10)
    monkeypatch.setattr(avatars, "draw", lambda seed, count: [*faces, faces[3], faces[0]])
    images, labels = load_avatars(small(), cache=tmp_path)
    assert np.flatnonzero(duplicates(images.hashes)).tolist() == [10, 11]
    assert labels.drop("name").is_duplicated().sum() == 4


def test_labels_are_plain_words() -> None:
    words = pl.Series([word for words in FACTORS.values() for word in words])
    assert words.str.contains(r"^[a-z]+( [a-z]+)*$").all()
    assert len(FACTORS) == 8


def test_other_drawings_of_the_process_stay_whole() -> None:
    root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg"})
    ElementTree.SubElement(root, "{http://www.w3.org/2000/svg}path")
    ElementTree.fromstring(ElementTree.tostring(root))  # declared twice, it could not be read
