"""One training run, in a process of its own: ``python -m driftloop.retrainer.run`` with its order on stdin.

    read the rows -> fit without the held-out ones -> gate -> fit on everything -> artefact into the store -> answer

The answer is one file beside the log, there whole or not at all. The process leaves when its stdin ends: then the
service that started it is gone, and its successor runs this run again.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
from driftloop.artefacts.loader import dump, libraries_of
from driftloop.artefacts.predictor import Predictor
from driftloop.artefacts.store import Store
from driftloop.retrainer import gates, reading
from driftloop.retrainer.dataset import Dataset, Origin, sampled, version_of
from driftloop.retrainer.gates import Verdict
from driftloop.retrainer.jobs import RESULT
from driftloop.retrainer.runs import Artefact, Plan, RunEnded, ended_to_json, order_from_json
from driftloop.retrainer.trainers import DEFAULT, Trainer, prepared_trainer
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.codec import encode
from driftloop.schemas.errors import ConfigError, DriftloopError
from driftloop.schemas.events import MonitorApplied
from driftloop.schemas.monitor.specification import MonitorSpecification, RetrainPolicy
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.catalogue import KafkaCatalogue

log = logging.getLogger("driftloop.retrainer.run")
ORPHANED = 77
"""Exit code when the service has gone."""
REGISTRY_SECONDS_MOST = 120.0
"""A registry that is away for a moment must not cost a day's training."""


def main() -> int:
    """Exit 0: the answer is written, whatever it says. Anything else: the log has the reason."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    plan, settings = order_from_json(sys.stdin.readline())
    threading.Thread(target=leave_with_the_service, daemon=True).start()
    specification = MonitorSpecification.from_json(plan.specification)
    limit_memory(specification.retrain.memory_limit_mb)
    try:
        ended = run(plan, settings, specification)
    except DriftloopError as error:
        ended = RunEnded(plan.started.model, plan.started.run, failure=error.message, log=str(error))
    answer(Path(plan.folder), ended)
    return 0


def run(plan: Plan, settings: Settings, specification: MonitorSpecification) -> RunEnded:
    """From the log to a stored model."""
    began = time.monotonic()
    with ThreadPoolExecutor(1) as beside:  # a trainer's libraries take a second or two, and reading mostly waits
        loading = beside.submit(prepared_trainer, specification.retrain.trainer)
        dataset, origin = reading.patiently(lambda: rows_of(plan, settings, specification))
        trainer = loading.result()
    log.info("%d labelled rows read and joined in %.2f s", len(dataset), time.monotonic() - began)
    ended = train_and_prove(plan, specification.retrain, trainer, dataset, origin, Store(settings.artefacts))
    log.info(
        "%s after %.2f s: %s",
        "accepted" if ended.accepted else "not accepted",
        time.monotonic() - began,
        ended.reason,
    )
    return ended


def rows_of(plan: Plan, settings: Settings, specification: MonitorSpecification) -> tuple[Dataset, Origin]:
    """The labelled rows, by every published way of writing them."""
    layouts = layouts_for(settings, specification)
    return reading.read_rows(settings, plan.ends, specification, layouts, plan.started.as_of)


def layouts_for(settings: Settings, specification: MonitorSpecification) -> Layouts:
    """Every published way of writing predictions; the model's own read as this run's specification says.

    The run may be older than the live specification: its own is absorbed behind all others, as if applied last.
    """
    with closing(KafkaCatalogue(settings, REGISTRY_SECONDS_MOST)) as published:
        published.refresh()
        own = MonitorApplied(specification.model, specification.spec, specification.to_json())
        published.catalogue.absorb("monitors", sys.maxsize, None, encode(own))
        return published.catalogue.layouts


def train_and_prove(
    plan: Plan, retrain: RetrainPolicy, trainer: Trainer, dataset: Dataset, origin: Origin, store: Store
) -> RunEnded:
    """Everything but reading: a function of its arguments."""
    started = plan.started
    if lack := lacking(dataset, retrain.minimum_labels):
        return RunEnded(started.model, started.run, labelled=len(dataset), reason=lack)
    chosen = sampled(origin.id_hash, retrain.rows_most, retrain.seed)
    training, version = dataset.take(chosen), version_of(dataset.take(chosen), origin.take(chosen))
    verdict = prove(started.details.get("parent", ""), retrain, trainer, dataset, origin)
    artefact = None
    if verdict.accepted:
        data = dump(fit(trainer, training, retrain.seed), modules(retrain))
        stored = store.put(data)
        artefact = Artefact(stored.uri, stored.sha256, stored.size_bytes, libraries_of(data, modules(retrain)))
    return RunEnded(
        started.model,
        started.run,
        labelled=len(dataset),
        dataset=version,
        accepted=verdict.accepted,
        reason=verdict.reason,
        figures=verdict.figures,
        thresholds=verdict.thresholds,
        artefact=artefact,
    )


def lacking(dataset: Dataset, minimum_labels: int) -> str:
    """Why there is not enough to train on; empty where there is."""
    if len(dataset) < minimum_labels:
        return f"only {len(dataset)} labelled rows, {minimum_labels} are needed"
    if len(dataset) and len(np.unique(dataset.labels)) < 2:
        return f"all {len(dataset)} labels are of one class"
    return ""


def prove(parent: str, retrain: RetrainPolicy, trainer: Trainer, dataset: Dataset, origin: Origin) -> Verdict:
    """Fit without the last ``holdout_seconds`` of event time, score them, compare with what the champion said."""
    cut = float(dataset.event_time.max()) - retrain.holdout_seconds
    before, held_out = dataset.event_time <= cut, dataset.take(dataset.event_time > cut)
    if lack := lacking(dataset.take(before), max(retrain.minimum_labels // 2, 2)):
        accepted = not parent or retrain.gate == "no_harm"
        return Verdict(accepted, f"{'' if parent else 'first model; '}before the held-out rows {lack}", {}, {})
    rows = np.flatnonzero(before)
    rows = rows[sampled(origin.id_hash[rows], retrain.rows_most, retrain.seed)]
    candidate = fit(trainer, dataset.take(rows), retrain.seed)
    if not parent:
        return gates.first_model(held_out.labels, score(candidate, held_out))
    held_out = held_out.take(said_by(parent, held_out))
    return gates.judge(retrain.gate, held_out.labels, held_out.event_time, held_out.score, score(candidate, held_out))


def said_by(version: str, dataset: Dataset) -> npt.NDArray[np.bool_]:
    """Rows that this version scored while it served: it was not fitted on them, and its score is on the record."""
    if version not in dataset.versions:
        return np.zeros(len(dataset), bool)
    said: npt.NDArray[np.bool_] = (dataset.version == dataset.versions.index(version)) & np.isfinite(dataset.score)
    return said


def fit(trainer: Trainer, dataset: Dataset, seed: int) -> Predictor:
    """The trainer's model. ConfigError when it is none."""
    found = trainer(dataset, seed)
    if not isinstance(found, Predictor):
        raise ConfigError(
            f"the trainer's model is of type {type(found).__name__}, which has no predict_score(columns)",
            "see artefacts/predictor.py",
        )
    return found


