"""Who competes: ours, river's own behind the adapter, and two that know nothing.

A contender makes, for each stream, a function that is given batch after batch and answers with the positions in the
batch at which it alarms. A detector of yours is named ``module:function``: the function takes nothing and returns
such a function.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from driftloop.detectors import DETECTORS

from detectors_bench.judges import counted, panes_of_losses, reports, window_ranks
from detectors_bench.streams import Stream, Values
from detectors_bench.windowed import windowed

Watch = Callable[[Values], Sequence[int]]
BATCH = 1024
SLOW = 0.05
"""Of the replicates: an event costs these a hundred times what it costs the others."""
TWIN = 0.05
"""river's originals of ours, whose alarms are the same: run for their cost."""


@dataclass(frozen=True, slots=True)
class Contender:
    """``bits``, ``numbers``: what it is run on. ``share`` of the replicates: the slow get fewer."""

    name: str
    make: Callable[[], Watch]
    bits: bool = True
    numbers: bool = True
    share: float = 1.0

    def alarms(self, stream: Stream) -> tuple[list[int], float]:
        """Rows at which it alarms, beginning anew, 1,024 rows at a time; CPU seconds that took."""
        watch, alarms = self.make(), []
        start = time.process_time()
        for at in range(0, len(stream.values), BATCH):
            alarms += [at + int(i) for i in watch(stream.values[at : at + BATCH])]
        return alarms, time.process_time() - start


def ours(name: str, /, **settings: Any) -> Callable[[], Watch]:
    """One of the registry, by its ``scan``."""
    found = DETECTORS[name]
    scan, chosen = found.scan, found.settings(**settings)
    assert scan is not None

    def make() -> Watch:
        state = found.start(chosen)

        def watch(batch: Values) -> Sequence[int]:
            nonlocal state
            state, seen = scan(chosen, state, batch)
            return seen.alarms.tolist()  # type: ignore[no-any-return]

        return watch

    return make


def every(rows: int) -> Callable[[], Watch]:
    """Alarms at every so many rows, whatever they say; 0: never."""

    def make() -> Watch:
        at = 0

        def watch(batch: Values) -> Sequence[int]:
            nonlocal at
            numbers = np.arange(at + 1, at + 1 + len(batch))
            at += len(batch)
            return np.flatnonzero(numbers % rows == 0).tolist() if rows else []

        return watch

    return make


def of_river(name: str, **parameters: Any) -> Callable[[], Watch]:
    return ours("river", detector=name, parameters=tuple(parameters.items()))


def standing() -> list[Contender]:
    """Everybody that needs nothing beyond the core's dependencies."""
    bits = partial(Contender, numbers=False)
    return [
        Contender("always", every(1)),
        Contender("every 100", every(100)),
        Contender("never", every(0)),
        bits("e_sr", ours("e_sr")),
        Contender("csr", ours("csr")),
        Contender("windowed csr", windowed(window_ranks()), bits=False),
        Contender("chi2_sr", windowed(counted())),
        bits("e_detector", windowed(panes_of_losses())),
        Contender("adwin", ours("adwin")),
        bits("ddm", ours("ddm")),
        bits("eddm", ours("eddm")),
        bits("hddm_a", ours("hddm_a")),
        bits("hddm_w", ours("hddm_w")),
        Contender("page_hinkley", ours("page_hinkley")),
        Contender("kswin", ours("kswin"), share=SLOW),
        Contender("river ADWIN", of_river("ADWIN"), share=TWIN),
        bits("river DDM", of_river("DDM"), share=TWIN),
        bits("river EDDM", of_river("EDDM"), share=TWIN),
        bits("river HDDMA", of_river("HDDMA"), share=TWIN),
        bits("river HDDMW", of_river("HDDMW"), share=TWIN),
        bits("river FHDDM", of_river("FHDDM")),
        Contender("river PageHinkley", of_river("PageHinkley"), share=TWIN),
        Contender("river KSWIN", of_river("KSWIN", seed=42), share=SLOW / 5),
        *(Contender(name, windowed(how)) for name, how in reports().items()),
    ]


def of_yours(name: str) -> Contender:
    """``module:function``. ValueError: there is no such thing."""
    module, _, function = name.partition(":")
    try:
        make = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"--detector {name}: {error}; say module:function, a function without arguments in a module that "
            f"Python finds from here (PYTHONPATH)"
        ) from error
    return Contender(name, make)
