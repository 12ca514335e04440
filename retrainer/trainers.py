"""How a model is made: one function, named in the monitor specification as ``module:function``.

    def train(dataset: Dataset, seed: int) -> Predictor

It is called in a process of its own, with limits on time and memory, and more than once a run: first without the
held-out rows, then on everything. It must be deterministic in (dataset, seed): a run that is repeated after a crash
has to give the same artefact. Its module may have a function ``prepare()``, which is called while the rows are read:
the place for imports that take long.
"""

from __future__ import annotations

import importlib
import sys
from typing import Protocol

from driftloop.artefacts.predictor import Predictor
from driftloop.retrainer.dataset import Dataset
from driftloop.schemas.errors import ConfigError

DEFAULT = "driftloop.retrainer.river_trainer:train"
EXAMPLE = f'for example trainer = "{DEFAULT}"'


class Trainer(Protocol):
    """Fit on a dataset (both classes occur in it); any exception ends the run as failed."""

    def __call__(self, dataset: Dataset, seed: int) -> Predictor: ...


def prepared_trainer(name: str) -> Trainer:
    """Load a trainer and let its module prepare itself."""
    trainer = load_trainer(name)
    prepare = getattr(sys.modules[(name or DEFAULT).partition(":")[0]], "prepare", None)
    if prepare:
        prepare()
    return trainer


def load_trainer(name: str) -> Trainer:
    """Import ``module:function`` (empty: the default); ConfigError says which half is wrong."""
    name = name or DEFAULT
    module_name, colon, function_name = name.partition(":")
    if not (module_name and colon and function_name):
        raise ConfigError(f"trainer {name!r} is not of the form module:function", EXAMPLE)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        hint = f"install it beside the retrainer, or start that with its folder on PYTHONPATH; {EXAMPLE}"
        raise ConfigError(f"trainer {name!r}: {module_name} cannot be imported: {error}", hint) from error
    trainer: Trainer | None = getattr(module, function_name, None)
    if not callable(trainer):
        raise ConfigError(f"trainer {name!r}: {module_name} has no function {function_name}", EXAMPLE)
    return trainer
