"""The renewal model of epidemiologists: the posterior of the weekly growth, and the counts that follow if it stays."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from twofold.counts.renewal import ONE_STEP, WINDOWS, Outlook, Posterior, fit_dispersion, look_ahead, spread_out
from twofold.hub.distribution import LEVELS, Distribution
from twofold.hub.examples import Examples, Queries
from twofold.hub.growth import NAMES as GROWTH
from twofold.hub.heads.quantile import QuantileHead
from twofold.hub.roots import NAMES, counts_of, root
from twofold.hub.rules import Rules

_ROOT = len(GROWTH) + NAMES.index("root")


@dataclass(frozen=True)
class Renewal(QuantileHead):
    """The renewal model of weekly counts, see `counts.renewal`: a growth factor takes the place of R.

    Nothing but a place's own last weeks enters: no season, no other place. Where the weeks before the newest one are
    not known the growth has its prior.

    Attributes:
        ahead: weeks from the newest one to each horizon.
        weeks: in which the growth is constant, for each horizon.
        dispersion: size of the negative binomial noise, for each horizon.
        imported: expected count at each horizon where the newest week has no case, from which none can follow.
    """

    ahead: Int[np.ndarray, "horizons"]
    weeks: Int[np.ndarray, "horizons"]
    dispersion: Float[np.ndarray, "horizons"]
    imported: Float[np.ndarray, "horizons"]

    def change(self, queries: Queries) -> Distribution:
        """The negative binomial distribution of each count, as a change."""
        known = counts(queries)
        fitted = [part.tolist() for part in (self.ahead, self.weeks, self.dispersion, self.imported)]
        values = [
            outlook(known, weeks, ahead, imported).quantiles(np.array(LEVELS), dispersion)
            for ahead, weeks, dispersion, imported in zip(*fitted, strict=True)
        ]
        reached = np.stack(values, axis=1)
        persons = np.broadcast_to(queries.population[:, None, None], reached.shape)
        start = root(queries.base, queries.population)[:, None, None]
        return Distribution.through(np.array(LEVELS), root(reached, persons) - start)


def fit_renewal(examples: Examples, rules: Rules) -> Renewal:
    """Fits each horizon's window and dispersion by maximum likelihood on the examples' counts at that horizon.

    Those without a case in the newest week give the imported cases: their mean count, by Laplace's rule.
    """
    known, found = counts(examples.queries), []
    none = known[:, -1] == 0.0
    ahead = np.array(rules.horizons, dtype=np.int64) + 1
    for horizon, weeks_ahead in enumerate(ahead.tolist()):
        reached = examples.queries.base + examples.change[:, horizon]
        weight = np.where(np.isfinite(reached), examples.weight, 0.0)
        observed = np.maximum(np.nan_to_num(reached), 0.0)
        imported = float(((weight * observed)[none].sum() + 1.0) / (weight[none].sum() + 2.0))
        rows = spread_out(np.flatnonzero(~none & (weight > 0.0)))
        fits = []
        for weeks in WINDOWS:
            expected = outlook(known[rows], weeks, weeks_ahead, imported)
            dispersion, loss = fit_dispersion(expected, observed[rows], weight[rows])
            fits.append((loss, weeks, dispersion))
        _, chosen, dispersion = min(fits)
        found.append((chosen, dispersion, imported))
    weeks, *sizes = (np.array(part) for part in zip(*found, strict=True))
    return Renewal(ahead, weeks, *sizes)


def outlook(known: Float[np.ndarray, "n weeks"], weeks: int, ahead: int, imported: float) -> Outlook:
    """What the last weeks, NaN where not known, say of the count some weeks ahead."""
    now, before = known[:, 1:][:, -weeks:], known[:, :-1][:, -weeks:]
    both = np.isfinite(now) & (before > 0.0)
    posterior = Posterior.of(*(np.where(both, part, 0.0).sum(axis=1) for part in (now, before)))
    found, none = look_ahead(known[:, -1:], ONE_STEP, posterior, (ahead, ahead)), known[:, -1] == 0.0
    expected = np.where(none, imported, found.mean)
    return Outlook(expected, np.where(none, 0.0, found.spread), np.where(none, expected**2, found.square))


def counts(queries: Queries) -> Float[np.ndarray, "n weeks"]:
    """The counts of the last weeks, the newest last; NaN where not known."""
    roots = queries.inputs[:, :, _ROOT]
    found = counts_of(roots, np.broadcast_to(queries.population[:, None], roots.shape))
    found[:, -1] = queries.base
    return np.maximum(found, 0.0)
