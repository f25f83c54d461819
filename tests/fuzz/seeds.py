"""Small sound files of every kind that the package reads, each with its reader: what the commands call for it."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from PIL import Image

from fuzz import mutations as m
from fuzz.mutations import Inner

Kind = Literal["tables", "parquet", "xlsx", "images", "archives", "safetensors", "skops", "json", "toml", "tasks"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SIZE = 16


@dataclass(frozen=True)
class Seed:
    """A sound file, and whatever its reader needs beside it.

    Attributes:
        name: of the file, within a folder of its own.
        content: of the file.
        read: what a command calls: of the file's path, and of a folder for what is cached. It raises an InputError that
            names the file, or returns the refusal that it has told otherwise; None: it was read.
        special: damage that this kind of file calls for, beside that to bytes.
        beside: other files of the folder, by name.
        told: what a refusal must hold; by default the file's own name.
    """

    name: str
    content: bytes
    read: Callable[[Path, Path], str | None]
    special: tuple[Inner, ...] = ()
    beside: dict[str, bytes] = field(default_factory=dict)
    told: str = ""


# --- tables of counts and of hubs ---


def _panel(path: Path, _: Path) -> None:
    from twofold.counts.config import SourceConfig
    from twofold.counts.load import load_panel

    load_panel(path, SourceConfig())


def _versions(path: Path, _: Path) -> None:
    from twofold.hub.vintages import grid_of, read_versions

    found = read_versions(path, "wk inc flu hosp")
    found.times()
    with _named(path):
        grid_of(found.latest())


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Rules on what a file says, where the command that broke them names the file by its option."""
    from twofold.engine.errors import InputError

    try:
        yield
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error


def _locations(path: Path, _: Path) -> None:
    from twofold.hub.tables import read_locations

    read_locations(path)


def _history(path: Path, _: Path) -> None:
    from hub.season_small import LOCATIONS
    from twofold.hub.history import read_history

    read_history(path, LOCATIONS)


def _labels(path: Path, _: Path) -> None:
    from twofold.vae.labels import read_labels

    read_labels(path, [f"faces/{i:03d}.png" for i in range(20)])


def _submission(path: Path, _: Path) -> str | None:
    from twofold.hub.tasks import read_hub
    from twofold.hub.validation import validate

    found = validate(path, read_hub(path.parents[2])).problems
    return f"{path.name}: {found[0]}" if found else None


def _outputs(path: Path, _: Path) -> str | None:
    from hub.season_small import RULES
    from twofold.hub.peers import read_outputs

    found = read_outputs(path.parents[1], [date(2023, 12, 2)], RULES)
    return f"{found.unread[0].file}: {found.unread[0].reason}" if found.unread else None


def _run_table(path: Path, _: Path) -> None:
    from twofold.engine.files import table

    table(path.parent, path.name)


def _run_arrays(path: Path, _: Path) -> None:
    from twofold.engine.files import arrays

    arrays(path.parent, path.name)


@cache
def _long() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    rows = [
        (region, date(2020, 3, 1 + day), int(rng.integers(5, 900)))
        for region in ("Italy", "Korea, South", "Côte d'Ivoire", "Chad")
        for day in range(28)
    ]
    return pl.DataFrame(rows, ["region", "date", "value"], orient="row")


def _wide() -> bytes:
    rng = np.random.default_rng(2)
    head = "Province/State,Country/Region,Lat,Long," + ",".join(f"1/{day}/21" for day in range(1, 31))
    rows = [
        f",{name},1.5,-2.5," + ",".join(map(str, np.cumsum(rng.integers(0, 90, 30))))
        for name in ("Italy", "France", "Chad")
    ]
    return "\n".join([head, *rows, ""]).encode()


def _parquet(frame: pl.DataFrame, **how: Any) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, **how)
    return buffer.getvalue()


