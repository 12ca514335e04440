"""One peer as a process: streams in, rows of its alarms out. Runs in the peers' environment, knows nothing of ours.

    python serve.py NAME        in: two int64 (bytes, are they bits), then doubles; out: a line of JSON a stream

The report tools learn the first 2,500 rows and are asked every 250 rows, settings as they come. An alarm of a window
stands at its last row.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module

import numpy as np

LEARNT_ROWS, REPORT_ROWS = 2_500, 250
FROUROS = {"ADWIN": "window_based.adwin", "DDM": "statistical_process_control.ddm", "CUSUM": "change_detection.cusum"}
Find = Callable[[np.ndarray, bool], list[int]]


def of_frouros(name: str) -> Find:
    kind = getattr(import_module(f"frouros.detectors.concept_drift.streaming.{FROUROS[name]}"), name)

    def find(values: np.ndarray, _bits: bool) -> list[int]:
        detector, alarms = kind(), []
        for row, value in enumerate(values.tolist()):
            detector.update(value=value)
            if detector.drift:
                alarms.append(row)
                detector.reset()
        return alarms

    return find


def windows(values: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Whole windows behind what was learnt, each with its last row."""
    ends = range(LEARNT_ROWS + REPORT_ROWS, len(values) + 1, REPORT_ROWS)
    return [(end - 1, values[end - REPORT_ROWS : end]) for end in ends]


def of_evidently() -> Find:
    """The preset's own choice of test; its verdict on the column."""
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    def dataset(values: np.ndarray, bits: bool) -> Dataset:
        column = {"categorical_columns": ["value"]} if bits else {"numerical_columns": ["value"]}
        frame = pd.DataFrame({"value": values.astype(int).astype(str) if bits else values})
        return Dataset.from_pandas(frame, data_definition=DataDefinition(**column))

    def find(values: np.ndarray, bits: bool) -> list[int]:
        reference = dataset(values[:LEARNT_ROWS], bits)
        alarms = []
        for row, window in windows(values):
            found = Report([DataDriftPreset()]).run(dataset(window, bits), reference).dict()
            share = next(m["value"]["share"] for m in found["metrics"] if "DriftedColumnsCount" in m["metric_name"])
            alarms += [row] if share > 0 else []
        return alarms

    return find


def of_nannyml() -> Find:
    """Its recommended distance, its own three standard deviations over the chunks of the reference."""
    import nannyml
    import pandas as pd

    def find(values: np.ndarray, bits: bool) -> list[int]:
        frame = pd.DataFrame({"value": values})
        calculator = nannyml.UnivariateDriftCalculator(
            column_names=["value"],
            treat_as_categorical=["value"] if bits else [],
            continuous_methods=["jensen_shannon"],
            categorical_methods=["jensen_shannon"],
            chunk_size=REPORT_ROWS,
        )
        calculator.fit(frame[:LEARNT_ROWS])
        whole = LEARNT_ROWS + (len(frame) - LEARNT_ROWS) // REPORT_ROWS * REPORT_ROWS
        found = (
            calculator.calculate(frame[LEARNT_ROWS:whole].reset_index(drop=True)).filter(period="analysis").to_df()
        )
        alerts = found[("value", "jensen_shannon", "alert")].to_numpy(dtype=bool)
        return [LEARNT_ROWS + REPORT_ROWS * (i + 1) - 1 for i in np.flatnonzero(alerts).tolist()]

    return find


def main(name: str) -> None:
    answers = os.fdopen(os.dup(1), "w")  # what the libraries print goes elsewhere
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    library, _, what = name.partition(" ")
    find = {"frouros": lambda: of_frouros(what), "evidently": of_evidently, "nannyml": of_nannyml}[library]()
    while head := sys.stdin.buffer.read(16):
        size, bits = struct.unpack("<qq", head)
        values = np.frombuffer(sys.stdin.buffer.read(size))
        start = time.process_time()
        alarms = find(values, bool(bits))
        print(json.dumps({"alarms": alarms, "seconds": time.process_time() - start}), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
