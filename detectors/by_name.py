"""A detector that a person has named, over a series of single values; whatever goes wrong in it stays in it.

    adwin, csr, …      one of ours that watches values; settings: those of its ``Settings``
    river:ADWIN        a class of river.drift or river.drift.binary (river:drift.binary.DDM too); settings: its
                       constructor's; ``seed`` is 42 where it has one and none is given, for a replay draws the same
    module:function    function(state, value, **settings) -> (state, alarmed); ``state`` is None at first, then what
                       it returned, through JSON. Imported only where the module is among those allowed.

A ``Runner`` keeps nothing: its state is bytes, the same however a series is cut. Ours are versioned doubles, a
function's is JSON of at most 64 kB. river's is its pickle, read by an unpickler that knows river's classes alone, and
belongs to the release that wrote it. (To rebuild it from values would need all of them: ADWIN's window has no bound.)
A state of another release is none: the detector begins anew.

>>> runner = find("adwin")({"delta": 0.002})
>>> first = runner.scan(b"", [0.0, 0.0, 0.0, 1.0] * 250)
>>> runner.scan(first.state, [1.0] * 100).alarms
[23]
>>> find("module:step")
Traceback (most recent call last):
    ...
ValueError: module is not allowed to be imported (none is)
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from driftloop.detectors import river_adapter

if TYPE_CHECKING:
    from driftloop.detectors import Detector

STATE_BYTES_MOST = 65_536
_RIVER_PLACES = ("", "drift.", "drift.binary.", "river.drift.", "river.drift.binary.")
_SEED = 42
_TRIAL = (0.0, 1.0, 0.0, 0.0) * 64


class Scanned(NamedTuple):
    """``alarms``: positions of the values at which it alarms. ``taken``: all, unless there is an ``error``."""

    state: bytes
    alarms: list[int]
    taken: int
    error: str = ""


class Kind(Protocol):
    """How a detector is driven. ``step`` may raise whatever it likes, and leaves the state that it was given as it
    was."""

    bound: str

    def load(self, data: bytes) -> Any: ...

    def dump(self, state: Any) -> bytes: ...

    def step(self, state: Any, values: Sequence[float]) -> tuple[Any, list[int]]: ...


class Runner(NamedTuple):
    kind: Kind

    def scan(self, data: bytes, values: Sequence[float]) -> Scanned:
        """Take finite values in; ``data``: empty at first. Never raises: ``error`` says at which value it failed, and
        what came before that counts."""
        try:
            after, found = self.kind.step(self.kind.load(data), values)
            return Scanned(self.kind.dump(after), found, len(values))
        except (Exception, SystemExit) as error:  # the code is not ours
            if len(values) <= 1:
                return Scanned(data, [], 0, _told(error))
        alarms: list[int] = []
        taken = 0
        for value in values:
            one = self.scan(data, [value])
            if one.error:
                return Scanned(data, alarms, taken, one.error)
            data, taken = one.state, taken + 1
            alarms += [taken - 1] if one.alarms else []
        return Scanned(data, alarms, taken)


Make = Callable[[Mapping[str, Any]], Runner]


@cache
def ours() -> dict[str, Detector]:
    """Those of our own that watch single values, by name; their modules are imported now."""
    from driftloop.detectors.table import DETECTORS

    return {name: one for name, one in DETECTORS.items() if one.scan is not None and name != "river"}


def find(use: str, allowed: Collection[str] = ()) -> Make:
    """What makes a runner of its settings. ``allowed``: modules whose functions may be imported. ValueError, in a
    sentence: there is no such detector; out of what it returns: the settings do not suit it."""
    where, colon, name = use.partition(":")
    if one := ours().get(use):
        known = tuple(inspect.signature(one.settings).parameters)
        return lambda settings: _made(lambda: _Ours(one, settings), known)
    if where == "river":
        whose, name = name[: name.rfind(".") + 1], name.rpartition(".")[2]
        if whose not in _RIVER_PLACES:
            raise ValueError(f"river has no drift detector {use.partition(':')[2]!r}")
        known = river_adapter.parameters_of(name)
        return lambda settings: _made(lambda: _Rivers(name, settings, "seed" in known), known)
    if colon:
        function = imported(where, name, allowed)
        return lambda settings: _made(lambda: _Yours(use, function, settings), None)
    raise ValueError(f"{use!r} is none of {', '.join(ours())}, nor river:<class> or module:function")


def _made(make: Callable[[], Kind], known: tuple[str, ...] | None) -> Runner:
    """One whose settings are ``known`` is tried on bits, which it takes: constructors do not look at all they get."""
    try:
        runner = Runner(make())
        wrong = "" if known is None else runner.scan(b"", _TRIAL).error
    except Exception as error:
        wrong = _told(error)
    if wrong:
        raise ValueError(wrong if known is None else f"{wrong} (it takes {', '.join(known)})")
    return runner


def _told(error: BaseException) -> str:
    said = str(error)
    return said if isinstance(error, ValueError) and said else f"{type(error).__name__}: {said}"


class _Ours:
    def __init__(self, detector: Detector, settings: Mapping[str, Any]) -> None:
        self._detector, self._settings, self.bound = detector, detector.settings(**settings), detector.bound

    def load(self, data: bytes) -> Any:
        try:
            return self._detector.from_bytes(data)
        except ValueError:  # empty, or of another release
            return self._detector.start(self._settings)

    def dump(self, state: Any) -> bytes:
        return self._detector.to_bytes(state)

    def step(self, state: Any, values: Sequence[float]) -> tuple[Any, list[int]]:
        assert self._detector.scan is not None
        after, found = self._detector.scan(self._settings, state, values)
        return after, found.alarms.tolist()


class _Rivers:
    bound = river_adapter.BOUND

    def __init__(self, name: str, settings: Mapping[str, Any], seeded: bool) -> None:
        from importlib.metadata import version

        given = {"seed": _SEED} | dict(settings) if seeded else dict(settings)
        self._settings = river_adapter.Settings(name, tuple(given.items()))
        self._release = f"river {version('river')}\n".encode()

    def load(self, data: bytes) -> Any:
        if not data.startswith(self._release):
            return river_adapter.start(self._settings)
        return river_adapter.from_bytes(data[len(self._release) :])

    def dump(self, state: Any) -> bytes:
        return self._release + river_adapter.to_bytes(state)

    def step(self, state: Any, values: Sequence[float]) -> tuple[Any, list[int]]:
        after, found = river_adapter.scan(self._settings, state, values)
        return after, found.alarms.tolist()


class _Yours:
    """Between two values the state is JSON text: what a restart would find is what every value finds."""

    bound = "none stated"

    def __init__(self, use: str, function: Callable[..., Any], settings: Mapping[str, Any]) -> None:
        self._use, self._function, self._settings = use, function, dict(settings)
        try:
            inspect.signature(function).bind(None, 0.0, **self._settings)
        except TypeError as error:
            raise ValueError(f"{use} cannot be called with (state, value, **settings): {error}") from None

    def load(self, data: bytes) -> Any:
        return data or b"null"

    def dump(self, state: Any) -> bytes:
        return bytes(state)

    def step(self, state: Any, values: Sequence[float]) -> tuple[Any, list[int]]:
        alarms = []
        for i, value in enumerate(values):
            answer = self._function(json.loads(state), float(value), **self._settings)
            if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], bool):
                raise ValueError(f"{self._use} answered {answer!r:.80}, not (state, True or False)")
            state = json.dumps(answer[0], sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
            if len(state) > STATE_BYTES_MOST:
                raise ValueError(f"the state of {self._use} has {len(state)} bytes, more than {STATE_BYTES_MOST}")
            alarms += [i] if answer[1] else []
        return state, alarms


def imported(module: str, name: str, allowed: Collection[str]) -> Callable[..., Any]:
    """A function of a module that may be imported. Errors: ValueError."""
    if module not in allowed:
        told = ", ".join(sorted(allowed)) or "none is"
        raise ValueError(f"{module} is not allowed to be imported ({told})")
    try:
        found: Callable[..., Any] | None = getattr(importlib.import_module(module), name, None)
    except (Exception, SystemExit) as error:  # the code is not ours
        raise ValueError(f"{module} cannot be imported: {_told(error)}") from error
    if not callable(found):
        raise ValueError(f"{module} has no function {name}")
    return found
