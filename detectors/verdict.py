"""What a sequential test says after a step."""

from __future__ import annotations

from typing import NamedTuple


class Verdict(NamedTuple):
    """``alarmed``: the statistic has reached the threshold. It is a fact of this step, no flag that stands.

    ``parts``: natural logarithm of the evidence of each part (feature), for the explanation; empty where there is
    one.
    """

    statistic: float
    threshold: float
    alarmed: bool
    parts: tuple[float, ...] = ()
