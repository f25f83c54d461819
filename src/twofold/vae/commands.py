"""The commands of the vae study: each parses its options, runs the computation and the report, returns an exit status.

Slow imports stand in the function that needs them, so that help and errors in options or paths appear at once.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from pydantic import ValidationError

from twofold.engine.config import explain
from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.files import (
    arrays,
    read_bytes,
    text,
    write_arrays,
    write_bytes,
    write_csv,
    write_json,
    write_parquet,
)
from twofold.engine.flags import AsJson, ConfigFile, parse, starting_config, word_after
from twofold.engine.job import Job, fill, outcome
from twofold.engine.launch import processes
from twofold.engine.run import RunFolder, require_done
from twofold.engine.sound import ASIDE
from twofold.engine.terminal import counting, note, noting, present, render
from twofold.engine.track import Track
from twofold.engine.work import HERE, Work, Workers
from twofold.tune.config import Duration, TuneConfig, Tuning
from twofold.vae.config import (
    TRIAL_S,
    ImageConfig,
    LookConfig,
    PathName,
    SplitConfig,
    SweepConfig,
    VaeConfig,
    VaeTuneConfig,
    budget,
    with_epochs,
)
from twofold.vae.recipes import RECIPES, departures, recipe
from twofold.vae.report import wording

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from rich.console import Console
    from rich.table import Table

    from twofold.engine.ranks import Ranks
    from twofold.vae.images.load import Images
    from twofold.vae.labels import Labels
    from twofold.vae.latent import Autoencoder
    from twofold.vae.train import OnEpoch, OnStep

COLUMNS = 8
"""Images per row of a picture."""
TABLES = {".csv": "text", ".parquet": "Parquet"}
SHEETS = {".png": "a picture", ".npz": "arrays"}
"""Kinds of files that commands write, by their suffix."""
HINT = f"Recipes: {', '.join(RECIPES)}."


@dataclass(frozen=True, kw_only=True)
class Source:
    """The options of every command that reads images."""

    images: Path | None = None
    """Folder, zip, tar or .npy/.npz of images, or one image file."""
    strict: bool = False
    """Fail at the first file that can't be read, instead of listing it as skipped."""
    cache: Path | None = None
    """Folder for decoded images; by default $TWOFOLD_CACHE, else twofold in the user's cache folder."""


@dataclass(frozen=True, kw_only=True)
class Reading(Source):
    """The options of every command that reads images for a finished run's model."""

    range: Annotated[tuple[float, float] | None, tyro.conf.arg(name="image.range")] = None
    """Stored values that become black and white; by default those of the run."""
    key: Annotated[str, tyro.conf.arg(name="image.key")] = ""
    """Array of an .npz that holds the images; by default that of the run, or what `vae run` would take."""
    pages: Annotated[bool, tyro.conf.arg(name="image.pages")] = False
    """Take each page of a TIFF, GIF, PNG or WebP as an image; by default as the run does."""


@dataclass(frozen=True, kw_only=True)
class RunFlags(Source):
    """Trains a variational autoencoder on images and writes scores, pictures, a model and a report.

    Without --images it uses the rendered avatars that ship with the package. The same command continues an interrupted
    run and ends with the same results. With --train.epochs (or --train.images, where that is the budget) raised and the
    same --out a finished run goes on from its last step, by the learning rates of the new length, and is scored anew; a
    training that its patience ended stays ended.
    """

    config: Annotated[VaeConfig, tyro.conf.arg(name="")]
    file: ConfigFile = None
    """Settings that the others are given to, instead of a recipe: best.json of `vae tune`, a run's config.json."""
    labels: Path | None = None
    """CSV file of known attributes: names of images, then a column each; by default the class folders, if any."""
    out: Path | None = None
    """Run folder; by default runs/vae/RECIPE-DIGEST."""
    overwrite: bool = False
    """Empty the run folder first."""
    track: Track = None
    json: AsJson = False


def run(argv: list[str]) -> int:
    """`twofold vae run`."""
    default = RunFlags(config=starting_config(argv, recipe, "vae run"))
    flags = parse(RunFlags, argv, "vae run", default=default, hint=HINT)
    return run_with(flags, ["twofold", "vae", "run", *argv])


def run_with(flags: RunFlags, command: list[str]) -> int:
    """One run, from images to a report; of several processes that `torchrun` started, the first writes it."""
    prepared = _prepare(flags, flags.config, "run", command) if processes() == 1 else None  # an error needs no torch
    from twofold.engine.ranks import join

    ranks = join()
    job, images, labels = prepared or ranks.in_turn(lambda: _prepare(flags, flags.config, "run", command))
    config, followed = job.config, False
    assert isinstance(config, VaeConfig)
    if not ranks.first:
        return _assist(images, config, ranks)
    if ranks.world > 1:
        job = replace(job, device=f"{job.device}, {ranks.world} processes")

    def compute(folder: RunFolder, console: "Console") -> None:
        from twofold.vae.run import execute

        nonlocal followed
        followed = bool(ranks.tell(str(folder.path.resolve())))
        with training_bars(console) as track:
            on_epoch, on_step = track(config)
            execute(images, config, folder, labels=labels, on_epoch=on_epoch, on_step=on_step, ranks=ranks)

    def report(folder: Path) -> None:
        from twofold.vae.report import run

        run.write(folder)

    out = fill(job, compute, report)
    if not followed:
        ranks.tell("")
    found = outcome(out)
    present(found, lambda: _told(found), flags.json)
    return 0


