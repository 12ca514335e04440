"""The observer: predictions and ground truth in; panes of partial sums and progress out. Pure, but for worker.py.

    records -> reading.py -> join/ (who belongs to whom) -> panes/ (partial sums by bin) -> telling.py -> events
    recovery/: the state behind it, written, read, carried over and set back

**What the judge gets**, on the panes topic:

``Pane`` kind ``features``, bucket -1: all accepted predictions of (version, role, spec, pane).
    counts      predictions; missing:<feature> and unseen:<feature> where above zero
    histograms  score (bins.SCORE_EDGES), predicted (0, 1, 2 unknown), feature:<name> (where the spec has bins)
    multiclass: score is the largest one, predicted has a bin a class and one for unknown. regression: no predicted,
    score on scales.prediction_edges.
``Pane`` kind ``labels``, bucket k: the pairs of that pane whose label delay fell into (edge[k-1], edge[k]].
    counts      pairs; labelled (those whose label is a class: they alone are in the sums of losses and in
                score_by_label and loss); errors; unlabelled = pairs - labelled
    sums        log_loss, log_loss_squared (nats, nats squared), brier, delay_seconds
    histograms  confusion (label code * 3 + predicted code, 2: unknown), score_by_label:0, score_by_label:1,
                loss (bins.LOSS_EDGES), delay (the bucket's own number)
    multiclass (K classes): confusion (label code * (K + 1) + predicted code, K: unknown); score_by_right:0 and :1
    (the largest score, by whether that class was the label) in place of score_by_label; brier summed over classes.
    regression (scales known): counts clipped; sums loss, loss_squared (scales), error, absolute_error,
    squared_error, label, label_squared, predicted, predicted_squared, label_predicted, of numbers less the centre,
    in the label's unit; histograms loss, score, label (scales.label_edges), delay.
    with values (panes/value.py): counts valued, value_clipped; sums value:<bin of confusion>, of a regression value.
``Pane`` kind ``paired``, bucket k, version and role of a challenger, ``against`` the version of a champion: both have
    predicted the same id and met the same truth; pane and bucket are the champion's (join/paired.py).
    counts      pairs, labelled, unlabelled
    sums        loss_difference, loss_difference_squared (challenger less champion; of labelled rows)
    histograms  correctness (0 both right, 1 only the champion, 2 only the challenger, 3 both wrong, 4 no class),
                loss_difference (bins.DIFFERENCE_EDGES), delay
``Pane`` kind ``counters``, version, role "" and bucket -1: what has happened in this partition to this model since
    its beginning, as of ``emitted_at``; ``pane_start`` = emitted_at - pane_seconds. Each replaces the one before:
    take, for each partition, the one of the greatest ``emitted_at`` that is not above the frontier.
    counts      predictions, labelled, unlabelled, never_labelled (of champion and history; with _challenger behind it
                those of challengers), orphans, duplicates, amendments, too_late, overflow,
                misplaced_predictions, misplaced_truths (keys that murmur2 puts elsewhere: placement.py);
                where above zero

An embedding (panes/embeddings.py) has feature:<name>, its norm on the bins of the specification, once a reference was
    built; missing:<name>, broken:<name> (not finite, yet not all NaN); and sums cos:, sin: (64 each), first: (16) and
    second: (136) :<name>:<number> over the vectors that are there; the norm's bins but the last count those.

Panes of declared segments have ``segment`` set, and the header ce_subject; kinds, buckets, instants and
    revisions are those of the whole. ``features``: predictions, score and predicted alone. ``labels``: everything.
    The whole's ``features`` count segment_other:<segmentation>, rows whose combination is not known.

``emitted_at`` is an instant of time.py: the pane's end (features), its end + edge[k] (labels). What came behind its
instant is told at the first instant above the watermark that it met, as revision + 1 of the pane. So the whole
sequence of emissions of a pane, not only the last, is a function of the two logs: at a frontier J exactly the panes
with ``emitted_at`` <= J have been written, whatever the batches were. The worker writes them as checkpoints come.

``Progress`` goes to every partition of the panes topic, behind the panes of its checkpoint, when anything was read.
The watermark of a model is the greatest event time in the partition, of whichever model, less its own disorder; those
that are told beside it hold for all models of the catalogue, so they are less the longest disorder of all.
Sums are made of rows rounded to a binary fraction (2^-32 nats; 2^-28 for squares; 2^-10 s; the tasks say theirs), so
they are exact in any order.
"""
