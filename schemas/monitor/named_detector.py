"""A detector that a monitor names: which one, with what settings, and the series of single values that it is given.

The judge sees sums, never rows, so a series has a value a pane (``metric:`` a window), in the order of event time:

    loss            mean loss of the labelled predictions of a pane, when its horizon has passed (nats, or scales)
    error           share of them that were wrong, then too
    metric:auc      a metric of a window whose horizon has passed
    predictions     how many a pane has
    score           their mean score: of classes[1], of many classes the largest
    feature:amount  mean of a feature in standard deviations of the reference; of an embedding that of its norm
    missing:amount  share of missing values           unseen:grade    share of categories the reference does not have
    distance:grade  Jensen–Shannon divergence from the reference, bits

A pane without what a value needs has none. One of ``REFERENCED`` needs a reference; one ``OF_A_MODEL`` is about the
champion, and begins anew with another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Setting = str | float | int | bool
PLAIN = {"loss": "nats", "error": "share", "predictions": "rows", "score": "score"}
OF_A_FEATURE = {"feature": "sd", "missing": "share", "unseen": "share", "distance": "bits"}
METRIC = "metric"
UNITS = PLAIN | OF_A_FEATURE | {METRIC: METRIC}
LABELLED = ("loss", "error")
REFERENCED = ("feature", "distance")
OF_A_MODEL = ("loss", "error", "score", METRIC)
FAILED = "detector "
"""How a window's reason begins, or goes on, about detectors that are out."""


@dataclass(frozen=True, slots=True)
class NamedDetector:
    """``use``: one of ours, ``river:<class>`` or ``module:function``. ``paging``: its alarms call somebody; they keep
    no budget, whoever calls."""

    name: str
    watch: str
    use: str
    settings: tuple[tuple[str, Setting], ...] = ()
    paging: bool = False

    @property
    def series(self) -> tuple[str, str]:
        """(what, of which feature or metric)."""
        what, _, of = self.watch.partition(":")
        return what, of

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> NamedDetector:
        return cls(**found | {"settings": tuple((name, value) for name, value in found["settings"])})
