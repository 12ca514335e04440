"""Detectors of other libraries, where they are installed: frouros.

frouros 0.9 wants a numpy below 2.2, river 0.26 one above: no extra of ours can name it. It works here all the same,
put beside our dependencies by hand: ``pip install --no-deps frouros==0.9.0 tqdm``. MOA through CapyMOA needs Java in
the process and is not here: that gap is named in docs/detectors.md.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence

from detectors_bench.contenders import SLOW, Contender, Watch
from detectors_bench.streams import Values

NAMES = {"ADWIN": "window_based.adwin", "DDM": "statistical_process_control.ddm", "CUSUM": "change_detection.cusum"}


def of_frouros(name: str) -> Callable[[], Watch]:
    kind = getattr(importlib.import_module(f"frouros.detectors.concept_drift.streaming.{NAMES[name]}"), name)

    def make() -> Watch:
        detector = kind()

        def watch(batch: Values) -> Sequence[int]:
            alarms = []
            for i, value in enumerate(batch.tolist()):
                detector.update(value=value)
                if detector.drift:
                    alarms.append(i)
                    detector.reset()
            return alarms

        return watch

    return make


def installed() -> list[Contender]:
    """Nobody where the extra is absent. (frouros' ADWIN rejects numbers below 0, DDM all but errors.)"""
    if importlib.util.find_spec("frouros") is None:
        return []
    return [
        Contender(f"frouros {name}", of_frouros(name), numbers=name == "CUSUM", share=SLOW) for name in sorted(NAMES)
    ]
