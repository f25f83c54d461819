"""Settings: one form for each, so that equal ones have one digest."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from twofold.vae.config import ImageConfig, VaeConfig
from twofold.vae.recipes import default


@pytest.mark.parametrize("size", [64, (64, 64), [64, 64]])
def test_a_square_is_one_number(size: Any) -> None:
    config = default().model_copy(update={"image": ImageConfig(size=size)})
    assert config.to_json() == default().to_json()
    assert config.digest() == default().digest()
    assert json.loads(config.to_json())["image"]["size"] == 64


def test_height_and_width_come_back_from_json() -> None:
    config = VaeConfig(image=ImageConfig(size=(64, 48), channels=1))
    assert (config.image.height, config.image.width, config.image.shape) == (64, 48, (1, 64, 48))
    assert json.loads(config.to_json())["image"]["size"] == [64, 48]
    assert VaeConfig.from_json(config.to_json(), "here") == config
    assert config.digest() != VaeConfig(image=ImageConfig(size=(48, 64), channels=1)).digest()


@pytest.mark.parametrize("size", [7, 513, (8, 7), (600, 64), (-8, 8)])
def test_sizes_beyond_the_bounds_are_refused(size: Any) -> None:
    with pytest.raises(ValidationError, match="height and width must lie in 8 to 512 pixels"):
        ImageConfig(size=size)
