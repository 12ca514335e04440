"""A small world with a planted change, and what is true in it: plain Python, written apart from the product.

Loans are predicted through the day and repaid, or not, up to a day later; one in twelve is never known. On
``change_day`` the meaning of income turns round (concept drift) while every feature keeps its distribution.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

DAY = 86_400.0
START = 1_700_006_400.0  # 2023-11-15 00:00 UTC
REGIONS = ("north", "south", "east", "west")
CLASSES = ("repaid", "default")


@dataclass(frozen=True)
class Loan:
    """One prediction and its fate. ``label`` is None where the truth never arrives."""

    prediction_id: str
    event_time: float
    features: dict[str, Any]
    score: float
    role: str
    version: str
    label: str | None
    known_at: float


@dataclass(frozen=True)
class World:
    loans: tuple[Loan, ...]
    history_days: int
    days: int

    @property
    def live_from(self) -> float:
        return START + self.history_days * DAY

    @property
    def end(self) -> float:
        return START + self.days * DAY


def chance_of_default(features: dict[str, Any], changed: bool) -> float:
    """The true probability; ``changed``: income has turned round."""
    income = -features["income"] if changed else features["income"]
    debt = 0.0 if features["debt"] is None else features["debt"]
    return 1 / (1 + math.exp(-(1.6 * income + debt + 0.5 * (features["region"] == "north") - 0.3)))


def make_world(
    seed: int = 1, history_days: int = 8, days: int = 30, change_day: int = 15, per_day: int = 240
) -> World:
    """Loans in order of time. A score is the truth before the change, blurred: a good model, then a stale one."""
    rng = random.Random(seed)
    loans = []
    for day in range(days):
        for i in range(per_day):
            when = START + day * DAY + (i + rng.random()) * DAY / per_day
            features = {
                "income": rng.gauss(0, 1),
                "debt": None if rng.random() < 0.05 else rng.gauss(0, 1),
                "age": rng.uniform(18, 80),
                "region": rng.choice(REGIONS),
            }
            believed = chance_of_default(features, changed=False)
            score = min(0.99, max(0.01, believed + rng.gauss(0, 0.03)))
            defaulted = rng.random() < chance_of_default(features, changed=day >= change_day)
            loans.append(
                Loan(
                    prediction_id=f"loan-{seed}-{day:02d}-{i:03d}",
                    event_time=when,
                    features=features,
                    score=score,
                    role="history" if day < history_days else "champion",
                    version="v1",
                    label=None if rng.random() < 1 / 12 else CLASSES[defaulted],
                    known_at=when + rng.choice((600.0, 5 * 3600.0, 20 * 3600.0)) + rng.random() * 900,
                )
            )
    return World(tuple(loans), history_days, days)


def expected_windows(world: World, until: float, horizon_seconds: float = 2 * DAY) -> dict[float, dict[str, float]]:
    """Final numbers of every champion window whose horizon has passed by ``until``, from the plain list of loans."""
    by_day: dict[float, list[Loan]] = defaultdict(list)
    for loan in world.loans:
        if loan.role == "champion":
            by_day[START + (loan.event_time - START) // DAY * DAY].append(loan)
    found = {}
    for start, loans in by_day.items():
        if start + DAY + horizon_seconds > until:
            continue
        labelled = [(loan.score, loan.label == "default") for loan in loans if loan.label is not None]
        found[start] = {
            "predictions": len(loans),
            "labelled": len(labelled),
            "log_loss": sum(-math.log(s if y else 1 - s) for s, y in labelled) / len(labelled),
            "brier": sum((s - y) ** 2 for s, y in labelled) / len(labelled),
            "auc": auc(labelled),
            "missing_debt": sum(loan.features["debt"] is None for loan in loans) / len(loans),
        }
    return found


def auc(pairs: list[tuple[float, bool]]) -> float:
    """Chance that a random positive is scored above a random negative, ties half."""
    positive = [s for s, y in pairs if y]
    negative = [s for s, y in pairs if not y]
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    return wins / (len(positive) * len(negative))
