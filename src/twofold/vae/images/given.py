"""Images given in Python, in any of the usual forms, as one array [n, height, width, channels]."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from twofold.engine.errors import InputError
from twofold.vae.config import ImageConfig
from twofold.vae.images.decode import decode
from twofold.vae.images.items import Damage
from twofold.vae.images.load import Images

One = np.ndarray | Tensor | Image.Image
Given = Images | One | Sequence[One]
"""Images as `as_pixels` takes them."""
Pixels = UInt8[np.ndarray, "n h w c"] | Float[np.ndarray, "n h w c"]


def as_pixels(given: Given, config: ImageConfig) -> Pixels:
    """Images as one array, uint8 or floats in [0, 1].

    Taken are: `Images`; a PIL image of any size and mode, which is fitted as an image file is (upright, on white where
    it is transparent, by `image.fit`); an array or tensor of the size and channels of the config, [h, w, c] or
    [c, h, w], of a grey image [h, w] too, with levels of type uint8 or floats in [0, 1]; a list of these; or an array
    or tensor of several images, [n, h, w, c] or [n, c, h, w], of grey ones [n, h, w] too.

    Raises:
        InputError: when there is none, when size, channels, type or values are others, and when an array may be read in
            two ways; the message names the possible forms.
    """
    if isinstance(given, Images):
        return _checked(given.pixels, config)
    if isinstance(given, Sequence):
        if not given:
            raise InputError("there is no image: the list is empty")
        each = [_single(one, number, config) for number, one in enumerate(given)]
        if len({array.dtype.kind for array in each}) > 1:
            each = [array / np.float32(255) if array.dtype.kind == "u" else array for array in each]
        return np.concatenate(each)
    if isinstance(given, Image.Image):
        return _fitted(given, config)[None]
    return _checked(_array(given), config)


def _single(one: One, number: int, config: ImageConfig) -> Pixels:
    """An element of a list, as the first of one."""
    if isinstance(one, Image.Image):
        return _fitted(one, config)[None]
    found = _checked(_array(one), config)
    if len(found) > 1:
        raise InputError(
            f"image {number} of the list (counted from 0) has the shape {list(one.shape)}; each must be one image, so "
            "give an array of several by itself"
        )
    return found


def _fitted(image: Image.Image, config: ImageConfig) -> UInt8[np.ndarray, "h w c"]:
    try:
        return decode(image, config)
    except Damage as damage:
        raise InputError(f"the image can't be used: {damage}") from damage


def _array(given: np.ndarray | Tensor) -> np.ndarray:
    if isinstance(given, np.ndarray):
        return given
    held = given.detach().cpu()
    return (held.float() if held.is_floating_point() else held).numpy()  # numpy has no bfloat16


def _checked(array: np.ndarray, config: ImageConfig) -> Pixels:
    """The array in the one shape, or an InputError; a single image becomes the first of one."""
    channels, height, width = config.shape
    wanted = f"[n, {height}, {width}, {channels}] or [n, {channels}, {height}, {width}]"
    shape = array.shape
    if channels == 1 and shape == (3, height, width):
        raise InputError(
            f"an array of the shape {list(shape)} may be three grey images or one in colour: give "
            f"[3, {height}, {width}, 1] for three, or [{height}, {width}] for one grey image, which the model takes"
        )
    if shape[-3:] == (height, width, channels) and array.ndim in (3, 4):
        found = array.reshape(-1, height, width, channels)
    elif shape[-3:] == (channels, height, width) and array.ndim in (3, 4):
        found = array.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
    elif channels == 1 and shape[-2:] == (height, width) and array.ndim in (2, 3):
        found = array.reshape(-1, height, width, 1)
    else:
        raise InputError(
            f"images must have the shape {wanted} with n > 0, got {list(shape)}; PIL images and files read by "
            "twofold.vae.load_images are fitted to the size"
        )
    if not len(found):
        raise InputError(f"images must have the shape {wanted} with n > 0, got {list(shape)}")
    if found.dtype == np.uint8:
        return found
    if found.dtype.kind != "f":
        raise InputError(
            f"images of type {found.dtype} may be levels or shares of white: give uint8 for levels 0 to 255, or floats "
            "for values in [0, 1]"
        )
    lowest, highest = np.min(found), np.max(found)
    if not (lowest >= 0 and highest <= 1):
        raise InputError(
            f"images that are not uint8 must lie in [0, 1], got {lowest} to {highest}; levels 0 to 255 are given as "
            "uint8 or divided by 255"
        )
    return found


def as_codes(given: np.ndarray | Tensor | Sequence[np.ndarray | Tensor], latent: int) -> Float[np.ndarray, "n latent"]:
    """Codes [n, latent], or a single one, or a list of single ones, as one array of float32.

    Raises:
        InputError: when there is none, or one is not as long as the model's.
    """
    arrays = [_array(one) for one in given] if isinstance(given, Sequence) else _array(given)
    try:
        z = np.ascontiguousarray(np.atleast_2d(np.asarray(arrays)), dtype=np.float32)
    except ValueError as error:
        raise InputError(f"codes of a list must be of one length, {latent}") from error
    if z.ndim != 2 or z.shape[1] != latent or not len(z):
        raise InputError(f"z must have the shape [n, {latent}] with n > 0, got {list(np.shape(arrays))}")
    return z