def _hub_tables() -> dict[str, pl.DataFrame]:
    days = [date(2023, 11, 4), date(2023, 11, 11), date(2023, 11, 18)]
    versions = pl.DataFrame(
        [
            (datetime(2023, 11, 22, 17), "wk inc flu hosp", day, place, float(10 * i + j))
            for i, day in enumerate(days)
            for j, place in enumerate(("01", "02", "US"))
        ],
        ["as_of", "target", "target_end_date", "location", "observation"],
        orient="row",
    )
    locations = pl.DataFrame(
        {
            "abbreviation": ["AL", "AK", "US"],
            "location": ["01", "02", "US"],
            "location_name": ["Alabama", "Alaska", "US"],
            "population": [5_000_000, 800_000, 330_000_000],
        }
    )
    history = pl.DataFrame(
        [(name, day, 1.5 + i) for i, day in enumerate(days) for name in ("Alabama", "Alaska")],
        ["region", "week_start", "unweighted_ili"],
        orient="row",
    )
    peers = pl.DataFrame(
        [
            (date(2023, 12, 2), "wk flu hosp rate change", horizon, place, "pmf", name, 0.2)
            for horizon in range(4)
            for place in ("01", "US")
            for name in ("large_decrease", "decrease", "stable", "increase", "large_increase")
        ],
        ["reference_date", "target", "horizon", "location", "output_type", "output_type_id", "value"],
        orient="row",
    )
    return {"versions": versions, "locations": locations, "history": history, "peers": peers}


def _small_hub() -> dict[str, bytes]:
    from hub.small_hub import tasks

    about = {"name": "Small hub", "file_format": ["csv", "parquet"], "timezone": "US/Eastern"}
    return {
        "hub-config/tasks.json": json.dumps(tasks(6)).encode(),
        "hub-config/admin.json": json.dumps(about).encode(),
    }


def _submitted() -> pl.DataFrame:
    from hub.small_hub import rows

    return pl.DataFrame([*rows("pmf"), *rows("quantile")])


_READ_AS = {"versions": _versions, "locations": _locations, "history": _history}


def _tables() -> list[Seed]:
    csv = partial(Seed, special=(*m.CSV,))
    plain, wide = _long().write_csv().encode(), _wide()
    labels = "name,hair,hat\n" + "".join(
        f"faces/{i:03d}.png,{'red' if i % 3 else 'blond'},{i % 2}\n" for i in range(20)
    )
    hubs = _hub_tables()
    inner = lambda rng, data: m.CSV[int(rng.integers(len(m.CSV)))](rng, data)  # noqa: E731
    return [
        csv("cases.csv", plain, _panel),
        csv("wide.csv", wide, _panel),
        csv("weekly.csv", _weekly(), _panel),
        Seed("cases.csv.gz", gzip.compress(plain, mtime=0), _panel, (partial(m.within_stream, how=inner),)),
        Seed("cases.zip", m.zipped([("cases.csv", plain)]), _panel, (partial(m.zip_member, inner={".csv": inner}),)),
        *(csv(f"{name}.csv", hubs[name].write_csv().encode(), read) for name, read in _READ_AS.items()),
        csv("labels.csv", labels.encode(), _labels),
        csv(
            "model-output/team-model/2024-11-23-team-model.csv",
            _submitted().write_csv().encode(),
            _submission,
            beside=_small_hub(),
        ),
        csv("model-output/team-model/2023-12-02-team-model.csv", hubs["peers"].write_csv().encode(), _outputs),
    ]


def _weekly() -> bytes:
    """Semicolons, numbers in German, a title and a footer."""
    lines = ["Meldungen nach Woche;;;", "Land;Woche;Fälle;Hinweis"]
    lines += [
        f"{name};{7 * week % 28 + 1:02d}.{1 + 7 * week // 28:02d}.2021;{1 + week % 2}.{100 + week}.500;"
        for name in ("Bayern", "Hessen")
        for week in range(12)
    ]
    return "\n".join([*lines, "", "Quelle: ein Amt;;;"]).encode()


def _parquets() -> list[Seed]:
    hubs = _hub_tables()
    days = ("reference_date", "target_end_date")
    submitted = _submitted().with_columns(pl.col(name).str.to_date() for name in days)
    odd = _long().with_columns(
        pl.col("region").cast(pl.Categorical), pl.col("date").cast(pl.Datetime("ns")), note=pl.lit(None, pl.String)
    )
    seeds = [
        Seed("cases.parquet", _parquet(_long()), _panel),
        Seed("snappy.parquet", _parquet(_long(), compression="snappy"), _panel),
        Seed("plain.parquet", _parquet(odd, compression="uncompressed", statistics=False), _panel),
        *(Seed(f"{name}.parquet", _parquet(hubs[name]), read) for name, read in _READ_AS.items()),
        Seed(
            "model-output/team-model/2024-11-23-team-model.parquet",
            _parquet(submitted),
            _submission,
            beside=_small_hub(),
        ),
        Seed("model-output/team-model/2023-12-02-team-model.parquet", _parquet(hubs["peers"]), _outputs),
        Seed("predictions.parquet", _parquet(hubs["peers"], compression="gzip"), _run_table),
    ]
    return [Seed(s.name, s.content, s.read, (m.parquet_footer, m.parquet_footer), s.beside) for s in seeds]