def _assist(images: "Images", config: VaeConfig, ranks: "Ranks") -> int:
    """What the other processes do: they train along, unless the folder holds the run, and say nothing."""
    from twofold.vae.run import assist

    folder = ranks.tell("")
    if folder:
        assist(images, config, Path(folder), ranks)
    return 0


def _told(found: dict[str, Any]) -> str:
    """A run's scores, beside those of others, and what became of the training."""
    scores = found["scores"]
    test, data, beta = scores["test"], scores["data"], scores["objective"]["beta"]
    title = f"{test['images']:,} test images of {data['images']:,} ({data['source']}), beta {beta:g}"
    table = score_table(title, {"test": test, "linear model (PCA)": scores["linear"]})
    return f"{render(table)}{render(beside_table(scores))}{_state(scores)}Report: {found['report']}\n"


@dataclass(frozen=True, kw_only=True)
class SweepFlags(Source):
    """Trains the same network under several weights of the KL term and compares the runs.

    All betas share initial weights and order of the data. Each run is a complete run folder under OUT/runs and is also
    scored on the ELBO with beta = 1. An interrupted sweep continues where it stopped. Without --images it uses the
    rendered avatars that ship with the package.
    """

    config: Annotated[VaeConfig, tyro.conf.arg(name="")]
    betas: tuple[float, ...] = (0.0, 1.0, 100.0)
    """Weights of the KL term; the original study's by default."""
    seeds: tuple[int, ...] = ()
    """Seeds, for error bars; by default --seed alone."""
    workers: Annotated[Workers, tyro.conf.arg(name="")] = HERE
    labels: Path | None = None
    """CSV file of known attributes: names of images, then a column each; by default the class folders, if any."""
    out: Path | None = None
    """Sweep folder; by default runs/vae/sweep-RECIPE-DIGEST."""
    overwrite: bool = False
    """Empty the sweep folder first."""
    track: Track = None
    json: AsJson = False


def sweep(argv: list[str]) -> int:
    """`twofold vae sweep`."""
    default = SweepFlags(config=recipe(word_after("--recipe", argv) or "default"))
    flags = parse(SweepFlags, argv, "vae sweep", default=default, hint=HINT)
    flags.workers.check()
    if flags.track == "mlflow" and not flags.workers.local:
        raise InputError(
            "--track mlflow: workers of a cluster don't know your store; leave it out, or take tensorboard"
        )
    try:
        grid = SweepConfig(base=flags.config, betas=flags.betas, seeds=flags.seeds or (flags.config.seed,))
    except ValidationError as error:
        raise InputError(f"--{explain(error)}; see `twofold vae sweep --help`") from error
    job, images, labels = _prepare(flags, grid, "sweep", ["twofold", "vae", "sweep", *argv])
    grid = job.config
    assert isinstance(grid, SweepConfig)

    workers = flags.workers
    if workers.local and not workers.jobs and job.device != "cpu":
        workers = replace(workers, jobs=1)  # several would share one GPU

    def compute(folder: RunFolder, console: "Console") -> None:
        from twofold.vae.report import run
        from twofold.vae.sweep import execute_runs, summarise

        work = Work(workers, noting(console, folder.tell))
        with counting(console, "runs", folder.tell) as advance:
            diverged = execute_runs(images, grid, folder, labels=labels, report=run.write, work=work, progress=advance)
        summarise(grid, folder.path, diverged)

    def report(folder: Path) -> None:
        from twofold.vae.report import sweep

        sweep.write(folder)

    out = fill(job, compute, report)
    found = outcome(out, "sweep.json")
    present(found, lambda: _swept(found), flags.json)
    return 0


def _swept(found: dict[str, Any]) -> str:
    """A sweep's scores, and the runs that it has none of."""
    scores = found["scores"]
    left_out = "".join(f"Note: {line}\n" for line in wording.left_out(scores.get("diverged", [])))
    return f"{render(sweep_table(scores['runs']))}{left_out}Report: {found['report']}\n"


@dataclass(frozen=True, kw_only=True)
class TuneFlags(Source):
    """Looks for better settings by trials under a budget of time, chosen on validation images alone.

    The first trial has the settings given, so the best is never worse by the measured figure: bits per dim of the
    validation images. Trials that fall behind the median of the others are given up early. An interrupted search goes
    on where it stopped, and a finished one with a larger --budget. The first lines printed show what varies. The folder
    holds the best config, best.json, to be run by `twofold vae run --config`, all trials (tune.json) and a page that
    shows what mattered.
    """

    config: Annotated[VaeConfig, tyro.conf.arg(name="")]
    tuning: Annotated[Tuning, tyro.conf.arg(name="")] = Tuning()  # noqa: RUF009  (it is frozen)
    trial_budget: Duration = TRIAL_S
    """Wall time of a trial, which sets how many images it trains on; with --train.epochs or --train.images these do."""
    out: Path | None = None
    """Folder; by default runs/vae/tune-RECIPE-DIGEST."""
    overwrite: bool = False
    """Empty the folder first."""
    json: AsJson = False


