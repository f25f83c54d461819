"""Labels by class folders and files: which image each belongs to, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from twofold.engine.errors import DataError, InputError
from twofold.vae.config import ImageConfig
from twofold.vae.images.load import load_images
from twofold.vae.labels import FOLDERS, archive_labels, folder_labels, read_labels

NAMES = ("a/1.png", "a/2.png", "b/1.png", "b/3.png")


def written(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text)
    return path


def test_folders_are_classes_when_every_image_lies_in_one() -> None:
    found = folder_labels(NAMES)
    assert found is not None and found.origin == "folders"
    assert found.table.to_dict(as_series=False) == {"name": list(NAMES), "folder": ["a", "a", "b", "b"]}
    assert folder_labels((*NAMES, "5.png")) is None
    assert folder_labels(NAMES[:2]) is None
    most = [f"{index}/x.png" for index in range(FOLDERS[1] + 1)]
    assert folder_labels(most[1:]) is not None
    assert folder_labels(most) is None


def test_a_file_is_matched_by_name_or_by_the_last_part_where_that_is_clear(tmp_path: Path) -> None:
    rows = "a/1.png,red,3", "2.png,NA,4.5", "other.png,blue,1", "3.png,blue,", "1.png,red,2"
    found = read_labels(written(tmp_path, "\n".join(("file,colour,size", *rows))), NAMES)
    assert found.table["name"].to_list() == list(NAMES)
    assert found.table["colour"].to_list() == ["red", None, None, "blue"]
    assert found.table["size"].to_list() == ["3", "4.5", None, None]
    assert found.unmatched == ("other.png", "1.png")  # two images are called 1.png


def test_labels_are_part_of_the_data(tmp_path: Path) -> None:
    one = read_labels(written(tmp_path, "file,colour\na/1.png,red\n"), NAMES)
    other = read_labels(written(tmp_path, "file,colour\na/1.png,blue\n"), NAMES)
    again = read_labels(written(tmp_path, "image,colour\n\na/1.png,blue\n"), NAMES)
    assert len({one.digest("ab"), other.digest("ab"), other.digest("cd"), "ab"}) == 4
    assert again.digest("ab") == other.digest("ab")
    classes = folder_labels(NAMES)
    assert classes is not None and classes.digest("ab") == "ab"


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        (
            "file,colour\nx.png,1\ny.png,2\n",
            InputError,
            "none of its 2 names is an image's; they look like x.png, y.png",
        ),
        ("file,colour\nx.png,1\n", InputError, "the images' like a/1.png, a/2.png, b/1.png"),
        ("", DataError, "is empty"),
        ("file\na/1.png\n", DataError, "a column for each attribute"),
        ("file,colour\n", DataError, "rows of images"),
        ("file,colour,colour\na/1.png,1,2\n", DataError, "row 1: column 'colour' stands there twice"),
        ("file,name\na/1.png,1\n", DataError, "row 1: column 'name'"),
        ("file,colour\na/1.png\n", DataError, "row 2: the row has 1 cells but the header has 2"),
        ("file,colour\na/2.png,1\n2.png,2\n", DataError, "row 3.*a second row for the image 2.png"),
        ("file;colour\na/1.png;2\n", DataError, "semicolons"),
    ],
)
def test_what_is_no_file_of_labels_is_refused(tmp_path: Path, text: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        read_labels(written(tmp_path, text), NAMES)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--labels .*nowhere.csv: can't be read"):
        read_labels(tmp_path / "nowhere.csv", NAMES)


def test_folders_of_the_sets_own_parts_are_no_classes() -> None:
    names = [f"{part}/{kind}/{i}.png" for part in ("train", "test") for kind in ("cat", "dog") for i in range(2)]
    found = folder_labels(names)
    assert found is not None
    assert found.table["folder"].to_list() == ["cat", "cat", "dog", "dog"] * 2
    assert folder_labels(["train/1.png", "test/2.png"]) is None


@pytest.mark.parametrize("own", [False, True])
def test_labels_of_an_archive(tmp_path: Path, own: bool) -> None:
    path, pixels = tmp_path / "a.npz", np.random.default_rng(0).integers(0, 256, (12, 16, 16), dtype=np.uint8)
    classes = np.arange(12, dtype=np.uint8)[:, None] % 3
    np.savez(path, train_images=pixels, train_labels=classes, test_images=pixels[:4])
    images = load_images(path, ImageConfig(size=16, channels=1), strict=True, cache=tmp_path / "cache", own=own)
    found = archive_labels(path, images)
    assert found is not None and found.origin == "archive"
    assert found.table["name"].to_list() == list(images.names)
    expected = [str(i % 3) for i in range(12)]
    assert found.table["label"].to_list() == ([None] * 4 + expected if own else expected)
    assert found.digest("ab") == "ab"


@pytest.mark.parametrize("classes", [np.zeros(12, int), np.arange(12) / 2, np.arange(11), np.zeros((12, 2), int)])
def test_what_is_no_class_is_none(tmp_path: Path, classes: np.ndarray) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((12, 16, 16), np.uint8), labels=classes)
    images = load_images(path, ImageConfig(size=16), strict=True, cache=tmp_path / "cache")
    assert archive_labels(path, images) is None
