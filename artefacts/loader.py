"""From a signed manifest to a model in memory. The order is the point: nothing is unpickled that was not proved.

signature by a trusted key -> size and sha256 of the bytes -> versions of the libraries -> listed unpickler -> shape.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Sequence
from typing import Any

from driftloop.artefacts.keys import TrustedKeys
from driftloop.artefacts.libraries import check_libraries, versions_of
from driftloop.artefacts.predictor import Predictor
from driftloop.artefacts.signature import verify
from driftloop.artefacts.store import Store
from driftloop.artefacts.unpickler import ListedUnpickler
from driftloop.schemas.errors import BadRecord, ConfigError, DriftloopError
from driftloop.schemas.events import ModelPublished

PICKLE_PROTOCOL = 5
log = logging.getLogger("driftloop.artefacts")


def load(manifest: ModelPublished, store: Store, trusted: TrustedKeys, modules: Sequence[str] = ()) -> Predictor:
    """The model of this manifest. ``modules`` are the user's own, whose classes the model may be made of.

    BadRecord: unsigned, untrusted-key, bad-signature, artefact-name, artefact-size, artefact-hash,
    artefact-too-large, library-mismatch, forbidden-global, artefact-unreadable, not-a-predictor.
    Unavailable: the file is not there (yet).
    """
    verify(manifest, trusted)
    data = store.get(manifest.sha256, manifest.size_bytes)
    for warning in check_libraries(manifest.libraries):
        log.warning("%s %s: %s", manifest.model, manifest.version, warning)
    return _predictor(ListedUnpickler(data, modules))


def dump(predictor: Predictor, modules: Sequence[str] = ()) -> bytes:
    """The model as bytes, proved to be readable: ConfigError here rather than a refusal in every app."""
    if not isinstance(predictor, Predictor):
        raise ConfigError(f"{type(predictor).__name__} has no predict_score(columns)", "see artefacts/predictor.py")
    try:
        data = pickle.dumps(predictor, protocol=PICKLE_PROTOCOL)
    except Exception as error:  # whatever a user's object raises when asked for its state
        raise ConfigError(
            f"a {type(predictor).__name__} cannot be pickled: {error}",
            "keep no lambda, lock, file or generator in the model",
        ) from error
    try:
        _predictor(ListedUnpickler(data, modules))
    except BadRecord as error:
        raise ConfigError(f"the model could not be read again: {error.message}", error.hint) from error
    return data


def libraries_of(data: bytes, modules: Sequence[str] = ()) -> dict[str, str]:
    """Versions of the libraries that the pickled model names, for its manifest."""
    unpickler = ListedUnpickler(data, modules)
    _predictor(unpickler)
    return versions_of(unpickler.named)


def _predictor(unpickler: ListedUnpickler) -> Predictor:
    try:
        found: Any = unpickler.load()
    except DriftloopError:
        raise
    except Exception as error:  # a broken pickle can raise anything
        raise BadRecord(
            "artefact-unreadable",
            f"the model cannot be unpickled: {type(error).__name__}: {error}",
            "it was made with other versions of its libraries, or its module is not installed here",
        ) from error
    if not isinstance(found, Predictor):
        raise BadRecord(
            "not-a-predictor", f"a {type(found).__name__} has no predict_score(columns)", "see artefacts/predictor.py"
        )
    return found