def workbook(rows: list[list[Any]], more: int = 0) -> bytes:
    """A workbook of one sheet, without times; `more` further empty ones."""
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "yyyy-mm-dd"}) as book:
        book.set_properties({"created": datetime(2020, 1, 1)})
        sheet = book.add_worksheet("Cases")
        for i, row in enumerate(rows):
            sheet.write_row(i, 0, row)
        for number in range(more):
            book.add_worksheet(f"Notes {number}")
    return out.getvalue()


def _workbooks() -> list[Seed]:
    rows: list[list[Any]] = [
        ["region", "date", "value"],
        *([r, datetime(d.year, d.month, d.day), v] for r, d, v in _long().iter_rows()),
    ]
    within = partial(m.zip_member, inner={".xml": m.renumbered, ".rels": m.relined})
    bytewise = partial(m.zip_member, inner={})
    texts = [[str(cell) for cell in row] for row in rows]
    return [
        Seed("cases.xlsx", workbook(rows, 1), _panel, (within, within, bytewise)),
        Seed("texts.xlsx", workbook(texts), _panel, (within, within, bytewise)),
    ]


# --- images ---


def _images(path: Path, cache: Path, pages: bool = False) -> str | None:
    from twofold.vae.config import ImageConfig
    from twofold.vae.images.load import load_images

    found = load_images(path, ImageConfig(size=SIZE, pages=pages), strict=False, cache=cache)
    if not found.names and not found.skipped:
        return None
    return f"{path.name}: {found.skipped[0].reason}" if found.skipped else None


_pages = partial(_images, pages=True)


def _picture(mode: str = "RGB", size: tuple[int, int] = (20, 18), seed: int = 0) -> Image.Image:
    rng = np.random.default_rng([seed, len(mode)])
    if mode in ("I;16", "F"):
        return Image.fromarray((rng.random(size[::-1]) * 4000).astype(np.uint16 if mode == "I;16" else np.float32))
    smooth = np.add.outer(np.arange(size[1]), np.arange(size[0]))[..., None] * [3, 5, 2] + rng.integers(
        0, 20, (*size[::-1], 3)
    )
    return Image.fromarray(smooth.astype(np.uint8)).convert(mode)