def tune(argv: list[str]) -> int:
    """`twofold vae tune`."""
    default = TuneFlags(config=recipe(word_after("--recipe", argv) or "default"))
    flags = parse(TuneFlags, argv, "vae tune", default=default, hint=HINT)
    flags.tuning.check()
    from twofold.engine.device import describe_device, pick_device
    from twofold.tune.commands import Task, carry_out
    from twofold.tune.space import around
    from twofold.vae.images.load import split_of
    from twofold.vae.tune import Material, objective, space

    device = pick_device(flags.config.train.device)
    images, _, said = read(flags, flags.config.image, flags.config.split)
    split = split_of(images, flags.config.split)
    config = flags.config.model_copy(update={"image": images.config})
    own = bool(config.train.epochs or config.train.images)
    limits = TuneConfig(
        budget_s=flags.tuning.budget, trial_s=0.0 if own else flags.trial_budget, trials=flags.tuning.trials
    )
    knobs, fixed = around(space(config), config)
    given = {"--images": flags.images, "--cache": flags.cache}
    following = [word for name, path in given.items() if path for word in (name, str(path))]
    task = Task(
        config,
        limits,
        knobs,
        Material(images, replace(split, test=split.test[:0]), limits.trial_s),
        objective,
        {
            "study": "vae tune",
            "figure": "bits_per_dim",
            "data": {
                "source": images.source,
                "digest": images.digest,
                "train": len(split.train),
                "validation": len(split.validation),
            },
            "fixed": fixed,
        },
        ["twofold", "vae", "run", *following, *(["--strict"] if flags.strict else [])],
    )
    job = Job(
        "tune",
        ["twofold", "vae", "tune", *argv],
        VaeTuneConfig(vae=config, tune=limits),
        images.digest,
        f"vae/tune-{config.recipe}",
        flags.out,
        flags.overwrite,
        said=said,
        device=describe_device(device),
    )
    return carry_out(task, job, flags.tuning, alone=device.type != "cpu", as_json=flags.json)


def _prepare(
    flags: RunFlags | SweepFlags, config: VaeConfig | SweepConfig, what: str, command: list[str]
) -> tuple[Job, "Images", "Labels | None"]:
    """The job, its images and what is known of them; an error here comes before any folder is made.

    The job's config has a number of epochs, which may follow from the images.
    """
    from twofold.vae.images.load import copies_of_test, split_of
    from twofold.vae.labels import Labels

    if flags.labels and flags.images is None:
        raise InputError("--labels: the avatars' attributes are known; give --images, too, or leave --labels out")

    def device() -> str:
        from twofold.engine.device import describe_device, pick_device

        return describe_device(pick_device(flags.config.train.device))

    if flags.config.train.device == "cuda":
        device()  # a missing GPU is reported before images are decoded
    images, attributes, said = read(flags, flags.config.image, flags.config.split)
    labels = Labels(attributes, "avatars") if attributes is not None else _labels(flags.images, flags.labels, images)
    split = split_of(images, flags.config.split)  # raises when there are too few images

    def settled(config: VaeConfig) -> VaeConfig:
        return with_epochs(config.model_copy(update={"image": images.config}), len(split.train))

    if isinstance(config, VaeConfig):
        config = settled(config)
    else:
        config = config.model_copy(update={"base": settled(config.base)})
    name = f"vae/{flags.config.recipe}" if what == "run" else f"vae/{what}-{flags.config.recipe}"
    departed = departures(flags.config)
    notes = [wording.departures(departed)] if departed else []
    notes += split_notes(len(split.test), copies_of_test(images, split) if flags.config.split.own else 0)
    if labels and labels.unmatched:
        some = ", ".join(labels.unmatched[:3]) + (" …" if len(labels.unmatched) > 3 else "")
        notes.append(f"{flags.labels}: names that are no image's: {len(labels.unmatched):,} ({some})")
    digest = labels.digest(images.digest) if labels else images.digest
    raisable = budget(config) if isinstance(config, VaeConfig) else None
    how = {"overwrite": flags.overwrite, "notes": notes, "said": said, "track": flags.track}
    job = Job(what, command, config, digest, name, flags.out, device=device(), budget=raisable, **how)
    return job, images, labels


def _labels(path: Path | None, file: Path | None, images: "Images") -> "Labels | None":
    """What is known of images of one's own: by a file of labels, else by their archive, else by their folders."""
    from twofold.vae.labels import archive_labels, folder_labels, read_labels

    if file:
        return read_labels(file, images.names)
    return (archive_labels(path, images) if path else None) or folder_labels(images.names)


def split_notes(test: int, copies: int) -> list[str]:
    """What is wrong with a test set of so many images, of which so many are also among the others."""
    from twofold.vae.diagnosis import MIN_IMAGES

    notes = []
    if test < MIN_IMAGES:
        which = f"{test} test image proves" if test == 1 else f"{test} test images prove"
        notes.append(f"{which} nothing: from fewer than {MIN_IMAGES} no conclusion is drawn; give more images")
    if copies:
        notes.append(
            f"{copies:,} of the {test:,} test images are among the others, pixel for pixel: the test is too easy"
        )
    return notes


@dataclass(frozen=True, kw_only=True)
class LookFlags:
    """Reads images as `vae run` would and shows what it finds, without training.

    Prints how many were read and skipped, their formats, sizes, scale, labels and parts, and what looks like a mistake;
    writes a sheet of them as the model would see them; and ends with the command to run next.
    """

    path: tyro.conf.Positional[Path]
    """Folder, zip, tar or .npy/.npz of images, or one image file."""
    config: Annotated[LookConfig, tyro.conf.arg(name="")] = LookConfig()  # noqa: RUF009  (it is frozen)
    labels: Path | None = None
    """CSV file of known attributes: names of images, then a column each; by default the class folders, if any."""
    strict: bool = False
    """Fail at the first file that can't be read, instead of listing it as skipped."""
    cache: Path | None = None
    """Folder for decoded images; by default $TWOFOLD_CACHE, else twofold in the user's cache folder."""
    out: Path = Path("look.png")
    """Picture (.png) of some of the images."""
    json: AsJson = False


LOOK_ROWS = 8


