"""The model of a vae run over the API: the same numbers as in Python, and what is refused."""

import base64
import io
import math
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from PIL import Image

from app.folders import Client, put
from twofold.app.guard import FILE_BYTES
from twofold.vae import load
from twofold.vae.images.load import Images
from twofold.vae.latent import Autoencoder, to_pixels
from vae.small import discs

BINARY = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def ask(vae_runs: Path) -> Client:
    return Client(vae_runs)


@pytest.fixture(scope="module")
def model(vae_runs: Path) -> Autoencoder:
    return load(vae_runs / "discs")


def _pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def _of(address: str) -> np.ndarray:
    return _pixels(base64.b64decode(address.removeprefix("data:image/png;base64,")))


def _file(pixels: np.ndarray, kind: str = "PNG", **more: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **more)
    return buffer.getvalue()


def _encode(ask: Client, content: bytes) -> httpx.Response:
    return ask.post("/api/runs/discs/encode", content=content, headers=BINARY)


def test_the_page_shows_every_test_image_and_the_units_of_most_effect(ask: Client, vae_runs: Path) -> None:
    with np.load(vae_runs / "discs" / "arrays.npz") as held:
        real, effect = held["real"], held["effect_units"]
    page = ask.get("/runs/discs").text
    assert page.count('data-image="') == len(real)
    places = [page.index(f'id="unit-{unit}"') for unit in np.argsort(-effect, kind="stable")]
    assert places == sorted(places)
    assert "http://" not in page and "https://" not in page
    assert ask.get("/static/vae.js").status_code == ask.get("/static/latest.js").status_code == 200
    assert ask.get("/static/app.css").status_code == ask.get("/static/..%2fserver.py").status_code == 404


def test_images_and_their_codes_are_the_runs_own(ask: Client, vae_runs: Path, model: Autoencoder) -> None:
    with np.load(vae_runs / "discs" / "arrays.npz") as held:
        real = held["real"]
    np.testing.assert_array_equal(_pixels(ask.get("/api/runs/discs/images/1").content), real[1])
    found = ask.get("/api/runs/discs/images/1/code").json()["z"]
    np.testing.assert_allclose(found, model.encode(real[1:2])[0], rtol=1e-5)
    for number in (-1, len(real)):
        assert ask.get(f"/api/runs/discs/images/{number}").status_code == 404


def test_a_code_is_decoded_as_in_python(ask: Client, model: Autoencoder) -> None:
    answer = ask.post("/api/runs/discs/decode", json={"z": [0.5, -1, 2]})
    assert answer.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(_pixels(answer.content), to_pixels(model.decode([np.array([0.5, -1.0, 2.0])]))[0])


