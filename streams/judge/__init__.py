"""The judge: panes in; windows, drift and incidents out. Pure, but for worker.py.

    records -> fold.py -> merge.py (how far may we go) -> model.py, one a model, instant by instant:
        ledger.py         panes that count, windows.py, sums.py (exact), totals.py, delays.py, forecasts.py
        champion.py       who serves
        performance.py    the loss test (detectors/e_detector.py) and incidents.py
        counter_alarms.py what the observer's counters say (placement.py, overflow.py)
        silencing.py      what people have silenced
        evidence.py       what an incident says: suspects.py (loss_given_score.py), attribution.py, past.py
        quality_watch.py  data quality (quality.py, quality_history.py, label_gaps.py), incidents of its own
        input_watch.py    embeddings: vector_watch.py over vectors.py (detectors/rff_mmd.py, whitened_covariance.py);
        feature_watch.py  the feature test: conformal_watch.py over features.py (detectors/window_csr.py), or where
                          the monitor has a season season_watch.py over season.py (detectors/seasonal/)
        measured.py       one window in figures: tasks.py says which (metrics.py, confusion.py, ranking.py,
                          calibration.py, numbers.py, value.py; intervals.py), segmented.py and fairness.py by segment
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
(named_watch.py) take nothing of it.
"""
