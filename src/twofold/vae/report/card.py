"""The model card of an exported model: what it is, how it is called, its data, scores and limits, in Markdown."""

import json
from pathlib import Path
from typing import Any

import jinja2

from twofold import __version__
from twofold.engine.files import text
from twofold.page import numbers
from twofold.vae.report import wording

_CALLS = {
    "torchscript": """\
import torch
model = torch.jit.load("{files[0]}")
x = torch.rand(1, {channels}, {height}, {width})  # images in [0, 1]
mu, logvar = model.encode(x)
picture = model.decode(mu)""",
    "onnx": """\
import numpy as np, onnxruntime
encoder, decoder = (onnxruntime.InferenceSession(file) for file in ("{files[0]}", "{files[1]}"))
x = np.random.rand(1, {channels}, {height}, {width}).astype(np.float32)  # images in [0, 1]
mu, logvar = encoder.run(None, {{"x": x}})
(picture,) = decoder.run(None, {{"z": mu}})""",
}


def markdown(run: Path, to: str, files: list[str], difference: float, digest: str) -> str:
    """The card of a finished run's model.

    Args:
        run: folder of the run.
        to: `torchscript` or `onnx`.
        files: names of the exported files.
        difference: the largest one between their results and the model's.
        digest: that of the run's model file.

    Raises:
        RunFolderError: when a file of the run is missing.
    """
    scores = json.loads(text(run, "scores.json"))
    _, channels, height, width = scores["data"]["shape"]
    linear, codecs = scores["linear"], scores.get("codecs", {})
    rows = [("this model", scores["test"]), (f"probabilistic PCA, {linear['components']} components", linear)]
    rows += [(name, codecs[key]) for key, name in (("png", "PNG"), ("webp", "lossless WebP")) if key in codecs]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("twofold", ""),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"count": numbers.count, "score": numbers.score, "plain": numbers.plain}
    return environment.get_template("vae/report/card.md.j2").render(
        scores=scores,
        data=scores["data"],
        channels=channels,
        height=height,
        width=width,
        latent=scores["model"]["latent_dim"],
        likelihood=wording.LIKELIHOODS[scores["likelihood"]["name"]],
        rows=rows,
        value=_value,
        files=files,
        code=_CALLS[to].format(files=files, channels=channels, height=height, width=width),
        torchscript=to == "torchscript",
        difference=difference,
        digest=digest,
        version=__version__,
    )


def _value(block: dict[str, Any], key: str, digits: int) -> str:
    error = block.get("standard_errors", {}).get(key)
    return numbers.score(block.get(key), digits) + ("" if error is None else f" ± {numbers.score(error, digits)}")
