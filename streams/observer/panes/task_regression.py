"""A number: what is kept of a prediction, and what a pair adds to a label pane.

Sums need a scale, so that they can be rounded to a unit that no order of rows changes. With centre c and scale s of
the specification (s a power of two)

    z(x) = (x - c) / s, clipped to +-512        rounded to 2^-28; products and squares to 2^-20
    loss = |z(predicted) - z(label)|            clipped to bins.LOSS_MOST = 34.54, on the bins of the log loss

so an int64 holds 8 million rows at the very bound a pane and partition, and 10^12 usual ones. Rows with a number
beyond the bound are counted as ``clipped``. Without a scale, which `reference build` finds, pairs are only counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from driftloop.schemas import bins
from driftloop.schemas.losses import standard
from driftloop.schemas.outcome import Scales
from driftloop.streams.observer.panes.sketch import DELAY_UNIT, LOSS_UNIT, SQUARE_UNIT, Codes, Layout
from driftloop.streams.observer.panes.task import Columns, Floats, Labelled
from numpy.typing import DTypeLike

Z_UNIT, PRODUCT_UNIT = 2.0**-28, 2.0**-20
_FIRST = ("error", "absolute_error", "label", "predicted")
_SECOND = ("squared_error", "label_squared", "predicted_squared", "label_predicted")


class RegressionTask:
    """8 bytes a waiting prediction, and a waiting truth."""

    payload: Mapping[str, DTypeLike] = {"scores": "<f8"}
    truth_payload: Mapping[str, DTypeLike] = {"numbers": "<f8"}

    def __init__(self, scales: Scales) -> None:
        self.scales = scales
        self._predictions, self._labels = (
            None if edges is None else np.asarray(edges) for edges in (scales.prediction_edges, scales.label_edges)
        )
        self.head: Sequence[tuple[str, int]] = (
            () if self._predictions is None else (("score", len(self._predictions) + 1),)
        )
        blocks = [("pairs", 1, True), ("labelled", 1, True)]
        self.units: Mapping[str, float] = {"delay_seconds": DELAY_UNIT}
        if scales.scale is not None:
            blocks += [("clipped", 1, True), ("loss", bins.LOSS_BINS, False)]
            if self._predictions is not None:
                blocks.append(("score", len(self._predictions) + 1, False))
            if self._labels is not None:
                blocks.append(("label", len(self._labels) + 1, False))
            self.units = {
                "delay_seconds": DELAY_UNIT,
                "loss": LOSS_UNIT,
                "loss_squared": SQUARE_UNIT,
                **dict.fromkeys(_FIRST, Z_UNIT * scales.scale),
                **dict.fromkeys(_SECOND, PRODUCT_UNIT * scales.scale**2),
            }
        self.layout = Layout(blocks)

    def kept(self, scores: Floats, predicted: Codes) -> Columns:  # noqa: ARG002 (nothing is decided)
        return {"scores": scores}

    def codes(self, scores: Floats, predicted: Codes) -> Sequence[Codes]:  # noqa: ARG002
        return () if self._predictions is None else (np.searchsorted(self._predictions, scores, side="right"),)

    def labelled(self, p: Columns, t: Columns, delay: Floats) -> Labelled:
        score, label = p["scores"], t["numbers"]
        at, sink = self.layout.at, self.layout.sink
        known = t["labels"] >= 0
        columns = [np.full(len(score), at["pairs"]), np.where(known, at["labelled"], sink)]
        delays = np.rint(delay / DELAY_UNIT).astype(np.int64)
        if self.scales.scale is None:
            return Labelled(np.stack(columns, axis=1), delays[:, None])
        predicted, happened, clipped, loss = standard(self.scales, score, label)
        error = predicted - happened
        columns.append(np.where(known & clipped, at["clipped"], sink))
        columns.append(np.where(known, at["loss"] + bins.loss_codes(loss), sink))
        if self._predictions is not None:
            code = np.searchsorted(self._predictions, score, side="right")
            columns.append(np.where(known, at["score"] + code, sink))
        if self._labels is not None:
            columns.append(np.where(known, at["label"] + np.searchsorted(self._labels, label, side="right"), sink))
        first = np.stack([error, np.abs(error), happened, predicted], axis=1) / Z_UNIT
        second = np.stack([error**2, happened**2, predicted**2, happened * predicted], axis=1) / PRODUCT_UNIT
        losses = np.stack([loss / LOSS_UNIT, loss * loss / SQUARE_UNIT], axis=1)
        sums = np.rint(np.concatenate([losses, first, second], axis=1) * known[:, None]).astype(np.int64)
        return Labelled(np.stack(columns, axis=1), np.concatenate([delays[:, None], sums], axis=1))

    def losses(self, p: Columns, t: Columns) -> tuple[Floats, Codes | None]:
        if self.scales.scale is None:
            return np.full(len(p["scores"]), np.nan), None
        return standard(self.scales, p["scores"], t["numbers"]).loss, None
