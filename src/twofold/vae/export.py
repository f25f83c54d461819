"""A trained model for other programs, as TorchScript or ONNX, proven equal to the model before anything is written.

In: images [n, channels, height, width] in [0, 1], float32. Out: mean and log variance of q(z|x), and for codes
[n, latent] the picture that the likelihood shows, in [0, 1]. n is free.
"""

import contextlib
import io
import logging
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from twofold.engine.errors import TwofoldError
from twofold.vae.latent import Autoencoder
from twofold.vae.model import Vae

Target = Literal["torchscript", "onnx"]
TOLERANCE = 1e-5
"""Largest difference between an exported model and its original, of values up to 1; relative for larger ones."""
_CHECKED = 1, 3  # images and codes at a time: neither number may be built into the file
_NAMES = {"encoder": ("x", ("mu", "logvar")), "decoder": ("z", ("picture",))}


@dataclass(frozen=True)
class Exported:
    """The files of an exported model, and how far its results are from the model's.

    Attributes:
        files: content by what follows the name: one TorchScript file ("") with the methods `encode` and `decode`, or
            two ONNX files ("-encoder", "-decoder").
        difference: largest one, as in `TOLERANCE`.
    """

    files: dict[str, bytes]
    difference: float


class _Encoder(nn.Module):
    def __init__(self, vae: Vae) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.vae.encode(x)


class _Decoder(nn.Module):
    def __init__(self, vae: Vae) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, z: Tensor) -> Tensor:
        return self.vae.likelihood.mean(self.vae.decode(z))


class _Both(nn.Module):
    def __init__(self, vae: Vae) -> None:
        super().__init__()
        self.encoder, self.decoder = _Encoder(vae), _Decoder(vae)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)


def export(model: Autoencoder, to: Target) -> Exported:
    """Exports a model and checks what the files compute, on random images and codes, against the model itself.

    Args:
        model: on the CPU.

    Raises:
        TwofoldError: when a result is further from the model's than `TOLERANCE`.
        ImportError: when `to` is "onnx" and onnx, onnxscript or onnxruntime is missing.
    """
    image, generator = model.config.image, torch.Generator().manual_seed(0)
    trials = [
        (
            torch.rand(number, *image.shape, generator=generator),
            torch.randn(number, model.config.model.latent_dim, generator=generator),
        )
        for number in _CHECKED
    ]
    x, z = trials[-1]
    files, encode, decode = _torchscript(model.vae, x, z) if to == "torchscript" else _onnx(model.vae, x, z)
    worst = 0.0
    for x, z in trials:
        with torch.no_grad():
            wanted = *_Encoder(model.vae)(x), _Decoder(model.vae)(z)
        for found, value in zip((*encode(x), decode(z)), wanted, strict=True):
            worst = max(worst, float((found - value).abs().max() / value.abs().max().clamp(min=1)))
    if not worst <= TOLERANCE:
        raise TwofoldError(f"the {to} export differs from the model by {worst:.2g}, more than {TOLERANCE:g}")
    return Exported(files, worst)


_Functions = tuple[dict[str, bytes], Callable[[Tensor], tuple[Tensor, ...]], Callable[[Tensor], Tensor]]


def _torchscript(vae: Vae, x: Tensor, z: Tensor) -> _Functions:
    """One file, and its two methods as loaded from it."""
    methods = {"encode": x, "decode": z}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # PyTorch advises its own successors, which no program reads that reads TorchScript.
        warnings.filterwarnings("ignore", message=".torch.jit", category=DeprecationWarning)
        traced = torch.jit.trace_module(_Both(vae).eval(), methods, check_trace=False)
        torch.jit.save(torch.jit.freeze(traced, preserved_attrs=list(methods)), buffer)
        content = _without_paths(buffer)
        loaded: Any = torch.jit.load(io.BytesIO(content))
    return {"": content}, loaded.encode, loaded.decode


def _without_paths(saved: io.BytesIO) -> bytes:
    """A TorchScript file without its notes on where each operation stood in this machine's Python files."""
    kept = io.BytesIO()
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(kept, "w") as new:
        for member in old.infolist():
            if not member.filename.endswith(".debug_pkl"):
                new.writestr(member, old.read(member))
    return kept.getvalue()


def _onnx(vae: Vae, x: Tensor, z: Tensor) -> _Functions:
    """Two files, and what onnxruntime computes with them."""
    import onnxruntime

    files: dict[str, bytes] = {}
    sessions = []
    for part, module, example in (("encoder", _Encoder(vae), x), ("decoder", _Decoder(vae), z)):
        given, named = _NAMES[part]
        with _quiet():
            program = torch.onnx.export(
                module.eval(),
                (example,),
                dynamo=True,
                verbose=False,
                input_names=[given],
                output_names=list(named),
                dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
            )
        assert program is not None
        proto = program.model_proto
        for node in (*proto.graph.node, *(node for function in proto.functions for node in function.node)):
            node.ClearField("metadata_props")  # the stack of the export, with this machine's paths
        files[f"-{part}"] = proto.SerializeToString()
        sessions.append(onnxruntime.InferenceSession(files[f"-{part}"], providers=["CPUExecutionProvider"]))
    encoder, decoder = sessions

    def results(session: Any, name: str, value: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.from_numpy(np.asarray(each)) for each in session.run(None, {name: value.numpy()}))

    return files, lambda x: results(encoder, "x", x), lambda z: results(decoder, "z", z)[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without PyTorch's words on its own insides and on torchvision, which is not needed."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)
