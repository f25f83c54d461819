"""Sections of a run's report on how good it is: the key figures, the learning curves, all scores and their account."""

from typing import Any

from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import (
    Column,
    Section,
    bullets,
    callout,
    cards,
    definitions,
    details,
    gallery,
    paragraph,
    table,
)
from twofold.page.html import Html, join, tag
from twofold.vae.report import caveats, figures, findings, wording
from twofold.vae.report.evidence import Evidence
from twofold.vae.report.wording import SCORES, figure, setting, with_error

_PARTS = {"test": "Test", "validation": "Validation", "train_sample": "Trained on"}
_COLUMNS = _PARTS | {"linear": "Linear model, test"}
_COURSES = {
    "negative_elbo": "Negative ELBO: rate + distortion, each counted once.",
    "rate": "Rate: what the code costs.",
    "distortion": "Distortion: what the decoded image leaves open.",
    "loss": "The loss that training minimised, which also chose the epoch.",
    "sigma": "Sigma, learned with the network: it follows the error that is left.",
}


def glance_section(evidence: Evidence) -> Section:
    """The verdict in two sentences, and the key figures."""
    scores = evidence.scores
    warnings = findings.warnings(scores)
    words = [paragraph(findings.verdict(scores), kind="lead"), *(paragraph(warning) for warning in warnings)]
    parts = [
        callout(*words, kind="warning" if warnings or findings.collapsed(scores) else "plain"),
        cards(_key_figures(scores)),
        paragraph(
            f"All on {wording.plural(scores['test']['images'], 'test image')} that the model has not seen; ± is one "
            "standard error over images.",
            kind="small",
        ),
        details("The terms, in a line each", definitions(wording.TERMS)),
        tag("h3", "What beta is worth"),
        paragraph(caveats.weight(scores)),
    ]
    other = caveats.other_beta(scores)
    return Section("glance", "At a glance", join([*parts, paragraph(other)] if other else parts))


def _key_figures(scores: wording.Scores) -> list[tuple[str, str, str, str]]:
    test, objective = scores["test"], scores["objective"]
    counting = f"{numbers.score(test['iw_effective_samples'], 1)} of K = {numbers.count(test['iw_samples'])} draws"
    bits = wording.no_bits(scores) or "an image stored as it is takes 8; lower is better"
    weight = objective["effective_weight"]
    return [
        _card("Negative ELBO", test, "negative_elbo_nats", "nats an image; rate + distortion, lower is better"),
        _card("Rate R", test, "rate_nats", "nats an image; what the code costs"),
        _card("Distortion D", test, "distortion_nats", "nats an image; what the decoded image leaves open"),
        _card("Bits per dimension", test, "bits_per_dim", bits),
        _card("Importance-weighted bound", test, "iw_bound_nats", f"nats an image; {counting} count"),
        (
            "Active units",
            f"{numbers.count(test['active_units'])} of {numbers.count(test['latent_dim'])}",
            "",
            "units of the code that vary with the image",
        ),
        _card("Information I(x;z)", test, "mutual_information_nats", _capped(test)),
        ("Sigma", figure(test["sigma"], 3), "", _sigma(scores)),
        (
            "Beta",
            setting(objective["beta"]),
            "" if weight is None else f"beta × sigma² = {figure(weight, 3)}",
            "weight of the rate in the loss",
        ),
    ]


def _card(name: str, block: dict[str, Any], key: str, line: str) -> tuple[str, str, str, str]:
    value, error = with_error(block[key], block["standard_errors"].get(key))
    return name, value, error, line


def _capped(test: dict[str, Any]) -> str:
    cap = f"log {numbers.count(test['mi_images'])} = {figure(test['mi_cap_nats'])}"
    return f"nats; at the cap, {cap}: it may be larger" if test["mi_at_cap"] else f"nats; the cap is {cap}"


def _sigma(scores: wording.Scores) -> str:
    sigma, name = scores["test"]["sigma"], scores["likelihood"]["name"]
    if sigma is None:
        return f"the {wording.likelihood(name)} likelihood has none"
    return f"{'fixed' if name == 'gaussian_fixed' else 'learned'}; {figure(255 * sigma, 3)} of 255 levels"


def learning_section(evidence: Evidence, album: Album) -> Section:
    """The loss and its two terms by epoch, and what training knows that the test does not."""
    first = figures.framed_from(evidence.metrics)
    cut = f" The axes are drawn for epochs from {first} on; earlier ones may lie outside." if first > 1 else ""
    weights = ", with averaged weights" if evidence.config["train"]["ema"] else ""
    words = [
        paragraph(findings.ended(evidence.scores)),
        paragraph(
            f"Training figures are means over the epoch while the weights moved; validation is measured after it"
            f"{weights}. Validation that rises while training falls is over-fitting.{cut}"
        ),
    ]
    if evidence.scores["recipe"] == "original":
        words.insert(
            0, paragraph("Figure ii of the original study, which shows the training images only.", kind="small")
        )
    drawn = gallery([_course(evidence, album, quantity) for quantity in _measured(evidence)])
    parts = [*words, drawn, tag("h3", "Images trained on, and others"), *_gap(evidence, album)]
    return Section("learning", "Learning curves", join(parts))