def score(candidate: Predictor, dataset: Dataset) -> npt.NDArray[np.float64]:
    """Scores of the rows. ConfigError when the model does not answer as it should."""
    if not len(dataset):
        return np.empty(0)
    found = np.asarray(candidate.predict_score(dataset.columns), dtype=np.float64)
    if found.shape != (len(dataset),) or not np.all((found >= 0) & (found <= 1)):
        raise ConfigError(
            f"predict_score of a {type(candidate).__name__} does not give one probability a row",
            f"float64[{len(dataset)}] within 0..1 for columns of {len(dataset)} rows",
        )
    return found


def modules(retrain: RetrainPolicy) -> tuple[str, ...]:
    """The user's own module, whose classes the model may be made of."""
    name = (retrain.trainer or DEFAULT).partition(":")[0]
    return () if name.startswith("driftloop.") else (name,)


def answer(folder: Path, ended: RunEnded) -> None:
    """Whole or not at all: a successor may read at any moment."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".part-")
    with os.fdopen(descriptor, "w") as file:
        file.write(ended_to_json(ended))
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(folder / RESULT)


def limit_memory(limit_mb: int) -> None:
    """Private writable memory of this process; beyond it an allocation fails and the run with it.

    RLIMIT_DATA, not RLIMIT_AS: address space that is only reserved (thread arenas, mapped libraries) costs nothing.
    """
    limit = limit_mb * 1024 * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def leave_with_the_service() -> None:
    """Block until stdin ends, then end the process from this thread, whatever the others do."""
    sys.stdin.read()
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main())
