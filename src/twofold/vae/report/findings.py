"""What a run's figures say, one small function a finding; none says more than its figures."""

import math

from twofold.page import numbers
from twofold.vae.report.wording import Scores, figure, measured, plural, score

CERTAIN = 2.0
"""Standard errors that a difference must exceed before it is called one."""
COLLAPSED_RATE = 1.0
"""Nats: by I(x;z) <= R, a code of a lower rate tells fewer than e = 2.7 images apart."""
UNIT_FLOOR = 0.01
"""Nats: a unit of the code with a lower mean KL counts as collapsed."""
MANY_CLOSE = 0.25
"""Share of 16 samples that lie closer to a training image than 95 % of test images do: 7 in 1,000 by chance."""


def verdict(scores: Scores) -> str:
    """The run in two measured sentences."""
    if collapsed(scores):
        return f"{_cost(scores)} {collapse(scores)}"
    test = scores["test"]
    units = f"{numbers.count(test['active_units'])} of its {plural(test['latent_dim'], 'unit')}"
    verb = "is" if test["active_units"] == 1 else "are"
    told = f"{figure(test['mutual_information_nats'])} nats about the image"
    if test["mi_at_cap"]:
        told = f"at least {told}, the most that {plural(test['mi_images'], 'image')} can show"
    return f"{_cost(scores)} The code is in use: {units} {verb} active, and it tells {told}."


def _cost(scores: Scores) -> str:
    test = scores["test"]
    rate, distortion = score(test, "rate_nats"), score(test, "distortion_nats")
    if test["bits_per_dim"] is None:
        return f"On the test images the rate is {rate} nats and the distortion {distortion} nats an image."
    bits = score(test, "bits_per_dim")
    return f"A test image costs {bits} bits per dimension, with a rate of {rate} nats."


def warnings(scores: Scores) -> list[str]:
    """What must be known before any picture is looked at; the collapse stands in the verdict."""
    found = [linear(scores)] if beaten(scores) else []
    found += [overfitting(scores)] if overfitted(scores) else []
    return found + ([memorisation(scores)] if memorised(scores) else [])


def beaten(scores: Scores) -> bool:
    """Whether the linear model is clearly better."""
    gap, error = _against_linear(scores)
    return error is not None and gap > CERTAIN * error


def linear(scores: Scores) -> str:
    """The network against probabilistic PCA, which needs no training."""
    model, gap = scores["linear"], _against_linear(scores)
    named = f"probabilistic PCA with {plural(model['components'], 'component')}, a linear model that needs no training"
    bits = scores["test"]["bits_per_dim"] is not None
    unit = "bits per dimension" if bits else "in squared error (the only score that both have)"
    told = f"{named}, by {measured(abs(gap[0]), gap[1])} {unit}"
    if beaten(scores):
        return f"The network loses to {told}."
    if gap[1] is not None and gap[0] < -CERTAIN * gap[1]:
        return f"The network beats {told}."
    return f"The network and {named} can't be told apart on these test images."


def _against_linear(scores: Scores) -> tuple[float, float | None]:
    """Network minus linear model, and the standard error as if they were scored on different images: too large."""
    key = "mse" if scores["test"]["bits_per_dim"] is None else "bits_per_dim"
    blocks = scores["test"], scores["linear"]
    errors = [block["standard_errors"][key] for block in blocks]
    return blocks[0][key] - blocks[1][key], None if None in errors else math.hypot(*errors)


def collapsed(scores: Scores) -> bool:
    """Whether the code says next to nothing of the image."""
    return scores["test"]["active_units"] == 0 or scores["test"]["rate_nats"] < COLLAPSED_RATE


def collapse(scores: Scores) -> str:
    """Whether, and how far, the posterior has collapsed onto the prior."""
    test, latent = scores["test"], scores["test"]["latent_dim"]
    rate = test["rate_nats"]
    if test["active_units"] == 0:
        return (
            f"Posterior collapse: none of the {plural(latent, 'unit')} of the code is active, so the code tells next "
            "to nothing about the image."
        )
    if rate < COLLAPSED_RATE:
        return (
            f"The posterior has all but collapsed: with a rate of {figure(rate)} nats the code can tell no more than "
            f"{math.exp(rate):.1f} images apart."
        )
    unused = scores["kl_units_collapsed"]
    if not unused:
        return f"No unit of the code has collapsed: each of the {latent} carries at least {UNIT_FLOOR} nats on average."
    return (
        f"{numbers.count(unused)} of {plural(latent, 'unit')} ({numbers.percent(unused / latent, 0)}) have collapsed "
        f"onto the prior: each carries less than {UNIT_FLOOR} nats on average. They cost nothing and say nothing; "
        f"{numbers.count(test['active_units'])} are active."
    )


def _gap(scores: Scores) -> tuple[float, float | None]:
    """Negative ELBO of test minus training images, and the standard error of that, from two independent sets."""
    test, train = scores["test"], scores["train_sample"]
    errors = [block["standard_errors"]["negative_elbo_nats"] for block in (test, train)]
    known = [error for error in errors if error is not None]
    return test["negative_elbo_nats"] - train["negative_elbo_nats"], math.hypot(*known) if len(known) == 2 else None


def overfitted(scores: Scores) -> bool:
    """Whether test images cost clearly more than images that were trained on."""
    gap, error = _gap(scores)
    return error is not None and gap > CERTAIN * error


