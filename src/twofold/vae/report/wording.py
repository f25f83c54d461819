"""Labels of scores, likelihoods and parts of the split on a page."""

from typing import Any

from twofold.page.words import ScoreWords

SCORES: dict[str, ScoreWords] = {
    "negative_elbo_nats": ScoreWords(
        "Negative ELBO, nats per image",
        False,
        "Rate + distortion, each counted once whatever beta was trained with. An upper bound on minus the images' "
        "log likelihood under the model.",
    ),
    "rate_nats": ScoreWords(
        "Rate R, nats per image",
        None,
        "KL divergence of the posterior q(z|x) from the prior p(z): the cost of encoding the code. A low rate carries "
        "little information about the image, a high one may carry much.",
    ),
    "distortion_nats": ScoreWords(
        "Distortion D, nats per image",
        None,
        "Minus the log likelihood of the pixels given the code: the cost of encoding what the code does not determine. "
        "Of two models with the same rate and likelihood, the one with less is better.",
    ),
    "bits_per_dim": ScoreWords(
        "Bits per dimension",
        False,
        "The negative ELBO of the 8-bit image, in bits, over its number of values (pixels × channels). An image "
        "stored as it is takes 8. The only score here that compares across likelihoods and image sizes.",
    ),
    "iw_bound_nats": ScoreWords(
        "Importance-weighted bound, nats per image",
        False,
        "As the negative ELBO, but tighter: K draws of the code are weighted by how well they explain the image "
        "(Burda et al. 2016). The gap between the two is what the encoder's simple posterior costs.",
    ),
    "mutual_information_nats": ScoreWords(
        "Information I(x;z), nats",
        None,
        "How much information a draw of the code carries about which image it came from. At most the rate, and at most "
        "the logarithm of the number of images it is measured on: e^I images can be distinguished.",
    ),
    "marginal_kl_nats": ScoreWords(
        "Marginal KL, nats",
        False,
        "Rate minus information: how far the codes of all images together are from the prior. Where it is large, "
        "draws from the prior fall where no image's code lies.",
    ),
    "total_correlation_nats": ScoreWords(
        "Total correlation, nats",
        None,
        "How far the units of the code are from independent of each other, over all images together. Estimated from "
        "the mixture of (at most 512) test images' posteriors, where it is the sum of the units' information less that "
        "of all together; as the latter can't exceed the logarithm of the number of images, it may be an upper bound.",
    ),
    "active_units": ScoreWords(
        "Active units",
        None,
        "Units of the code whose posterior mean has a variance above 0.01 over the images (Burda et al. 2016).",
    ),
    "used_units": ScoreWords(
        "Units in use",
        None,
        "Active units that also change the picture: moved by their standard deviation over images, by at least half a "
        "level of 255 (root mean square), the most that rounding changes a value. Each of the others is lost in the "
        "rounding, though many of them together may count.",
    ),
    "reconstruction_variance_share": ScoreWords(
        "Variance reconstructed",
        None,
        "Variance of the reconstructions over the images, as a share of the images' own. Near 0 all reconstructions "
        "are alike.",
    ),
    "mse": ScoreWords(
        "Squared error",
        False,
        "Mean squared difference between the values of an image's pixels, in [0,\u00a01], and those decoded.",
    ),
}
"""The scores in the order of the table's rows."""

DISTANCES: dict[str, ScoreWords] = {
    "swd_pixels": ScoreWords(
        "Sliced Wasserstein distance, pixels",
        False,
        "By how much brightness and colours would have to shift, in the unit of a value in [0,\u00a01], for the "
        "samples to be spread like the test images.",
    ),
    "swd_laplacian": ScoreWords(
        "Sliced Wasserstein distance, patches",
        False,
        "The same for 7\u00a0×\u00a07 patches of a Laplacian pyramid, in standard deviations: blur, noise and seams "
        "show here.",
    ),
    "frechet": ScoreWords(
        "Frechet distance",
        False,
        "Distance between the means and covariances of the features, squared.",
    ),
    "precision": ScoreWords(
        "Precision",
        True,
        "Share of the samples that lie among test images. Smooth images lie among all others, so blur raises it.",
    ),
    "recall": ScoreWords(
        "Recall",
        True,
        "Share of the test images that lie among the samples: low where the samples lack variety.",
    ),
    "density": ScoreWords(
        "Density",
        None,
        "Near how many test images a sample lies, over what is expected: about 1 for real images; above it the samples "
        "crowd where images are most alike.",
    ),
    "coverage": ScoreWords(
        "Coverage",
        True,
        "Share of the test images that have a sample near them.",
    ),
}
"""Distances of samples to real images, in the order of the table's rows."""

LIKELIHOODS = {
    "gaussian": "normal, one learned sigma for all pixels",
    "gaussian_fixed": "normal, fixed sigma",
    "logistic": "discretised logistic, one learned scale for all pixels",
    "bernoulli": "Bernoulli",
    "multiscale": "discretised logistic, pixel by pixel in a fixed order, each given those before it",
}
OBJECTIVES = {"elbo": "rate", "beta_tc": "total correlation"}
"""What beta weighs."""
NETWORKS = {
    "linear": "linear, from probabilistic PCA",
    "plain": "plain: patches, then convolutions of stride 2",
    "original": "original",
}
LAYERS = {
    "ReplicationPad2d": "filled up by its border to whole strides",
    "Crop": "what was filled up cut off",
    "PrincipalEncoder": "principal components, two factors each",
    "PrincipalDecoder": "mean and principal components",
}
"""What the linear network's layers are; those of other networks name themselves."""
BLOCKS = {"test": "Test", "validation": "Validation", "train_sample": "Training", "linear": "Linear model, test"}
"""The sets of images that scores.json holds scores of."""
RIVALS = {
    "network": "network",
    "linear": "probabilistic PCA",
    "webp": "lossless WebP",
    "png": "PNG",
}
"""What the network's cost is set beside."""
PARTS = {"train": "training", "validation": "validation", "test": "test"}
"""The parts of the split."""
STATES = {
    "hardly trained": "the network is hardly trained",
    "collapsed": "the code has collapsed",
    "over-fitted": "the network is over-fitted",
}
"""What may become of a training, in a few words."""


def left_out(runs: list[dict[str, Any]]) -> list[str]:
    """A sentence for each run of a sweep that diverged, as `sweep.json` lists them."""
    return [
        f"beta {run['beta']:g}, seed {run['seed']} is left out, since its training diverged: {run['reason']}."
        for run in runs
    ]


def factor(name: str) -> str:
    """A factor's name on a page."""
    return name.replace("_", " ")


def departures(found: list[dict[str, Any]]) -> str:
    """Says where a run departs from the original study, for the page and the terminal.

    Args:
        found: what `recipes.departures` gives.
    """
    here = {line["setting"]: line["here"] for line in found}
    budget = f"{here['train.images']:,} images" if "train.images" in here else f"{here['train.epochs']} epochs"
    return (
        "The original study's layers can't run as printed: here its second convolution and both transposed ones have "
        "stride 2 (with output padding 1), and its BatchNorms have the channels of what they normalise, none after the "
        f"last layer. It names no optimiser, no batch size and no number of epochs; here {here['train.optimiser']} at "
        f"{here['train.learning_rate']:g}, batches of {here['train.batch_size']}, {budget}. It trained on all images; "
        "here some are held out to stop the training and to be scored."
    )
