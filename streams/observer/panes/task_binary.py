"""Two classes: what is kept of a prediction, and what a pair adds to a label pane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from driftloop.schemas import bins
from driftloop.streams.observer.panes.sketch import DELAY_UNIT, LOSS_UNIT, SQUARE_UNIT, Codes, Layout
from driftloop.streams.observer.panes.task import Columns, Floats, Labelled
from numpy.typing import DTypeLike

UNKNOWN = 2
"""Code of a label or a decision that is no class."""


class BinaryTask:
    """9 bytes a waiting prediction: score and decision. The same for every binary specification."""

    payload: Mapping[str, DTypeLike] = {"scores": "<f8", "predicted": "i1"}
    truth_payload: Mapping[str, DTypeLike] = {}
    head: Sequence[tuple[str, int]] = (("predicted", 3), ("score", bins.SCORE_BINS))
    units: Mapping[str, float] = {
        "log_loss": LOSS_UNIT,
        "log_loss_squared": SQUARE_UNIT,
        "brier": LOSS_UNIT,
        "delay_seconds": DELAY_UNIT,
    }

    def __init__(self) -> None:
        self.layout = Layout(
            [
                ("pairs", 1, True),
                ("labelled", 1, True),
                ("errors", 1, True),
                ("confusion", 9, False),
                ("score_by_label:0", bins.SCORE_BINS, False),
                ("score_by_label:1", bins.SCORE_BINS, False),
                ("loss", bins.LOSS_BINS, False),
            ]
        )

    def kept(self, scores: Floats, predicted: Codes) -> Columns:
        return {"scores": scores, "predicted": predicted}

    def codes(self, scores: Floats, predicted: Codes) -> Sequence[Codes]:
        return predicted, bins.score_codes(scores)

    def labelled(self, p: Columns, t: Columns, delay: Floats) -> Labelled:
        score, predicted, label = p["scores"], p["predicted"].astype(np.int64), t["labels"].astype(np.int64)
        at, sink = self.layout.at, self.layout.sink
        known = label >= 0
        wrong = known & (predicted != UNKNOWN) & (predicted != label)
        loss = bins.log_loss(score, label)
        found = np.empty((len(score), 6), np.int64)
        found[:, 0] = at["pairs"]
        found[:, 1] = np.where(known, at["labelled"], sink)
        found[:, 2] = np.where(wrong, at["errors"], sink)
        found[:, 3] = at["confusion"] + np.where(known, label, UNKNOWN) * 3 + predicted
        by_label = np.where(label == 1, at["score_by_label:1"], at["score_by_label:0"]) + bins.score_codes(score)
        found[:, 4] = np.where(known, by_label, sink)
        found[:, 5] = np.where(known, at["loss"] + bins.loss_codes(loss), sink)
        sums = np.empty((len(score), 4))
        sums[:, 0] = loss / LOSS_UNIT
        sums[:, 1] = loss * loss / SQUARE_UNIT
        sums[:, 2] = (score - label) ** 2 / LOSS_UNIT
        sums[:, :3] *= known[:, None]
        sums[:, 3] = delay / DELAY_UNIT
        return Labelled(found, np.rint(sums).astype(np.int64))

    def losses(self, p: Columns, t: Columns) -> tuple[Floats, Codes | None]:
        predicted = p["predicted"].astype(np.int64)
        right = np.where(predicted == UNKNOWN, -1, predicted == t["labels"])
        return bins.log_loss(p["scores"], t["labels"]), right
