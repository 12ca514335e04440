"""The app's side of a deployment: always the current champion, proved before it is loaded.

    with follow("flights", "localhost:9092") as follower:
        champion = follower.wait(timeout_seconds=60)
        scores = champion.predictor.predict_score(columns)   # and follower.current from then on

A background thread reads models and deployments. A new champion is verified and unpickled there, then swapped in with
one assignment: a request sees the old one or the new one, whole. One that cannot be trusted or read changes nothing:
the old champion keeps serving, and the problem is told.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from driftloop.artefacts.keys import TrustedKeys, trusted_keys
from driftloop.artefacts.loader import load
from driftloop.artefacts.store import Store
from driftloop.client.cluster import settings_of
from driftloop.client.reader import TopicReader
from driftloop.client.succession import Load, Loaded, Problem, Succession
from driftloop.schemas.errors import DriftloopError, Unavailable
from driftloop.schemas.settings import Settings

log = logging.getLogger("driftloop.client")
OnProblem = Callable[[Problem], None]
_LOOK_SECONDS = 0.1
"""How often the thread looks whether to stop or to try again; a record wakes it at once."""
_AGAIN_SECONDS = 1.0
_PROBLEMS_MOST = 100


def log_problem(problem: Problem) -> None:
    """What happens to problems where the app gave no ``on_problem``."""
    log.error("champion %s is not taken over (%s): %s", problem.version or "?", problem.reason, problem.message)


def follow(
    model: str,
    settings: Settings | str | None = None,
    *,
    modules: Sequence[str] = (),
    store: Store | None = None,
    trusted: TrustedKeys | None = None,
    on_problem: OnProblem = log_problem,
) -> Follower:
    """Follow the champion of ``model``. ``modules``: your own modules, whose classes the model may be made of.

    ``settings``: bootstrap servers as text, Settings, or None for the environment. Errors: ConfigError.
    ``on_problem`` is called in the follower's thread.
    """
    known = settings_of(settings)
    shelf = store or Store(known.artefacts)
    keys = trusted_keys(known) if trusted is None else trusted
    return Follower(model, known, lambda manifest: load(manifest, shelf, keys, modules), on_problem)


class Follower:
    """See ``follow``. Close it, or use it as a context manager."""

    def __init__(self, model: str, settings: Settings, load_model: Load, on_problem: OnProblem) -> None:
        self.model = model
        self._settings = settings
        self._on_problem = on_problem
        self._problems: deque[Problem] = deque(maxlen=_PROBLEMS_MOST)
        self._in_outage = False
        self._succession = Succession(model, load_model, self._tell)
        self._changed = threading.Condition()
        self._swaps = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"driftloop-follow-{model}", daemon=True)
        self._thread.start()

    @property
    def current(self) -> Loaded | None:
        """The champion now; None before the first one, and where none is deployed. Costs nothing: ask each time."""
        return self._succession.current

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The last hundred problems, oldest first."""
        return tuple(self._problems)

    def wait(self, timeout_seconds: float) -> Loaded:
        """The champion as soon as there is one. Unavailable, with the last problem, when there is none in time."""
        with self._changed:
            self._changed.wait_for(lambda: self.current is not None or self._stop.is_set(), timeout_seconds)
        if (found := self.current) is not None:
            return found
        problem = self._problems[-1].message if self._problems else "no deployment has been seen"
        raise Unavailable(
            f"there is no champion of {self.model} after {timeout_seconds:g} s: {problem}",
            "`driftloop cat deployments` shows what is deployed",
        )

    def changes(self) -> Iterator[Loaded]:
        """Every champion from the current one on, until closed. One that was replaced meanwhile is left out."""
        seen = 0
        while True:
            with self._changed:
                while self._swaps == seen and not self._stop.is_set():
                    self._changed.wait()
                seen = self._swaps
            if self._stop.is_set():
                return
            if (found := self.current) is not None:
                yield found

    def close(self) -> None:
        """Stop following; ``current`` stays as it is."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(10.0)

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._read()
            except DriftloopError as error:  # nobody answers, or a topic is not there yet: told, and tried again
                self._tell(Problem("", "unreadable", str(error)), isinstance(error, Unavailable))
            except Exception as error:  # a bug of ours must not leave the app with a thread that died in silence
                log.exception("following %s failed", self.model)
                self._tell(Problem("", "bug", repr(error)))
            self._stop.wait(_AGAIN_SECONDS)

    def _read(self) -> None:
        with TopicReader(self._settings, ("models", "deployments")) as reader:
            while not self._stop.is_set():
                for record in reader.poll(_LOOK_SECONDS):
                    self._succession.absorb(record.value, f"{record.short}[{record.partition}]@{record.offset}")
                # Before the end was reached once, every champion of the past would be loaded in turn.
                if reader.caught_up and self._succession.settle(time.monotonic()):
                    with self._changed:
                        self._swaps += 1
                        self._changed.notify_all()

    def _tell(self, problem: Problem, outage: bool = False) -> None:
        """An ``outage`` is told once, not once a second, whatever other words librdkafka finds for it."""
        if self._problems and (self._problems[-1] == problem or (outage and self._in_outage)):
            return
        self._in_outage = outage
        self._problems.append(problem)
        try:
            self._on_problem(problem)
        except Exception:  # the app's callback: its error must not end our thread
            log.exception("on_problem failed for %s", problem)