@pytest.mark.parametrize(
    "body",
    [
        '{"z": [NaN, 0, 0]}',
        '{"z": [Infinity, 0, 0]}',
        '{"z": [1e7, 0, 0]}',
        '{"z": [1e400, 0, 0]}',
        '{"z": [0, 0]}',
        '{"z": [0, 0, 0, 0]}',
        '{"z": []}',
        '{"z": ["0", 0, 0]}',
        '{"z": [true, 0, 0]}',
        '{"z": null}',
        '{"z": [0, 0, 0], "more": 1}',
        '{"z": [[0, 0, 0]]}',
        "{}",
        "[",
        "",
    ],
)
def test_what_is_no_code_is_refused(ask: Client, body: str) -> None:
    answer = ask.post("/api/runs/discs/decode", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_very_long_code_is_refused_briefly(ask: Client) -> None:
    answer = ask.post("/api/runs/discs/decode", json={"z": ["x"] * 5000})
    assert answer.status_code == 422
    assert len(answer.content) < 1000


def test_a_way_has_its_ends(ask: Client, model: Autoencoder) -> None:
    start, end = [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]
    answer = ask.post("/api/runs/discs/interpolate", json={"start": start, "end": end, "steps": 3, "path": "spherical"})
    strip = _pixels(answer.content)
    assert strip.shape == (16, 48, 3)
    middle = [1.5 / math.sqrt(2), 1.5 / math.sqrt(2), 0.0]  # half the angle, half the way of the lengths
    for index, code in enumerate((start, middle, end)):
        wanted = to_pixels(model.decode([np.array(code)]))[0].astype(int)
        assert np.abs(strip[:, 16 * index : 16 * index + 16] - wanted).max() <= 1


@pytest.mark.parametrize("change", [{"steps": 1}, {"steps": 22}, {"path": "round"}, {"end": [0.0]}])
def test_what_is_no_way_is_refused(ask: Client, change: dict[str, Any]) -> None:
    body = {"start": [0.0] * 3, "end": [1.0] * 3, "steps": 3, "path": "linear"} | change
    assert ask.post("/api/runs/discs/interpolate", json=body).status_code == 422


def test_samples_follow_seed_and_spread(ask: Client, model: Autoencoder) -> None:
    def drawn(**asked: Any) -> np.ndarray:
        return _pixels(ask.post("/api/runs/discs/sample", json={"number": 2} | asked).content)

    np.testing.assert_array_equal(drawn(seed=4)[:, 16:], to_pixels(model.sample(2, 4))[1])
    assert (drawn(seed=4) != drawn(seed=5)).any()
    mean = to_pixels(model.decode([np.zeros(3)]))[0]
    np.testing.assert_array_equal(drawn(spread=0.0), np.concatenate([mean, mean], axis=1))
    assert (drawn(noise=1.0) != drawn()).any()


@pytest.mark.parametrize("asked", [{"number": 65}, {"number": 0}, {"spread": -1.0}, {"noise": 1.1}, {"seed": -1}])
def test_samples_beyond_their_bounds_are_refused(ask: Client, asked: dict[str, Any]) -> None:
    assert ask.post("/api/runs/discs/sample", json=asked).status_code == 422


def test_an_own_image_costs_what_the_run_would_say(ask: Client, model: Autoencoder) -> None:
    picture = discs(1, seed=9)[0]
    found = _encode(ask, _file(picture)).json()
    score = model.score(picture[None])
    np.testing.assert_array_equal(_of(found["picture"]), picture)
    np.testing.assert_array_equal(_of(found["reconstruction"]), to_pixels(model.reconstruct(picture[None]))[0])
    assert found["rate_bits"] == pytest.approx(score.rate[0] / math.log(2), rel=1e-5)
    assert score.bits is not None
    assert found["bits_per_dim"] == pytest.approx(score.bits[0], rel=1e-5)
    assert found["rate_bits"] + found["distortion_bits"] == pytest.approx(found["bits_per_dim"] * picture.size)
    assert found["rms_error"] == pytest.approx(255 * math.sqrt(score.mse[0]), rel=1e-5)


def test_an_own_images_nearest_are_training_images(
    vae_runs: Path, vae_images: Images, vae_cache: Path, model: Autoencoder
) -> None:
    table = pl.read_parquet(vae_runs / "discs" / "images.parquet")
    pixels = {name: vae_images.pixels[row] for row, name in enumerate(vae_images.names)}
    trained = table.filter(split="train")["name"].to_list()
    query = pixels[trained[3]]
    ask = Client(vae_runs, cache=vae_cache)
    found = ask.post("/api/runs/discs/nearest", content=_file(query), headers=BINARY).json()
    apart = {name: float(np.sqrt(np.mean((pixels[name] / 255 - query / 255) ** 2))) for name in trained}
    assert [each["name"] for each in found["images"]] == sorted(apart, key=apart.__getitem__)[:6]
    assert found["images"][0]["distance"] == 0
    for each in found["images"]:
        assert each["distance"] == pytest.approx(apart[each["name"]], rel=1e-5)
        np.testing.assert_array_equal(_of(each["picture"]), pixels[each["name"]])
    with np.load(vae_runs / "discs" / "arrays.npz") as held:
        assert found["typical"] == pytest.approx(np.median(held["test_distance"]))


def test_training_images_that_the_cache_lost_are_told(vae_runs: Path, tmp_path: Path) -> None:
    picture = _file(discs(1, seed=9)[0])
    answer = Client(vae_runs, cache=tmp_path).post("/api/runs/discs/nearest", content=picture, headers=BINARY)
    assert (answer.status_code, answer.json()["code"]) == (409, "unusable_run")
    assert str(tmp_path) in answer.json()["message"]


def test_what_is_no_image_has_no_nearest(vae_runs: Path, vae_cache: Path) -> None:
    ask = Client(vae_runs, cache=vae_cache)
    assert ask.post("/api/runs/discs/nearest", content=b"no image", headers=BINARY).status_code == 422
    large = ask.post("/api/runs/discs/nearest", content=b"0" * (FILE_BYTES + 1), headers=BINARY)
    assert (large.status_code, large.json()["code"]) == (413, "too_large")


def test_an_own_image_is_turned_as_its_exif_says(ask: Client) -> None:
    picture = discs(1, seed=9)[0]
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying: to be turned by a quarter
    found = _encode(ask, _file(np.rot90(picture).copy(), exif=exif)).json()
    np.testing.assert_array_equal(_of(found["picture"]), picture)


def _bomb() -> bytes:
    """A PNG of 20,000 x 20,000 pixels in a few hundred kilobytes: black, 1 bit each."""
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "required"),
        (b"no image", "no image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image"),
        (_file(discs(1)[0])[:200], "truncated"),
    ],
)
def test_what_is_no_image_is_refused(ask: Client, content: bytes, word: str) -> None:
    answer = _encode(ask, content)
    assert answer.status_code == 422
    assert word in answer.json()["message"].lower()


def test_a_decompression_bomb_is_refused_by_its_header(ask: Client) -> None:
    answer = _encode(ask, _bomb())
    assert answer.status_code == 422


def test_a_large_image_is_refused_by_its_header(ask: Client) -> None:
    buffer = io.BytesIO()
    Image.new("1", (8_000, 6_000)).save(buffer, "PNG")
    answer = _encode(ask, buffer.getvalue())
    assert answer.status_code == 422
    assert "8,000 x 6,000" in answer.json()["message"]


def test_other_runs_have_no_model(tmp_path: Path) -> None:
    put(tmp_path / "trend", "trend run")
    put(tmp_path / "early", "vae run", done=False)
    put(tmp_path / "empty", "vae run")
    ask = Client(tmp_path)
    for name, status in {"trend": 409, "early": 409, "empty": 404, "none": 404}.items():
        answer = ask.post(f"/api/runs/{name}/decode", json={"z": [0.0]})
        assert (name, answer.status_code) == (name, status)


def test_a_file_that_is_no_model_is_told(tmp_path: Path) -> None:
    run = put(tmp_path / "run", "vae run")
    (run / "model.safetensors").write_bytes(b"nothing")
    (run / "arrays.npz").write_bytes(b"nothing")
    ask = Client(tmp_path)
    for answer in (ask.post("/api/runs/run/decode", json={"z": [0.0]}), ask.get("/api/runs/run/images/0")):
        assert (answer.status_code, answer.json()["code"]) == (409, "unusable_run")