def encoded(picture: Image.Image, kind: str, **how: Any) -> bytes:
    """An image file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **how)
    return buffer.getvalue()


def _image_files() -> list[Seed]:
    more = [_picture(seed=1), _picture(seed=2)]
    exif = Image.Exif()
    exif[0x0112] = 6
    png = (m.png_chunk, m.png_chunk)
    grey = [_picture("L"), _picture("L", seed=1)]
    return [
        Seed("rgb.png", encoded(_picture(), "PNG", exif=exif), _images, png),
        Seed("palette.png", encoded(_picture("P"), "PNG", transparency=3), _images, png),
        Seed("deep.png", encoded(_picture("I;16"), "PNG"), _images, png),
        Seed("moving.png", encoded(_picture(), "PNG", save_all=True, append_images=more), _pages, png),
        Seed("photo.jpg", encoded(_picture(size=(64, 48)), "JPEG", exif=exif), _images),
        Seed("progressive.jpg", encoded(_picture("CMYK"), "JPEG", progressive=True), _images),
        Seed("lossless.webp", encoded(_picture("RGBA"), "WebP", lossless=True), _images),
        Seed("lossy.webp", encoded(_picture(), "WebP", exif=exif), _images),
        Seed("moving.webp", encoded(_picture(), "WebP", save_all=True, append_images=more), _pages),
        Seed("moving.gif", encoded(_picture("P"), "GIF", save_all=True, append_images=more, transparency=2), _pages),
        Seed("still.gif", encoded(_picture("P"), "GIF"), _images),
        Seed("plain.bmp", encoded(_picture(), "BMP"), _images),
        Seed("palette.bmp", encoded(_picture("P"), "BMP"), _images),
        Seed(
            "stack.tif",
            encoded(grey[0], "TIFF", save_all=True, append_images=grey[1:], compression="tiff_deflate"),
            _pages,
        ),
        Seed("deep.tif", encoded(_picture("I;16"), "TIFF", compression="tiff_lzw"), _images),
        Seed("float.tif", encoded(_picture("F"), "TIFF"), _images),
        Seed("jpeg.tif", encoded(_picture(), "TIFF", compression="jpeg"), _images),
    ]


def tarred(members: list[tuple[str, bytes]]) -> bytes:
    """A tar without times."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _archives() -> list[Seed]:
    members = [(f"deep/{i}.png", encoded(_picture(seed=i), "PNG")) for i in range(3)]
    members.append(("deep/still.gif", encoded(_picture("P"), "GIF")))
    inner = partial(m.zip_member, inner={".png": m.png_chunk})
    tar = tarred(members)
    pixels = np.random.default_rng(3).integers(0, 256, (6, 12, 12, 3), dtype=np.uint8)
    npy, npz, labelled = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(npy, pixels)
    np.savez_compressed(npz, x_train=pixels, y_train=np.arange(6), x_test=pixels[:3], y_test=np.arange(3))
    np.savez(labelled, images=pixels[..., 0].astype(np.float32), labels=np.arange(6) % 3)
    arrays = (partial(m.zip_member, inner={".npy": m.npy_header}),) * 3
    return [
        Seed("faces.zip", m.zipped(members), _images, (inner, inner)),
        Seed("stored.zip", m.zipped(members, 0), _images, (inner,)),
        Seed("faces.tar", tar, _images, (m.tar_member,) * 3),
        Seed("faces.tar.gz", gzip.compress(tar, mtime=0), _images, (partial(m.within_stream, how=m.tar_member),) * 2),
        Seed("faces.tar.xz", lzma.compress(tar), _images, (partial(m.within_stream, how=m.tar_member),)),
        Seed("faces.tar.bz2", bz2.compress(tar), _images, (partial(m.within_stream, how=m.tar_member),)),
        Seed("faces.npy", npy.getvalue(), _images, (m.npy_header,) * 5),
        Seed("parts.npz", npz.getvalue(), _labelled, arrays),
        Seed("floats.npz", labelled.getvalue(), _labelled, arrays),
        Seed("points.npz", npz.getvalue(), _run_arrays, arrays),
    ]


def _labelled(path: Path, cache: Path) -> str | None:
    from twofold.vae.config import ImageConfig
    from twofold.vae.images.load import load_images
    from twofold.vae.labels import archive_labels

    found = load_images(path, ImageConfig(size=SIZE), strict=False, cache=cache)
    archive_labels(path, found)
    return f"{path.name}: {found.skipped[0].reason}" if found.skipped else None


# --- models ---

_DONE = {"DONE": b"", "manifest.json": b'{"data_digest": "0"}'}
"""A finished run of a version that kept no digests of its files: nothing but its readers stands between."""


def _vae(path: Path, _: Path) -> None:
    import torch

    from twofold.vae.model import as_input, open_vae
    from vae.small import discs

    vae, config = open_vae(path.parent, torch.device("cpu"))
    height, width = config.image.shape[1:]
    with torch.no_grad():
        vae.decode(vae.encode(as_input(discs(1, (height, width), config.image.channels), torch.device("cpu")))[0])


def _trend(path: Path, _: Path) -> None:
    from trend.small import epidemic
    from twofold.trend.forecast import Forecaster

    model = Forecaster.open(path.parent)
    with _named(path):
        model.forecast(epidemic())


def _hub(path: Path, _: Path) -> None:
    from hub.season_small import FIRST, RULES, replay
    from twofold.hub.model import HubModel

    model = HubModel.open(path.parent)
    with _named(path):
        model.forecast(replay().known(FIRST), RULES, "pool")


