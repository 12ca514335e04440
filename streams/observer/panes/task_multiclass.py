"""Many classes: what is kept of a prediction, and what a pair adds to a label pane.

The scores are kept, and decide, as float32: four bytes a class of every waiting prediction. A log loss is off by
less than 1e-7 of the probability it stands on; the same rounding goes into all figures, so they agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from driftloop.schemas import bins
from driftloop.schemas.losses import as_kept, happened, surprise
from driftloop.streams.observer.panes.sketch import DELAY_UNIT, LOSS_UNIT, SQUARE_UNIT, Codes, Layout
from driftloop.streams.observer.panes.task import Columns, Floats, Labelled
from numpy.typing import DTypeLike


class MulticlassTask:
    """``classes``: how many; that number is also the code of a label or a decision that is no class.

    4 * classes + 1 bytes a waiting prediction.
    """

    truth_payload: Mapping[str, DTypeLike] = {}
    units: Mapping[str, float] = {
        "log_loss": LOSS_UNIT,
        "log_loss_squared": SQUARE_UNIT,
        "brier": LOSS_UNIT,
        "delay_seconds": DELAY_UNIT,
    }

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self._names = [f"p{k}" for k in range(classes)]
        self.payload: Mapping[str, DTypeLike] = {**dict.fromkeys(self._names, "<f4"), "predicted": "i1"}
        self.head: Sequence[tuple[str, int]] = (("predicted", classes + 1), ("score", bins.SCORE_BINS))
        self.layout = Layout(
            [
                ("pairs", 1, True),
                ("labelled", 1, True),
                ("errors", 1, True),
                ("confusion", (classes + 1) ** 2, False),
                ("score_by_right:0", bins.SCORE_BINS, False),
                ("score_by_right:1", bins.SCORE_BINS, False),
                ("loss", bins.LOSS_BINS, False),
            ]
        )

    def kept(self, scores: Floats, predicted: Codes) -> Columns:
        return {name: scores[:, k] for k, name in enumerate(self._names)} | {"predicted": predicted}

    def codes(self, scores: Floats, predicted: Codes) -> Sequence[Codes]:
        return predicted, bins.score_codes(as_kept(scores).max(axis=1))

    def labelled(self, p: Columns, t: Columns, delay: Floats) -> Labelled:
        """brier = sum over classes of (p_k - [k is the label])**2, from 0 to 2."""
        scores, predicted, label = self._scores(p), p["predicted"].astype(np.int64), t["labels"].astype(np.int64)
        at, sink, unknown = self.layout.at, self.layout.sink, self.classes
        known = label >= 0
        chance = happened(scores, label)
        loss = surprise(chance)
        top = scores.argmax(axis=1)
        found = np.empty((len(label), 6), np.int64)
        found[:, 0] = at["pairs"]
        found[:, 1] = np.where(known, at["labelled"], sink)
        found[:, 2] = np.where(known & (predicted != unknown) & (predicted != label), at["errors"], sink)
        found[:, 3] = at["confusion"] + np.where(known, label, unknown) * (unknown + 1) + predicted
        by_right = np.where(top == label, at["score_by_right:1"], at["score_by_right:0"])
        found[:, 4] = np.where(known, by_right + bins.score_codes(scores.max(axis=1)), sink)
        found[:, 5] = np.where(known, at["loss"] + bins.loss_codes(loss), sink)
        sums = np.empty((len(label), 4))
        sums[:, 0] = loss / LOSS_UNIT
        sums[:, 1] = loss * loss / SQUARE_UNIT
        sums[:, 2] = ((scores * scores).sum(axis=1) - 2.0 * chance + 1.0) / LOSS_UNIT
        sums[:, :3] *= known[:, None]
        sums[:, 3] = delay / DELAY_UNIT
        return Labelled(found, np.rint(sums).astype(np.int64))

    def losses(self, p: Columns, t: Columns) -> tuple[Floats, Codes | None]:
        predicted, label = p["predicted"].astype(np.int64), t["labels"].astype(np.int64)
        right = np.where(predicted == self.classes, -1, predicted == label)
        return surprise(happened(self._scores(p), label)), right

    def _scores(self, p: Columns) -> Floats:
        return np.column_stack([p[name] for name in self._names]).astype(np.float64)
