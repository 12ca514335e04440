"""A fitted forest as tables: its scores in a dozen look-ups, whatever the number of splits.

QuickScorer (Lucchese et al., SIGIR 2015): number a tree's leaves from left to right, one bit each. A split that sends
a row to the right rules out the leaves on its left: AND the row's bits with a mask that lacks them. When all splits
have been asked, the lowest bit left is the leaf. The splits of one feature depend on its value alone, and the value
only on which thresholds it lies between; so all masks of a feature are ANDed beforehand, for every interval:

    leaves[row, tree] = AND over features f of table_f[interval of row in f, tree]        uint16, up to 16 leaves
    log-odds[row] = baseline + sum over trees of value[tree, lowest bit of leaves[row, tree]]

0.1 ms for 40 flights, where scikit-learn takes 2.9 ms, most of it checks of its input; the same scores (a test
compares), and whoever serves needs numpy alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAVES_MOST = 16
ROWS_AT_ONCE = 4096
"""A block's leaves (500 kB for 60 trees) stay in the processor's cache."""
_ALL = np.uint16(0xFFFF)


class Table(NamedTuple):
    """One feature. ``edges`` ascending: interval i holds edges[i-1] < x <= edges[i]; the last row is for NaN.
    ``masks`` uint16[len(edges) + 2, trees]: the leaves that are still possible."""

    edges: NDArray[np.float64]
    masks: NDArray[np.uint16]


class Forest(NamedTuple):
    """``tables`` by feature; ``values`` [trees, 16]: log-odds of each leaf."""

    baseline: float
    tables: tuple[Table, ...]
    values: NDArray[np.float64]

    def probability(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """P(class 1) for rows of features [n, features], NaN = missing."""
        found = np.empty(len(matrix))
        for start in range(0, len(matrix), ROWS_AT_ONCE):
            block = slice(start, start + ROWS_AT_ONCE)
            found[block] = self._log_odds(matrix[block])
        probability: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-found))
        return probability

    def _log_odds(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        leaves = np.full((len(matrix), len(self.values)), _ALL)
        for column, (edges, masks) in zip(matrix.T, self.tables, strict=True):
            interval = np.searchsorted(edges, column, side="left")
            interval[np.isnan(column)] = len(edges) + 1
            leaves &= masks[interval]
        leaf = _LOWEST_BIT[leaves]
        found: NDArray[np.float64] = self.baseline + self.values[np.arange(len(self.values)), leaf].sum(axis=1)
        return found


def forest_of(model: Any) -> Forest:
    """The tables of a fitted HistGradientBoostingClassifier of two classes, from its private parts (tested)."""
    trees = [tree for (tree,) in model._predictors]
    splits = [split for number, tree in enumerate(trees) for split in _splits(tree, number)]
    values = np.zeros((len(trees), LEAVES_MOST))
    for number, tree in enumerate(trees):
        leaves = _leaves_below(tree.nodes, 0)
        assert len(leaves) <= LEAVES_MOST, f"{len(leaves)} leaves, more than {LEAVES_MOST}"
        values[number, : len(leaves)] = tree.nodes["value"][leaves]
    tables = []
    for feature in range(model.n_features_in_):
        own = [split for split in splits if split.feature == feature]
        tables.append(_table(own, _edges(model, feature, own), len(trees)))
    return Forest(float(model._baseline_prediction.ravel()[0]), tuple(tables), values)


class _Split(NamedTuple):
    """Right of it all leaves but those of ``mask`` are ruled out. ``codes``: the categories that go left, or None."""

    tree: int
    feature: int
    threshold: float
    codes: frozenset[float] | None
    missing_left: bool
    mask: np.uint16

    def goes_left(self, value: float) -> bool:
        if np.isnan(value):
            return self.missing_left
        return value <= self.threshold if self.codes is None else value in self.codes


def _splits(tree: Any, number: int) -> list[_Split]:
    leaves, found = _leaves_below(tree.nodes, 0), []
    for node in tree.nodes[tree.nodes["is_leaf"] == 0]:
        left = sum(1 << leaves.index(leaf) for leaf in _leaves_below(tree.nodes, int(node["left"])))
        codes = None
        if node["is_categorical"]:
            words = tree.raw_left_cat_bitsets[node["bitset_idx"]]
            codes = frozenset(
                float(code) for code in range(32 * len(words)) if int(words[code // 32]) >> code % 32 & 1
            )
        found.append(
            _Split(
                number,
                int(node["feature_idx"]),
                float(node["num_threshold"]),
                codes,
                bool(node["missing_go_to_left"]),
                np.uint16(~left & 0xFFFF),
            )
        )
    return found


def _leaves_below(nodes: NDArray[Any], at: int) -> list[int]:
    """Leaves from left to right, as positions in ``nodes``."""
    node = nodes[at]
    if node["is_leaf"]:
        return [at]
    return [*_leaves_below(nodes, int(node["left"])), *_leaves_below(nodes, int(node["right"]))]


def _table(splits: list[_Split], edges: list[float], trees: int) -> Table:
    """AND the masks of one feature's splits, for each interval and for NaN."""
    examples = [*edges, np.inf, np.nan]  # an interval's upper edge lies in it; beyond the last one; missing
    masks = np.full((len(examples), trees), _ALL)
    for split in splits:
        for row, value in enumerate(examples):
            if not split.goes_left(value):
                masks[row, split.tree] &= split.mask
    return Table(np.array(edges, dtype=np.float64), masks)


def _edges(model: Any, feature: int, splits: list[_Split]) -> list[float]:
    """The thresholds that its splits use; for a categorical feature its codes."""
    if model.is_categorical_ is not None and model.is_categorical_[feature]:
        return [float(code) for code in model._bin_mapper.bin_thresholds_[feature]]
    return sorted({split.threshold for split in splits})


def _lowest_bits() -> NDArray[np.uint8]:
    """Number of the lowest bit of every uint16 (of 0, which no row ever has: 0)."""
    numbers = np.arange(2**LEAVES_MOST)
    found = np.zeros(len(numbers), np.uint8)
    for bit in reversed(range(LEAVES_MOST)):
        found[(numbers >> bit) & 1 == 1] = bit
    return found


_LOWEST_BIT = _lowest_bits()