@cache
def _models() -> dict[str, dict[str, bytes]]:
    """The files of a small model of every study."""
    import tempfile

    from hub.season_small import CONFIG, FIRST, RULES, head
    from trend.small import epidemic, fresh, quick, silent
    from twofold.hub.model import HubModel
    from twofold.trend.fit import fit_stages
    from twofold.trend.forecast import Forecaster
    from twofold.trend.windows import prepare
    from twofold.vae.model import Vae, save_vae
    from vae.small import tiny

    def files(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "twofold.sha256"}

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for each in ("vae", "linear", "trend", "hub", "states"):
            (root / each).mkdir()
        config = tiny()
        save_vae(Vae.seeded(config, 0), config, root / "vae")
        config = tiny(
            model={"network": "linear", "latent_dim": 3}, likelihood={"name": "multiscale", "width": 4, "depth": 0}
        )
        save_vae(Vae.seeded(config, 0), config, root / "linear")
        wanted = quick(ensemble={"partners": ("gru", "logistic", "boosting")}, model={"embedding": 2})
        panel = epidemic()
        prepared = prepare(panel, wanted)
        stages = fit_stages(prepared, wanted, fresh(root / "states"), silent)
        Forecaster.of(panel, prepared, stages.final, stages.calibration, wanted).save(root / "trend")
        heads = ("climatology", "ar6", "rnn", "logistic", "renewal", "quantile_rnn")
        small = CONFIG.model_copy(update={"heads": heads, "pooled": ("ar6", "rnn", "quantile_rnn")})
        weights = {"ar6": 0.5, "rnn": 0.25, "quantile_rnn": 0.25}
        HubModel(small, RULES, FIRST, {each: head(each) for each in heads}, weights).save(root / "hub")
        return {each: files(root / each) for each in ("vae", "linear", "trend", "hub")}


def _safetensors() -> list[Seed]:
    special = (m.safetensors_header,) * 8 + (m.tensor_values,) * 2
    readers = {"vae": _vae, "linear": _vae, "trend": _trend, "hub": _hub}
    return [
        Seed(
            f"{name}/model.safetensors",
            files["model.safetensors"],
            read,
            special,
            _beside(name, files, "model.safetensors"),
        )
        for name, read in readers.items()
        for files in [_models()[name]]
    ]


def _beside(folder: str, files: dict[str, bytes], own: str) -> dict[str, bytes]:
    rest = {each: content for each, content in files.items() if each != own}
    return {f"{folder}/{each}": content for each, content in ((rest | _DONE) if folder != "hub" else rest).items()}


def _skops() -> list[Seed]:
    files = _models()["trend"]
    within = partial(m.zip_member, inner={".json": m.json_changed, ".npy": m.npy_header})
    special = (within,) * 12
    return [Seed("trend/model.skops", files["model.skops"], _trend, special, _beside("trend", files, "model.skops"))]


# --- text that describes runs and hubs ---


def _command(*words: str) -> str | None:
    """A command line in this process: its refusal, if it refuses."""
    from twofold.cli import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = main(words)
    if status not in (0, 2):
        raise AssertionError(f"status {status}: {said.getvalue().strip().splitlines()[-2:]}")
    return said.getvalue() if status == 2 else None


def _run(path: Path, _: Path) -> str | None:
    """What lists and shows runs."""
    of, root = str(path.parent), str(path.parents[1])
    for words in (["list", root], ["show", of], ["show", of, "--json"]):
        if refusal := _command("runs", *words):
            return refusal
    return None


def _go_on(path: Path, _: Path) -> None:
    """What the same command reads before it goes on."""
    from twofold.engine.run import claim
    from vae.small import tiny

    with claim(path.parent, tiny(), "0", ["vae", "run"]):
        pass


def _runs() -> list[Seed]:
    from trend.small import quick
    from vae.small import tiny

    ends = dict.fromkeys(
        ("bits_per_dim", "negative_elbo_nats", "rate_nats", "distortion_nats", "iw_bound_nats", "mse"), 0.5
    )
    parts = {"log_score": 0.6, "brier_score": 0.2, "roc_auc": 0.7, "windows": 90}
    scores: dict[str, Any] = {
        "vae": {"test": {**ends, "used_units": 3, "standard_errors": ends}},
        "trend": {"verdict": {"set": "active"}, "active": parts, "intervals": {"active": {"log_score": [0.5, 0.7]}}},
    }
    manifest = {
        "command": ["twofold", "vae", "run", "--out", "run"],
        "data_digest": "0",
        "device": "cpu",
        "versions": {"twofold": "0.1", "torch": "2.13"},
        "wall_time_s": 3.5,
    }
    found = []
    for name, config in (("vae", tiny()), ("trend", quick())):
        files = {
            "config.json": config.to_json().encode(),
            "manifest.json": json.dumps(manifest, indent=2).encode(),
            "scores.json": json.dumps(scores[name]).encode(),
            "DONE": b"",
        }
        for own in ("config.json", "manifest.json", "scores.json"):
            rest = {f"runs/{name}/{each}": content for each, content in files.items() if each != own}
            for read in (_run, _go_on) if name == "vae" and own != "scores.json" else (_run,):
                json_text = (m.json_changed,) * 6 + (m.renumbered, m.nested, m.recoded)
                found.append(Seed(f"runs/{name}/{own}", files[own], read, json_text, rest, told=f"runs/{name}"))
    return found