def overfitting(scores: Scores) -> str:
    """Whether the model has learned its training images better than their kind."""
    gap, error = _gap(scores)
    if error is None:
        return f"Test minus training images: {figure(gap)} nats an image; without standard errors that can't be judged."
    told = f"{measured(abs(gap), error)} nats an image {'more' if gap > 0 else 'less'} than images it was trained on"
    if gap > CERTAIN * error:
        return f"Over-fitting: test images cost {told}."
    if gap < -CERTAIN * error:
        return f"No over-fitting: test images even cost {told}; the two sets happen to differ."
    return f"No over-fitting shown: test images cost {told}, within {CERTAIN:g} standard errors."


def information(scores: Scores) -> str:
    """How much the code tells about the image, against what could be measured."""
    test = scores["test"]
    told, images = score(test, "mutual_information_nats"), numbers.count(test["mi_images"])
    if test["mi_at_cap"]:
        return (
            f"I(x;z) is at the cap: {told} nats, and with {images} images no more than log {images} = "
            f"{figure(test['mi_cap_nats'])} could be measured. Nearly every draw of the code names its image among "
            "these; how much more it tells, up to the rate, so few images can't show."
        )
    words = f"I(x;z) is {told} nats, below the cap of log {images} = {figure(test['mi_cap_nats'])}"
    if test["mutual_information_nats"] <= CERTAIN * (test["standard_errors"]["mutual_information_nats"] or 0.0):
        return f"{words}: not clearly above 0, so a draw of the code may say nothing of its image."
    left = math.exp(test["mi_cap_nats"] - test["mutual_information_nats"])
    return f"{words}: a draw of the code narrows {images} images down to about {figure(left, 3)}."


def sandwich(scores: Scores) -> str:
    """Whether I <= R holds, on the same images."""
    test = scores["test"]
    told, rate = test["mutual_information_nats"], test["mi_rate_nats"]
    images = numbers.count(test["mi_images"])
    if told <= rate:
        return f"I ≤ R holds on the same {images} images: {figure(told)} ≤ {figure(rate)} nats."
    error = test["standard_errors"]["mutual_information_nats"]
    within = error is not None and told - rate <= CERTAIN * error
    reason = f"within {CERTAIN:g} standard errors of the estimate" if within else "by more than the estimate's noise"
    return f"I ≤ R does not hold on the same {images} images: {figure(told)} > {figure(rate)} nats, {reason}."


def marginal(scores: Scores) -> str:
    """What of the rate is no information."""
    test = scores["test"]
    told = f"{figure(test['marginal_kl_nats'])} nats of the rate"
    if test["mi_at_cap"]:
        return f"At most {told} are marginal KL: since I is at its cap, the true figure may be anywhere below."
    return f"{told} are marginal KL, the distance of all codes together from the prior."


def tighter(scores: Scores) -> str:
    """What importance weighting gains on the ELBO, on the same images."""
    test = scores["test"]
    gain = test["iw_negative_elbo_nats"] - test["iw_bound_nats"]
    effective = test["iw_effective_samples"]
    words = (
        f"With K = {numbers.count(test['iw_samples'])} draws an image, importance weighting lowers the bound by "
        f"{figure(gain)} nats on the same {plural(test['iw_images'], 'image')}; of the K draws "
        f"{numbers.score(effective, 1)} count (effective samples)."
    )
    if effective < 0.1 * test["iw_samples"]:
        words += " So few draws decide that the true log likelihood may be a good deal better than the bound."
    return words


def memorised(scores: Scores) -> bool:
    """Whether more samples lie close to a training image than chance has it."""
    return scores["memorisation"]["closer_than_test"] >= MANY_CLOSE


def memorisation(scores: Scores) -> str:
    """Whether samples are copies of training images, by their distances."""
    share = scores["memorisation"]["closer_than_test"]
    found = f"{numbers.percent(share, 0)} of the samples lie" if share else "No sample lies"
    words = f"{found} closer to a training image than all but 5\u00a0% of the test images do"
    if memorised(scores):
        return (
            f"{words}, which is more than chance: either training images are copied, or the samples are so smooth that "
            "they lie near everything. Samples beside their nearest training images tell which."
        )
    return f"{words}, which is no sign of copying."


def distances(scores: Scores) -> str:
    """How near samples and test images are to training images."""
    found = scores["memorisation"]
    return (
        f"Half of the samples lie within {figure(found['sample_distance'], 3)} of a training image (root mean square "
        f"of a value in [0,\u00a01]), half of the test images within {figure(found['test_distance'], 3)}."
    )


def error(scores: Scores) -> str:
    """How far reconstructions are off."""
    off = 255 * math.sqrt(scores["test"]["mse"])
    return f"A value of a reconstructed pixel is off by {figure(off, 3)} of 255 levels (root mean square)."


def blur(scores: Scores) -> str:
    """Why decoded images look blurred, and what of a pixel the model leaves open."""
    words = "Every decoded picture is a mean: what the code leaves open is averaged, which looks blurred."
    sigma = scores["test"]["sigma"]
    if sigma is None:
        return words
    return (
        f"{words} A true draw from the model would add noise of sigma = {figure(sigma, 3)} ({figure(255 * sigma, 3)} "
        "of 255 levels) to each value, which no picture here shows."
    )


def ended(scores: Scores) -> str:
    """How long the training went and whose weights are kept."""
    training = scores["training"]
    early = " and stopped early, since validation no longer improved" if training["stopped_early"] else ""
    return (
        f"Training took {plural(training['epochs'], 'epoch')}{early}. The weights kept are those of epoch "
        f"{numbers.count(training['best_epoch'])}, where the validation loss was lowest."
    )