def look(argv: list[str]) -> int:
    """`twofold vae look`."""
    flags = parse(LookFlags, argv, "vae look")
    _check_out("--out", flags.out, {".png": "a picture"})

    import numpy as np

    from twofold.vae.look import account, lines
    from twofold.vae.report import sheets

    config = flags.config
    source = Source(images=flags.path, strict=flags.strict, cache=flags.cache)
    images = _load(source, config.image, config.split.own)
    found = account(images, config, _labels(flags.path, flags.labels, images), flags.path)
    split = found["split"]
    found["remarks"] += split_notes(split["test"], split["test_copies"]) if split else []
    also = {"--labels": flags.labels, "--cache": flags.cache}
    extra = [word for name, path in also.items() if path for word in (name, str(path))]
    found["command"] += extra + (["--strict"] if flags.strict else [])
    shown = np.unique(np.linspace(0, len(images.names) - 1, LOOK_ROWS * COLUMNS).astype(int))
    with _writing("--out", flags.out):
        write_bytes(flags.out, sheets.grid(images.pixels[shown], COLUMNS, sheets.enlarged(*images.pixels.shape[1:3])))
    found["sheet"] = {"file": str(flags.out), "images": len(shown)}
    present(found, lambda: lines(found), flags.json)
    return 0


@dataclass(frozen=True, kw_only=True)
class ScoreFlags(Reading):
    """Prints the scores of a finished run, or with --images scores its model on other images.

    Images of its training and validation sets are left out and counted. With --per-image also writes a row per scored
    image, so that outliers and anomalies are found by sorting. With --features the prior samples are compared with
    those images by a network of your own. A run does not hold its images: one on the embedded avatars renders them
    again, one on your own images needs --images for both.
    """

    run: tyro.conf.Positional[Path]
    """A finished run folder."""
    features: Path | None = None
    """TorchScript file of a network that maps images [n, c, h, w] in [0, 1] to features [n, d], to score samples by."""
    format: Literal["table", "json"] = "table"
    """How to print."""
    json: AsJson = False
    out: Path | None = None
    """File to write instead of printing."""
    per_image: Path | None = None
    """Table (.csv or .parquet) to write: each image's name, part of the split (empty for an image that is not the
    run's), rate, distortion, negative ELBO (nats), bits per dim (empty for bernoulli), mean squared error, and the
    nearest training image with its distance (root of the mean squared difference of pixels in [0, 1]). The last two
    are empty unless --images hold all the training images, too."""


def score(argv: list[str]) -> int:
    """`twofold vae score`."""
    flags = parse(ScoreFlags, argv, "vae score")
    if flags.per_image is not None:
        _check_out("--per-image", flags.per_image, TABLES)
    require_done(flags.run, "twofold vae run")
    if flags.images is None and flags.features is None:
        found = _saved_scores(flags.run)
        title = f"{flags.run}: {found['test']['images']:,} test images"
        blocks = {part: found[part] for part in ("test", "linear", "validation", "train_sample")}
        if flags.per_image is not None:
            _score_images(flags)
    else:
        found = _score_images(flags)
        title = (
            f"{found['source']}: {found['images']:,} images new to the model; "
            f"{found['seen']:,} left out, since it was trained on them; {found['skipped']:,} could not be read"
        )
        blocks = {"these images": found["test"]}
    samples = found.get("samples")

    def told() -> str:
        tables = [score_table(title, blocks), beside_table(found)] + ([samples_table(samples)] if samples else [])
        return "".join(map(render, tables))

    present(found, told, flags.json or flags.format == "json", flags.out)
    return 0


def _saved_scores(run: Path) -> dict[str, Any]:
    config = text(run, "config.json")
    try:
        VaeConfig.from_json(config, "config.json")
    except InputError as error:
        wanted = "give the folder of a finished `twofold vae run`"
        raise RunFolderError(f"{run}: config.json is not that of a vae run; {wanted}") from error
    return json.loads(text(run, "scores.json"))


def _score_images(flags: ScoreFlags) -> dict[str, Any]:
    """Scores a run's model on the images that are new to it, and writes the scores of each where that is wanted.

    Returns:
        What `account.rescore` gives; empty for the run's own images, whose scores it holds.
    """
    from twofold.engine.device import pick_device
    from twofold.vae.account import new_to, rescore, score_plain, score_samples, trained_on
    from twofold.vae.latent import Autoencoder
    from twofold.vae.model import open_vae

    network = None
    if flags.features:
        from twofold.vae.distances import load_features

        network = flags.features.name, load_features(flags.features)
    device = pick_device("auto")
    vae, config = open_vae(flags.run, device)
    images = _images_of(flags.run, flags, config)
    rows = new_to(flags.run, images)
    if flags.images is None and network is None:
        scores, found = {}, score_plain(vae, images, rows, config, device)[1]
    else:
        scores, found = rescore(vae, config, images, rows)
        train = trained_on(flags.run, images)
        scores["samples"] = score_samples(Autoencoder(vae, config), images, rows, train, network)
    if flags.per_image is not None:
        from rich.console import Console

        from twofold.vae.per_image import per_image

        frame, missing = per_image(flags.run, images, rows, found)
        _write_frame("--per-image", flags.per_image, frame)
        for said in (f"{flags.per_image}: the scores of {len(frame):,} images, one row each", missing):
            if said:
                note(Console(stderr=True), said)
    return scores


@dataclass(frozen=True, kw_only=True)
class ModelFlags:
    """The options of every command that uses a finished run's model."""

    run: tyro.conf.Positional[Path]
    """A finished run folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU where there is one."""


@dataclass(frozen=True, kw_only=True)
class ImageFlags(ModelFlags, Reading):
    """The options of those that also need images; a run on the embedded avatars needs no --images."""


