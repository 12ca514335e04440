"""Which version should serve, and whether it may: a fold over the records of models and deployments.

No Kafka, no clock, no thread: records, moments and the loader come in. A new champion replaces the old one only when
it has been loaded; one that is bad is told once and not tried again until the log says something new; one that is not
there yet is tried again, ever more rarely.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from driftloop.artefacts.predictor import Predictor
from driftloop.schemas.codec import decode
from driftloop.schemas.errors import BadRecord, DriftloopError, Unavailable
from driftloop.schemas.events import DeploymentChanged, ModelPublished

RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Waits between attempts; the last one repeats. A mounted folder shows a new file within seconds."""


class Loaded(NamedTuple):
    """A champion in memory."""

    version: str
    predictor: Predictor
    manifest: ModelPublished


class Problem(NamedTuple):
    """Why a version does not serve, or why nothing can be read (version empty). ``reason`` is a short slug."""

    version: str
    reason: str
    message: str


Load = Callable[[ModelPublished], Predictor]
Tell = Callable[[Problem], None]


class Succession:
    """The champion of one model. The two topics are read side by side, so either record may come first."""

    def __init__(self, model: str, load: Load, tell: Tell) -> None:
        self.current: Loaded | None = None
        self._model = model
        self._load = load
        self._tell = tell
        self._manifests: dict[str, ModelPublished] = {}
        self._deployment: DeploymentChanged | None = None
        self._tried: tuple[DeploymentChanged, ModelPublished | None] | None = None
        self._attempts = 0
        self._next_attempt_at = 0.0

    def absorb(self, value: bytes | None, place: str) -> None:
        """One record's value. A tombstone says nothing: what was deployed stays so until a deployment differs."""
        if not value:
            return
        try:
            event = decode(value)
        except BadRecord as error:
            self._tell(Problem("", error.reason, f"{place}: {error.message}"))
            return
        if isinstance(event, ModelPublished) and event.model == self._model:
            self._manifests[event.version] = event
        elif isinstance(event, DeploymentChanged) and event.model == self._model:
            self._deployment = event

    def settle(self, now_seconds: float) -> bool:
        """Bring ``current`` to what the log says; True when it changed. ``now_seconds``: any monotonic clock."""
        deployment = self._deployment
        if deployment is None:
            return False
        if not deployment.champion:
            changed, self.current = self.current is not None, None
            return changed
        manifest = self._manifests.get(deployment.champion)
        if manifest is not None and self.current is not None and self.current.manifest == manifest:
            return False
        if self._tried != (deployment, manifest):
            self._tried, self._attempts, self._next_attempt_at = (deployment, manifest), 0, now_seconds
        if now_seconds < self._next_attempt_at:
            return False
        return self._attempt(deployment.champion, manifest, now_seconds)

    def _attempt(self, version: str, manifest: ModelPublished | None, now_seconds: float) -> bool:
        try:
            if manifest is None:
                raise Unavailable(f"there is no manifest of {version} on the models topic")
            predictor = self._load(manifest)
        except DriftloopError as error:
            self._postpone(error, manifest is None, now_seconds)
            return False
        self.current = Loaded(version, predictor, manifest)
        return True

    def _postpone(self, error: DriftloopError, unseen: bool, now_seconds: float) -> None:
        """Told once: at the first attempt, or at the second for a manifest, which may be a moment behind."""
        assert self._tried is not None
        if self._attempts == (1 if unseen else 0):
            reason = (
                error.reason if isinstance(error, BadRecord) else "not-there-yet" if error.retriable else "settings"
            )
            self._tell(Problem(self._tried[0].champion, reason, str(error)))
        wait = RETRY_SECONDS[min(self._attempts, len(RETRY_SECONDS) - 1)] if error.retriable else float("inf")
        self._next_attempt_at = now_seconds + wait
        self._attempts += 1