def _metadata(path: Path, _: Path) -> str | None:
    from twofold.hub.metadata import check_metadata

    folder = path.parent
    found = check_metadata(folder / "team-model.yml", folder / "schema.json")
    return found[0].message if found else None


def _rules(path: Path, _: Path) -> None:
    from twofold.hub.rules import read_rules

    found = read_rules(path)
    for name in found.seasons:
        rules = found.season(name)
        with _named(path):
            rules.deadline(rules.first_reference)


def _toml() -> list[Seed]:
    from hub.season_small import RULES_TOML
    from twofold.hub import rules

    shipped = (Path(rules.__file__).parent / "flusight.toml").read_bytes()
    special = (m.toml_changed,) * 6 + (m.renumbered, m.nested, m.recoded, m.relined)
    return [Seed("small.toml", RULES_TOML.encode(), _rules, special), Seed("flusight.toml", shipped, _rules, special)]


def _tasks(path: Path, _: Path) -> None:
    from twofold.hub.tasks import read_hub

    hub = read_hub(path.parents[1])
    with _named(path):
        assert len(hub.columns) > 2  # as the commands take them
        for day in hub.rounds[:50]:
            hub.opening(day)
            hub.deadline(day)
            for target in list(hub.targets)[:10]:
                hub.asked(day, target, "quantile")
                hub.asked(day, target, "pmf")


def _hubs() -> list[Seed]:
    special = (m.json_changed,) * 8 + (m.renumbered, m.nested, m.recoded)
    hub = _small_hub()
    metadata = {
        "team_name": "A team",
        "team_abbr": "team",
        "model_abbr": "model",
        "model_contributors": [{"name": "Ann", "email": "ann@example.org"}],
        "license": "CC0-1.0",
        "designated_model": True,
        "website_url": "https://example.org",
    }
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in metadata.items()).encode()
    strings = {"type": "string", "maxLength": 50, "pattern": "^[A-Za-z ]+$"}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["team_name", "license"],
        "properties": {"team_name": strings, "license": {"enum": ["CC0-1.0"]}, "website_url": {"format": "uri"}},
    }
    rules = json.dumps(schema).encode()
    return [
        *(
            Seed(
                name,
                hub[name],
                _tasks,
                special,
                {each: data for each, data in hub.items() if each != name},
                told=".json",
            )
            for name in hub
        ),
        Seed("team-model.yml", text, _metadata, (*m.TEXT, m.relined), {"schema.json": rules}),
        Seed("schema.json", rules, _metadata, special, {"team-model.yml": text}, told="m"),
    ]


@cache
def seeds(kind: Kind) -> tuple[Seed, ...]:
    """The sound files of a kind."""
    made = {
        "tables": _tables,
        "parquet": _parquets,
        "xlsx": _workbooks,
        "images": _image_files,
        "archives": _archives,
        "safetensors": _safetensors,
        "skops": _skops,
        "json": _runs,
        "toml": _toml,
        "tasks": _hubs,
    }
    return tuple(made[kind]())


def damaged(kind: Kind, seed: int, number: int) -> tuple[Seed, bytes]:
    """The file of a number: its seed, and what became of its content."""
    rng = np.random.default_rng([seed, KINDS.index(kind), number])
    every = seeds(kind)
    chosen = every[number % len(every)]
    content = chosen.content
    for _ in range(1 if rng.random() < 0.8 else 2):
        content = _mutated(rng, chosen, every, content)
    return chosen, content


def _mutated(rng: m.Rng, chosen: Seed, every: tuple[Seed, ...], content: bytes) -> bytes:
    if chosen.special and rng.random() < 0.6:
        try:
            return chosen.special[int(rng.integers(len(chosen.special)))](rng, content)
        except Exception:  # noqa: BLE001  (a file that was damaged once may have no such structure any more)
            pass
    if rng.random() < 0.08:
        return m.spliced(rng, content, every[int(rng.integers(len(every)))].content)
    return m.BYTES[int(rng.integers(len(m.BYTES)))](rng, content)