@dataclass(frozen=True, kw_only=True)
class ReconstructFlags(ImageFlags):
    """Encodes and decodes images: in each pair of columns the original left, its reconstruction right."""

    number: int = 32
    """Images to take, the first ones by name; 0: all."""
    out: Path = Path("reconstructions.png")
    """Picture (.png), or arrays `names`, `real` and `reconstruction` (.npz)."""


def reconstruct(argv: list[str]) -> int:
    """`twofold vae reconstruct`."""
    flags = parse(ReconstructFlags, argv, "vae reconstruct")
    _at_least("--number", flags.number, 0)
    _check_out("--out", flags.out, SHEETS)
    require_done(flags.run, "twofold vae run")
    model, images = _open_with_images(flags)

    import numpy as np

    from twofold.vae.latent import to_pixels

    real = images.pixels[: flags.number or None]
    back = to_pixels(model.reconstruct(real))

    def picture() -> bytes:
        from twofold.vae.report import sheets

        return sheets.pairs(real, back, COLUMNS // 2)

    names = np.array(images.names)[: len(real)]
    return _write(flags.out, picture, names=names, real=real, reconstruction=back)


@dataclass(frozen=True, kw_only=True)
class SampleFlags(ModelFlags):
    """Decodes samples of the prior: new images."""

    number: int = 64
    """Number of images."""
    seed: int = 0
    """Seed of the samples."""
    temperature: float = 0.0
    """Noise of the pixels given the code, 0 to 1: 0 shows each code's picture alone, 1 draws from the model."""
    out: Path = Path("samples.png")
    """Picture (.png), the array `samples` (.npz), or with no suffix a new folder: one PNG file per image, and
    samples.json with seed, temperature and the model's digest."""


def sample(argv: list[str]) -> int:
    """`twofold vae sample`."""
    flags = parse(SampleFlags, argv, "vae sample")
    _at_least("--number", flags.number, 1)
    _at_least("--seed", flags.seed, 0)
    if not 0 <= flags.temperature <= 1:
        raise InputError(f"--temperature must lie in 0 to 1, got {flags.temperature:g}")
    _check_out("--out", flags.out, SHEETS | {"": "a folder of one PNG file per image"})
    _refuse_full(flags.out)
    require_done(flags.run, "twofold vae run")

    from twofold.vae.latent import Autoencoder, to_pixels

    model = Autoencoder.open(flags.run, flags.device)
    drawn = to_pixels(model.sample(flags.number, flags.seed, flags.temperature))
    if not flags.out.suffix:
        about = {"number": flags.number, "seed": flags.seed, "temperature": flags.temperature}
        about |= {"model": _model_digest(flags.run)}
        with _writing("--out", flags.out):
            _write_samples(flags.out, drawn, about)
        sys.stdout.write(f"{flags.out}\n")
        return 0

    def picture() -> bytes:
        from twofold.vae.report import sheets

        return sheets.grid(drawn, COLUMNS)

    return _write(flags.out, picture, samples=drawn)


def _refuse_full(out: Path) -> None:
    if not out.suffix and out.exists():
        if not out.is_dir():
            raise InputError(f"--out {out}: is a file; a name without a suffix is that of a folder, give another")
        if any(out.iterdir()):
            raise InputError(f"--out {out}: holds files already; nothing was touched, give a new or an empty folder")


def _model_digest(run: Path) -> str:
    """SHA-256 in hex of a run's model file."""
    from twofold.vae.model import MODEL

    return hashlib.sha256(read_bytes(run / MODEL)).hexdigest()


def _write_samples(out: Path, drawn: "np.ndarray", about: dict[str, Any]) -> None:
    """A folder of PNG files that is complete or absent: it is made aside and renamed."""
    from twofold.vae.latent import to_images

    aside = out.absolute().with_name(f"{ASIDE}{os.getpid()}-{out.name}")
    digits = max(5, len(str(len(drawn) - 1)))
    try:
        aside.mkdir(parents=True)
        for index, image in enumerate(to_images(drawn)):
            image.save(aside / f"sample-{index:0{digits}}.png")
        write_json(aside / "samples.json", about)
        aside.replace(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class InterpolateFlags(ImageFlags):
    """Decodes images along a path between the latent codes of two real images."""

    between: tuple[str, ...] = ()
    """Names of the images, two for each path; by default the first four pairs."""
    steps: int = 11
    """Images along each path, both ends included."""
    path: PathName = "linear"
    """`linear`, or `spherical`: along the great circle, where the prior has its mass."""
    out: Path = Path("interpolations.png")
    """Picture (.png), or arrays `start`, `end`, `ways` (.npz)."""


def interpolate(argv: list[str]) -> int:
    """`twofold vae interpolate`."""
    flags = parse(InterpolateFlags, argv, "vae interpolate")
    _at_least("--steps", flags.steps, 2)
    if len(flags.between) % 2:
        raise InputError(f"--between takes names in pairs, got {len(flags.between)}")
    _check_out("--out", flags.out, SHEETS)
    require_done(flags.run, "twofold vae run")
    model, images = _open_with_images(flags)

    import numpy as np

    from twofold.vae.latent import to_pixels

    rows = _rows(images, flags.between) or list(range(len(images.names) // 2 * 2))[:8]
    if not rows:
        raise InputError(f"--images: a path needs two images, got {len(images.names)}")
    start, end = images.pixels[rows[::2]], images.pixels[rows[1::2]]
    paths = to_pixels(model.interpolate(start, end, flags.steps, flags.path))

    def picture() -> bytes:
        from twofold.vae.report import sheets

        framed = np.concatenate([start[:, None], paths, end[:, None]], axis=1)
        heads = ["real", *[f"{step / (flags.steps - 1):.2g}" for step in range(flags.steps)], "real"]
        return sheets.rows(framed, heads=heads)

    return _write(flags.out, picture, start=start, end=end, ways=paths)


@dataclass(frozen=True, kw_only=True)
class TraverseFlags(ImageFlags):
    """Decodes one image's latent code with one unit at a time set to values across the prior."""

    name: str = ""
    """Name of the image; by default the first one."""
    units: tuple[int, ...] = ()
    """Units to vary; by default the ten with the largest effect on the picture of the run's test images."""
    span: float = 3.0
    """Largest value to each side, in standard deviations of the prior."""
    steps: int = 9
    """Number of values of each unit."""
    out: Path = Path("traversals.png")
    """Picture (.png), or arrays `units`, `values`, `images` (.npz)."""


def traverse(argv: list[str]) -> int:
    """`twofold vae traverse`."""
    flags = parse(TraverseFlags, argv, "vae traverse")
    _at_least("--steps", flags.steps, 2)
    _check_out("--out", flags.out, SHEETS)
    require_done(flags.run, "twofold vae run")
    model, images = _open_with_images(flags)

    import numpy as np

    from twofold.vae.latent import to_pixels

    latent = model.config.model.latent_dim
    units = list(flags.units) or arrays(flags.run, "arrays.npz")["traverse_units"].tolist()
    if not all(0 <= unit < latent for unit in units):
        raise InputError(f"--units must lie in 0 to {latent - 1} for this model, got {' '.join(map(str, units))}")
    row = _rows(images, (flags.name,)) if flags.name else [0]
    values = np.linspace(-flags.span, flags.span, flags.steps)
    moved = to_pixels(model.traverse(images.pixels[row], units, values))

    def picture() -> bytes:
        from twofold.vae.report import sheets

        labels, heads = [f"unit {unit}" for unit in units], [f"{value:+.2g}" for value in values]
        return sheets.rows(moved, labels, heads)

    return _write(flags.out, picture, units=np.array(units), values=values, images=moved)


@dataclass(frozen=True, kw_only=True)
class EncodeFlags(ImageFlags):
    """Writes each image's posterior: mean and log variance of every latent unit."""

    out: Path = Path("codes.npz")
    """Arrays `names`, `mu`, `logvar` (.npz), or a table (.csv or .parquet) with a row per image and the columns `name`,
    `mu_0`, `mu_1`, ... (means), `logvar_0`, `logvar_1`, ... (log variances)."""


def encode(argv: list[str]) -> int:
    """`twofold vae encode`."""
    flags = parse(EncodeFlags, argv, "vae encode")
    _check_out("--out", flags.out, {".npz": "arrays"} | TABLES)
    require_done(flags.run, "twofold vae run")
    model, images = _open_with_images(flags)

    import numpy as np

    mu, logvar = model.posterior(images.pixels)
    if flags.out.suffix == ".npz":
        return _write(flags.out, None, names=np.array(images.names), mu=mu, logvar=logvar)

    import polars as pl

    columns = {"name": images.names} | {
        f"{name}_{unit}": column
        for name, values in (("mu", mu), ("logvar", logvar))
        for unit, column in enumerate(values.T)
    }
    _write_frame("--out", flags.out, pl.DataFrame(columns))
    sys.stdout.write(f"{flags.out}\n")
    return 0


@dataclass(frozen=True, kw_only=True)
class ExportFlags:
    """Writes a finished run's model for other programs, with a model card (Markdown) beside it.

    The encoder takes images [n, channels, height, width] in [0, 1] and gives mean and log variance of their codes, the
    decoder takes codes and gives pictures. What the files compute is compared with the model before they are written:
    values up to 1 differ by at most 1e-5, larger ones by at most that share of the largest.
    """

    run: tyro.conf.Positional[Path]
    """A finished run folder."""
    to: Literal["torchscript", "onnx"]
    """`torchscript`: one file with the methods `encode` and `decode`; `onnx`: two files, encoder and decoder, for which
    `pip install 'twofold[onnx]'` is needed."""
    out: Path | None = None
    """File (.pt for TorchScript, .onnx for ONNX); by default model.pt or model.onnx. For NAME.onnx the files are
    NAME-encoder.onnx and NAME-decoder.onnx; the card is NAME.md."""


_EXPORTS = {"torchscript": ".pt", "onnx": ".onnx"}


def export(argv: list[str]) -> int:
    """`twofold vae export`."""
    flags = parse(ExportFlags, argv, "vae export")
    suffix = _EXPORTS[flags.to]
    out = flags.out or Path(f"model{suffix}")
    _check_out("--out", out, {suffix: flags.to})
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if flags.to == "onnx" and not find_spec(name)]
    if missing:
        raise InputError(f"--to onnx: needs {', '.join(missing)}; install with `pip install 'twofold[onnx]'`")
    require_done(flags.run, "twofold vae run")

    from twofold.vae.export import export
    from twofold.vae.latent import Autoencoder
    from twofold.vae.report import card

    found = export(Autoencoder.open(flags.run, "cpu"), flags.to)
    files = {out.with_name(f"{out.stem}{part}{suffix}"): content for part, content in found.files.items()}
    names = [path.name for path in files]
    files[out.with_suffix(".md")] = card.markdown(
        flags.run, flags.to, names, found.difference, _model_digest(flags.run)
    ).encode()
    with _writing("--out", out):
        for path, content in files.items():
            write_bytes(path, content)
    sys.stdout.write("".join(f"{path}\n" for path in files))
    sys.stdout.write(f"largest difference from the model: {found.difference:.1e}\n")
    return 0


def _at_least(flag: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(f"{flag} must be at least {least}, got {value}")


def _check_out(flag: str, out: Path, kinds: dict[str, str]) -> None:
    """Refuses a file of another kind, or where none can be written, before anything is computed."""
    if out.suffix not in kinds:
        options = [f"{suffix} ({kind})" if suffix else f"have no suffix ({kind})" for suffix, kind in kinds.items()]
        *others, last = options
        raise InputError(f"{flag} {out}: must end with {' or '.join([', '.join(others), last] if others else [last])}")
    there = next(path for path in (out.absolute().parent, *out.absolute().parent.parents) if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise InputError(f"{flag} {out}: can't be written, since {there} is no folder that you may write to")


def _images_of(run: Path, source: Reading, config: VaeConfig) -> "Images":
    """The images given, else those of the run, which are made again where they are the embedded avatars."""
    scores = json.loads(text(run, "scores.json"))
    if source.images is None and not scores["embedded"]:
        raise InputError(
            f"{run}: was trained on images of your own, which it does not hold; give --images, the same ones "
            f"({scores['data']['source']}) or others"
        )
    changed = {name: getattr(source, name) for name in ("range", "pages") if getattr(source, name)}
    image, split = config.image.model_copy(update=changed), config.split
    if source.images is not None:
        from twofold.vae.images.arrays import reads_as

        # The run's array and parts are those of its own archive: of another one they are taken where it has them.
        same = not source.key and reads_as(source.images, image.key, split.own)
        image = image.model_copy(update={"key": image.key if same else source.key})
        split = split.model_copy(update={"own": split.own and same})
    images, *_ = read(source, image, split, _READING)
    if source.images is None and images.digest != scores["data"]["digest"]:
        raise InputError(
            f"{run}: was trained on avatars that are drawn differently here (by another version of python_avatars or "
            "resvg); give --images"
        )
    return images


def _open_with_images(flags: ImageFlags) -> tuple["Autoencoder", "Images"]:
    from twofold.vae.latent import Autoencoder

    model = Autoencoder.open(flags.run, flags.device)
    return model, _images_of(flags.run, flags, model.config)


def _rows(images: "Images", names: tuple[str, ...]) -> list[int]:
    known = {name: row for row, name in enumerate(images.names)}
    missing = [name for name in names if name not in known]
    if missing:
        raise InputError(f"no image is named {missing[0]}; names look like {', '.join(images.names[:3])}")
    return [known[name] for name in names]


def _write(out: Path, picture: Callable[[], bytes] | None, **columns: "np.ndarray") -> int:
    """Writes a picture, or the arrays where the file's name says so, and prints the file's name."""
    with _writing("--out", out):
        if picture is None or out.suffix == ".npz":
            write_arrays(out, **columns)
        else:
            write_bytes(out, picture())
    sys.stdout.write(f"{out}\n")
    return 0


def _write_frame(flag: str, out: Path, frame: "pl.DataFrame") -> None:
    with _writing(flag, out):
        (write_csv if out.suffix == ".csv" else write_parquet)(out, frame)


@contextlib.contextmanager
def _writing(flag: str, out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{flag} {out}: can't be written ({error.strerror})") from error


_READING = "--image.range", "--image.key", "--image.pages"
"""Options on images of the commands that use a finished run's model."""


def read(
    source: Source, config: ImageConfig, split: SplitConfig, options: tuple[str, ...] | None = None
) -> tuple["Images", "pl.DataFrame | None", list[str]]:
    """The images, decoded once and then from the cache, and the avatars' attributes where they are avatars.

    Prints and returns notes: what was skipped, how the images were read, and what looks odd.

    Args:
        options: the command's options on images, where it takes those of a run; None: it has all.

    Raises:
        InputError: when there is nothing to read; names file, reason and what to do.
    """
    from rich.console import Console

    from twofold.vae.images.cache import default_folder

    console = Console(stderr=True)
    if source.images is None:
        from twofold.vae.images.avatars import load_avatars

        given = {"image.range": config.range, "image.key": config.key, "image.pages": config.pages}
        if wrong := [name for name, value in (given | {"split.own": split.own}).items() if value]:
            raise InputError(f"--{wrong[0]}: the avatars are drawn and have none; give --images, too, or leave it out")
        with counting(console, "rendering avatars") as progress:
            return *load_avatars(config, cache=source.cache or default_folder(), progress=progress), []

    from twofold.vae.images.remarks import reading_remarks, remarks

    images, notes = _load(source, config, split.own), []
    if images.skipped:
        some = "; ".join(f"{skip.name}: {skip.reason}" for skip in images.skipped[:3])
        more = f"; and {len(images.skipped) - 3:,} more" if len(images.skipped) > 3 else ""
        notes.append(f"{len(images.skipped):,} of {source.images.name}'s files were skipped ({some}{more})")
    found = remarks(images, config) if options is None else reading_remarks(images, config)
    notes += [remark.sentence(options) for remark in found]
    for said in notes:
        note(console, said)
    return images, None, notes


def _load(source: Source, config: ImageConfig, own: bool) -> "Images":
    """The images that were given."""
    from rich.console import Console

    from twofold.vae.images.cache import default_folder
    from twofold.vae.images.load import load_images

    assert source.images is not None
    with counting(Console(stderr=True), "decoding images") as progress:
        where = source.cache or default_folder()
        return load_images(source.images, config, strict=source.strict, cache=where, own=own, progress=progress)


@contextlib.contextmanager
def training_bars(console: "Console") -> Iterator[Callable[[VaeConfig], "tuple[OnEpoch, OnStep]"]]:
    """A bar of each run's steps, with its last validation loss; nothing where standard error is no terminal.

    Yields:
        A function that adds a run's bar and returns what updates it after an epoch and after a step.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    loss = TextColumn("{task.fields[loss]}")
    with Progress(*columns, loss, console=console, disable=not console.is_terminal) as bars:

        def track(config: VaeConfig) -> "tuple[OnEpoch, OnStep]":
            task = bars.add_task(f"beta {config.objective.beta:g}, seed {config.seed}: steps", total=None, loss="")
            words = "epoch {epoch}, validation loss {validation_loss:,.1f} nats"
            return (
                lambda record: bars.update(task, loss=words.format(**record)),
                lambda done, total: bars.update(task, completed=done, total=total),
            )

        yield track


_SCORES = (
    ("rate_nats", "rate (KL), nats per image", 2),
    ("distortion_nats", "distortion, nats per image", 1),
    ("negative_elbo_nats", "negative ELBO, nats per image", 1),
    ("bits_per_dim", "bits per dim", 4),
    ("iw_bound_nats", "importance-weighted bound, nats per image", 1),
    ("mutual_information_nats", "I(x;z), nats", 2),
    ("mse", "mean squared error", 5),
)


def score_table(title: str, blocks: dict[str, dict[str, Any]]) -> "Table":
    """One column per block of `scores.json`, such as its `test`: its scores with their standard errors."""
    from rich.table import Table

    table = Table("score", *blocks, title=title)
    for key, label, digits in _SCORES:
        cells = []
        for block in blocks.values():
            error = block["standard_errors"].get(key)
            cells.append(_figure(block.get(key), digits) + ("" if error is None else f" ± {_figure(error, digits)}"))
        table.add_row(label, *cells)
    table.add_row("units in use", *(str(block.get("used_units", "-")) for block in blocks.values()))
    table.add_row("sigma", *(_figure(block.get("sigma"), 4) for block in blocks.values()))
    return table


_DISTANCES = (
    ("swd_pixels", "sliced Wasserstein, pixels", 4),
    ("swd_laplacian", "sliced Wasserstein, Laplacian patches", 4),
    ("frechet", "Frechet distance", 4),
    ("precision", "precision", 3),
    ("recall", "recall", 3),
    ("density", "density", 3),
    ("coverage", "coverage", 3),
)


def samples_table(samples: dict[str, Any]) -> "Table":
    """Distances of prior samples to real images by temperature, beside those of training images."""
    from rich.table import Table

    blocks = {f"temperature {heat}": block for heat, block in samples["temperatures"].items()}
    blocks |= {"training images": samples["floor"]} if samples["floor"] else {}
    title = f"{samples['images']:,} prior samples against as many test images; features: {samples['features']}"
    table = Table("distance", *blocks, title=title)
    for key, label, digits in _DISTANCES:
        table.add_row(label, *(_figure(block[key], digits) for block in blocks.values()))
    return table


def beside_table(scores: dict[str, Any]) -> "Table":
    """The network's cost beside PCA (where it was fitted), WebP and PNG, and who wins on the same images."""
    from rich.table import Table

    from twofold.vae.report.judgements import against

    bits = scores["test"]["bits_per_dim"]
    unit = "squared error" if bits is None else "bits per dim"
    table = Table(
        "beside", "bits per dim", f"network minus it, {unit}", "images", "the network", title="paired by image"
    )
    table.add_row("network", _figure(bits, 4), "", "", "")
    words = {"less": "wins", "more": "loses", "unclear": "no difference", "few": "too few images"}
    for rival, gap in against(scores).items():
        own = scores["linear"] if rival == "linear" else scores["codecs"][rival]
        difference = f"{gap.value:+,.4f}" + ("" if gap.error is None else f" ± {_figure(gap.error, 4)}")
        cells = _figure(own["bits_per_dim"], 4), difference, f"{gap.images:,}", words[gap.judged]
        table.add_row(wording.RIVALS[rival], *cells)
    return table


def _state(scores: dict[str, Any]) -> str:
    """What became of the training, where it is not fine."""
    from twofold.vae.diagnosis import state

    ended = state(scores)
    notes = [] if ended == "fine" else [wording.STATES[ended]]
    if scores["model"]["fell_back"]:
        notes.append("probabilistic PCA was better on validation images and took the network's place")
    elif not scores["training"]["best_epoch"]:
        notes.append("no epoch was better than the start, which was kept: lower --train.learning-rate")
    return "".join(f"Note: {text}; the report says more.\n" for text in notes)


def sweep_table(runs: list[dict[str, Any]]) -> "Table":
    """One row per run of `sweep.json`; the negative ELBO is that of beta = 1 in each."""
    heads = "rate", "distortion", "negative ELBO", "bits per dim", "I(x;z)", "units in use", "sigma"
    from rich.table import Table

    table = Table("beta", "seed", *heads, title="test images, nats per image; every run on the same ELBO (beta = 1)")
    shown = ("rate_nats", 2), ("distortion_nats", 1), ("negative_elbo_nats", 1), ("bits_per_dim", 4)
    for run in runs:
        test = run["scores"]["test"]
        cells = [_figure(test[key], digits) for key, digits in (*shown, ("mutual_information_nats", 2))]
        table.add_row(f"{run['beta']:g}", str(run["seed"]), *cells, str(test["used_units"]), _figure(test["sigma"], 4))
    return table


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
