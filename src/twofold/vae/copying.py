"""Whether samples are copies of training images: a test by their nearest neighbours among those and held-out images."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64


@dataclass(frozen=True)
class Copying:
    """How many samples have a training image as nearest of all images, and how many would if none were copied.

    Attributes:
        samples: number of samples.
        held_out: number of different images that the training did not see.
        nearest_in_training: share of the samples whose nearest image is a training image.
        expected: that share if training and held-out images were alike to the model.
        standard_error: its standard deviation then.
    """

    samples: int
    held_out: int
    nearest_in_training: float
    expected: float
    standard_error: float


def copying(
    rows: Int64[np.ndarray, " samples"], in_train: Bool[np.ndarray, " samples"], train: int, held_out: int
) -> Copying:
    """Tests whether samples lie nearer to training images than to images that the training did not see.

    Smooth samples lie near everything, so a small distance proves nothing. But if nothing is copied, training and
    held-out images are exchangeable: of all orders of the images each is as likely, so that a sample's nearest image
    is a training image as often as images are. Smooth samples share a few nearest images; so the deviation is that of
    a random relabelling of the images, given how many samples each is nearest to. With w_j the share of the samples
    that image j of N is nearest to, and p the share of training images, it is

        sqrt(p (1 - p) N / (N - 1) (sum_j w_j^2 - 1 / N)).

    Args:
        rows: nearest image of each sample, among all.
        in_train: whether that is a training image.
        train: number of different training images.
        held_out: number of different other images.

    Source:
        Meehan, Chaudhuri & Dasgupta (2020), A non-parametric test to detect data-copying in generative models, AISTATS
        (samples, training and held-out images compared by nearest neighbours); Schilling (1986), Multivariate
        two-sample tests based on nearest neighbors, JASA 81(395); the deviation is that of a mean of a sample drawn
        without replacement.
    """
    number = train + held_out
    share = train / number
    weights = np.unique(rows, return_counts=True)[1] / len(rows)
    spread = max(float((weights**2).sum()) - 1 / number, 0.0) * number / (number - 1)
    return Copying(len(rows), held_out, float(in_train.mean()), share, math.sqrt(share * (1 - share) * spread))
