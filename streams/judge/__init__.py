"""The judge: panes in; windows, drift and incidents out. Pure, but for worker.py.

    records -> fold.py -> merge.py (how far may we go) -> model.py, one a model, instant by instant:
        ledger.py     panes that count, windows.py, sums.py (exact), totals.py; champion.py: who serves
        metrics/      one window in figures (measured.py), by task, by segment, each with an interval
        inputs/       features and embeddings against their reference, and the tests that watch them
        labels/       how long they take (delays.py), what they may say (estimates.py), when they stop
        quality/      data quality, and what the observer's counters say
        incidents/    the loss test (performance.py), incidents, what is told of them (evidence.py), silencing.py
    -> telling.py (records), state.py (what survives a crash)

**What is told**, on the windows topic, of each (version, role, specification, window) with predictions:

``features``     at the window's end: all predictions that came in time. The champion's windows are told here even
                 when they are empty (UNKNOWN, "no data"), up to a hundred in a row: the retrainer's clock. A window
                 in which the champion changed is told once for each version, at the same ``as_of``.
``provisional``  at the end + each delay edge below the horizon: labels so far, coverage, the coverage to expect.
``labels``       at the end + horizon: final; once more for each later correction. ``revision`` counts emissions.

Role history counts for totals and the delay curve, and is never told. On the drift topic: ``DriftDetected`` for each
alarm (of features: one for each that reached the threshold alone, at least the strongest; of quality: one for each
rule that was not broken in the window before), ``IncidentChanged`` for performance and data quality. The budget is
split between the families of tests: each may alarm once in as many budgets as there are (``features.families``); that
of the features has the estimates in it, a quarter of its part. Quality and detectors of the user's choice
(inputs/named_watch.py) take nothing of it.
"""
