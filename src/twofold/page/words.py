"""How a score is named on a page, and how it is read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScoreWords:
    """How one score is named and read.

    Attributes:
        label: short name for a heading, with its unit where it has one.
        higher: True when more is better, False when less is, None when neither is.
        meaning: what it is and its best value, in a sentence or two.
    """

    label: str
    higher: bool | None
    meaning: str

    @property
    def arrow(self) -> str:
        """Points where better lies; empty where neither way is better."""
        return "" if self.higher is None else "↑" if self.higher else "↓"
