"""Names and explanations of scores on a page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScoreWords:
    """Name and explanation of one score.

    Attributes:
        label: short name for a heading, with its unit if it has one.
        higher: whether higher is better; None: neither.
        meaning: definition and best value, in a sentence or two.
    """

    label: str
    higher: bool | None
    meaning: str

    @property
    def arrow(self) -> str:
        """Arrow towards better values; empty if neither direction is better."""
        return "" if self.higher is None else "↑" if self.higher else "↓"
