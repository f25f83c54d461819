"""The cost of images in lossless formats: that of files which give the very pixels back."""

import io

import numpy as np
import pytest
from PIL import Image

from twofold.vae.codecs import CODECS, codec_bits
from vae.small import discs


@pytest.mark.parametrize("channels", [1, 3])
def test_bits_are_those_of_a_lossless_file(channels: int) -> None:
    pictures = discs(3, size=32, channels=channels)
    found = codec_bits(pictures)
    assert list(found) == ["png", "webp"]
    for name, bits in found.items():
        for picture, cost in zip(pictures, bits, strict=True):
            file = io.BytesIO()
            Image.fromarray(picture.squeeze()).save(file, **CODECS[name])
            assert cost == 8 * file.tell() / picture.size
            with Image.open(file) as opened:
                assert opened.format == name.upper()
                assert opened.mode == "L" or (channels, name) != (1, "png"), "grey is stored as grey"
                back = np.asarray(opened.convert("L" if channels == 1 else "RGB"))
            np.testing.assert_array_equal(back, picture.squeeze())


def test_noise_can_not_be_compressed_and_a_plain_image_can() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    for name, bits in codec_bits(np.concatenate([noise, np.full_like(noise, 7)])).items():
        assert 8.0 < bits[0] < 8.2, name
        assert bits[1] < 0.2, name
