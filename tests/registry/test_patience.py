"""A batch that cannot be read while the registry is away: offered again, and the partition tells it is behind."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from driftloop.schemas.registry import RegistryAway
from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.fetching.batches import RecordBatch
from driftloop.streams.transport.watching import patience

BATCH = RecordBatch("t", 1, [SimpleNamespace(offset=offset) for offset in (5, 6, 7)], lag=10)


class Held:
    """Partitions 0 and 1, whose registry is away for so many asks. ``told``: lags, by partition."""

    def __init__(self, asks: float) -> None:
        self.left = asks
        self.told: list[tuple[int, int]] = []
        self.parts = [self._part(number) for number in (0, 1)]

    def _part(self, number: int) -> Any:
        fold = SimpleNamespace(absorb=lambda records: self.told.append((records.partition, records.lag)))
        more = {"lag_told": {"t": 0}, "behind_since": {"t": (4, 0.0)}, "changed": False}
        return SimpleNamespace(number=number, fold=fold, ready=True, gone=False, **more)

    def all(self) -> list[Any]:
        return self.parts

    def take(self, batch: RecordBatch) -> None:
        assert batch is BATCH
        if self.left > 0:
            self.left -= 1
            raise RegistryAway("the schema registry does not answer")
        self.left -= 1


@pytest.fixture(autouse=True)
def ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the process, as an exception."""

    def leave(code: Exit, why: str) -> None:
        raise SystemExit((code, why))

    monkeypatch.setattr(patience, "leave", leave)
    monkeypatch.setattr(patience, "RETRY_SECONDS", 0.001)


def test_it_is_offered_again_until_it_is_taken_and_the_fold_knows_that_it_is_behind() -> None:
    held: Any = Held(asks=3)
    asyncio.run(patience.take(held, BATCH))
    assert held.left == -1, "taken once"
    assert held.told == [(1, 13)], "three records and ten behind them wait, told once"
    assert held.parts[1].changed and not held.parts[0].changed
    assert [part.behind_since for part in held.parts] == [{}, {}], "nothing that waits is taken for lost"


def test_after_the_limit_the_worker_ends_with_the_code_of_what_is_away() -> None:
    held: Any = Held(asks=float("inf"))
    with pytest.raises(SystemExit) as ended:
        asyncio.run(patience.take(held, BATCH, seconds_most=0.05))
    code, why = ended.value.code  # type: ignore[misc]
    assert code is Exit.UNAVAILABLE
    assert "t[1]@5..7: the schema registry does not answer" in why
