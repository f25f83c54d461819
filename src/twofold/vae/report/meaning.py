"""What a run means and what it does not, in sentences made from its figures, and how to have it again."""

import shlex
from typing import Any

from twofold.page import numbers
from twofold.page.blocks import Section, bullets, definitions, details, paragraph, settings
from twofold.page.html import join, tag
from twofold.vae.report import caveats, findings, wording
from twofold.vae.report.evidence import Evidence


def meaning_section(evidence: Evidence) -> Section:
    """What may be concluded, and what may not."""
    scores = evidence.scores
    means = [
        findings.collapse(scores),
        findings.overfitting(scores),
        findings.memorisation(scores),
        findings.blur(scores),
    ]
    limits = [
        caveats.comparable(scores),
        caveats.other_beta(scores),
        _judged(scores),
        _seeds(scores),
        _near_copies(scores),
        "A low cost does not mean good pictures, nor good pictures a low cost: the bound counts every pixel alike, an "
        "eye sees edges and faces. Whether samples look right, and whether a unit of the code stands for anything, no "
        "figure here measures.",
    ]
    if scores["embedded"]:
        limits.insert(
            0, "The images are rendered avatars, put together from few parts: easier than photographs, and of nobody."
        )
    parts = [tag("h3", "It means"), bullets(means)]
    parts += [tag("h3", "It does not mean, and mind"), bullets([limit for limit in limits if limit])]
    return Section("meaning", "What this means and what it does not", join(parts))


def _judged(scores: wording.Scores) -> str:
    gap = wording.figure(scores["test"]["iw_negative_elbo_nats"] - scores["test"]["iw_bound_nats"])
    return (
        "The negative ELBO is a bound: the true cost is lower by an unknown amount, at least as far as a tighter bound "
        f"shows ({gap} nats on the images of the importance-weighted bound)."
    )


def _seeds(scores: wording.Scores) -> str:
    return (
        f"One seed ({scores['seed']}) and one split. Standard errors tell what other test images would have changed, "
        "not what another start of the training would have; a sweep with several seeds shows that."
    )


def _near_copies(scores: wording.Scores) -> str:
    if scores["embedded"]:
        return (
            "Avatars of test and training images share their parts, so the test asks for new combinations, not for new "
            "parts."
        )
    return (
        "Exact duplicates are all in the same part of the split, near ones need not be: a resized or recoded copy of a "
        "training image among the test images flatters the scores."
    )


def repeat_section(evidence: Evidence) -> Section:
    """The command, the versions and every setting."""
    found, scores = evidence.manifest, evidence.scores
    training = scores["training"]
    pairs = [
        ("Command", tag("code", shlex.join(found["command"])) if "command" in found else numbers.DASH),
        ("Seed", str(scores["seed"])),
        ("Device", training["device"]),
        ("Training", _effort(training)),
        ("Python", found.get("python", numbers.DASH)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in sorted(found.get("versions", {}).items()))),
    ]
    words = paragraph(
        "The same command on the same images, versions and device gives the same figures. On another device sums are "
        "rounded differently, so figures agree only nearly."
    )
    shown = definitions([(name, value or numbers.DASH) for name, value in pairs])
    folded = details("Settings of this run", settings(evidence.config))
    return Section("repeat", "How to repeat this run", join([words, shown, folded]))


def _effort(training: dict[str, Any]) -> str:
    return (
        f"{numbers.count(training['images_seen'])} images seen in {wording.figure(training['seconds'])} s, "
        f"{wording.figure(training['images_per_second'])} images a second"
    )