def _measured(evidence: Evidence) -> list[str]:
    """Quantities worth a picture: the loss where it is not the negative ELBO, sigma where it moves."""
    objective = evidence.scores["objective"]
    shown = ["negative_elbo", "rate", "distortion"]
    if objective["beta"] != 1 or objective["warmup"] or objective["free_nats"]:
        shown.append("loss")
    return shown + ["sigma"] * (len({record["sigma"] for record in evidence.metrics}) > 1)


def _course(evidence: Evidence, album: Album, quantity: str) -> Html:
    best = evidence.scores["training"]["best_epoch"]
    lines = figures.by_part(evidence.metrics, quantity)
    ends = ", ".join(f"{part} {figure(values[best - 1])}" for part, values in lines.items())
    return album.add(
        f"learning-{quantity.replace('_', '-')}",
        figures.course(evidence.metrics, quantity, best),
        f"{quantity.replace('_elbo', ' ELBO').capitalize()} by epoch; at epoch {best}, which was kept: {ends}.",
        f"{_COURSES[quantity]} At epoch {best}: {ends}.",
    )


def _gap(evidence: Evidence, album: Album) -> list[Html]:
    scores = evidence.scores
    rows = [
        (name, scores[block]["negative_elbo_nats"], scores[block]["standard_errors"]["negative_elbo_nats"])
        for block, name in reversed(_PARTS.items())
    ]
    told = "; ".join(f"{name.lower()} {wording.measured(value, error)}" for name, value, error in rows)
    drawn = album.add(
        "parts",
        figures.dots(rows, "negative ELBO, nats an image"),
        f"Dot chart of the negative ELBO of images trained on, of validation and of test images: {told}.",
        "The final model on images of each part of the split, all scored alike; bars span two standard errors.",
    )
    return [paragraph(findings.overfitting(scores)), gallery([drawn])]


def scores_section(evidence: Evidence, album: Album) -> Section:
    """Every score with its standard error, and how rate, distortion and information hang together."""
    parts = [
        paragraph("↑ more is better, ↓ less is better; a score without an arrow describes. ± is one standard error."),
        _table(evidence.scores),
        paragraph(findings.linear(evidence.scores)),
        details("What each score is", _meanings()),
        tag("h3", "Rate, distortion and information"),
        *_account(evidence, album),
    ]
    return Section("scores", "All scores", join(parts))


def _table(scores: wording.Scores) -> Html:
    columns = [Column("Score", "left")]
    columns += [Column(f"{name} ({numbers.count(scores[block]['images'])})") for block, name in _COLUMNS.items()]
    rows = [
        [
            join([tag("abbr", words.label, title=words.meaning), f" {words.arrow}" if words.arrow else ""]),
            *(_cell(scores, block, key) for block in _COLUMNS),
        ]
        for key, words in SCORES.items()
    ]
    reason = wording.no_bits(scores)
    caption = "Scores by part of the split (in brackets: images)"
    return table(columns, rows, f"{caption}; no bits per dimension, since {reason}" if reason else caption)


def _cell(scores: wording.Scores, block: str, key: str) -> str:
    # The linear model's nats are those of a Gaussian density, which only another density's compare with.
    if (
        block == "linear"
        and key in ("negative_elbo_nats", "distortion_nats")
        and not scores["likelihood"]["is_density"]
    ):
        return numbers.DASH
    return f"{_side(scores, block, key)}{wording.score(scores[block], key)}"


def _side(scores: wording.Scores, block: str, key: str) -> str:
    """What stands before a figure that the cap of I turns into a bound."""
    sides = {"mutual_information_nats": "≥ ", "marginal_kl_nats": "≤ "}
    return sides.get(key, "") if block == "test" and scores["test"]["mi_at_cap"] else ""


def _meanings() -> Html:
    return bullets(
        [
            join([tag("strong", f"{words.label} {words.arrow}".strip()), f": {words.meaning}"])
            for words in SCORES.values()
        ]
    )


def _account(evidence: Evidence, album: Album) -> list[Html]:
    scores, test = evidence.scores, evidence.scores["test"]
    rows = [
        ("Information I", test["mutual_information_nats"], test["standard_errors"]["mutual_information_nats"]),
        ("Rate R", test["mi_rate_nats"], None),
        ("Cap of I, log N", test["mi_cap_nats"], None),
    ]
    told = "; ".join(f"{name} {figure(value)}" for name, value, _ in rows)
    drawn = album.add(
        "information",
        figures.bars(rows, "nats"),
        f"Bar chart in nats: {told}.",
        f"On the same {numbers.count(test['mi_images'])} images. The rate is at least the information; what it has "
        "more is the marginal KL.",
    )
    words = paragraph(
        "For any model H − D ≤ I(x;z) ≤ R (Alemi et al. 2018): the code can't tell more about the image than its rate, "
        "and must tell at least the images' entropy H less the distortion D."
    )
    said = [
        findings.sandwich(scores),
        findings.information(scores),
        findings.marginal(scores),
        findings.tighter(scores),
    ]
    said.append(
        "The entropy H of real images is not known, so H − D ≤ I can't be checked here. A sweep over beta checks it in "
        "closed form on a linear-Gaussian data set."
    )
    return [words, bullets(said), gallery([drawn])]
