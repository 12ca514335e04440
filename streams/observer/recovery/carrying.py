"""A state of an older layout, carried over: what its records are called now. Pure.

Layout 1 had a store a model; layout 2 has one a pool (join/pool.py), and the hash of an id in it is xored with the
model's salt. So each model of layout 1 gets a pool to itself, under the number that its name has in order; columns,
and which rows belong to which segment, stay as they were. Models that join their neighbours' pool do so when they
next change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.fold import BEGIN_ANEW
from driftloop.streams.observer.join.rows import BASE, Rows
from driftloop.streams.observer.model import salt_of
from driftloop.streams.observer.panes.tasks import task_of
from driftloop.streams.observer.recovery.state import STORES, key_of, shape_of

OF_ROWS = (*STORES, "met", "used")
"""Records that belong to a model in layout 1, to its pool in layout 2."""
ID_BYTES = 8
State = Mapping[bytes, bytes]
Columns = Sequence[tuple[str, str]]
"""Those behind BASE: name and type."""


def carried_over(layout: int, state: State) -> dict[bytes, bytes] | None:
    """The state in today's layout; None: nobody knows how. Errors: ConfigError, it is no state of that layout."""
    carry = _CARRIES.get(layout)
    try:
        return None if carry is None else carry(state)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ConfigError(
            f"the observer's state of layout {layout} cannot be carried over: {error!r}",
            f"was it written by another program? {BEGIN_ANEW}",
        ) from error


def _from_1(state: State) -> dict[bytes, bytes]:
    entries = [(json.loads(key), key, value) for key, value in state.items()]
    models = {name[1]: json.loads(value) for name, _, value in entries if name[0] == "model"}
    pools = {model: str(number) for number, model in enumerate(sorted(models))}
    columns = {model: _columns(state, model, summary) for model, summary in models.items()}
    found: dict[bytes, bytes] = {}
    for (what, *rest), key, value in entries:
        if what == "model":
            model = rest[0]
            found[key] = _json({name: told for name, told in models[model].items() if name != "columns"})
            of_stores = [columns[model][store] for store in STORES]
            found[key_of("pool", pools[model])] = _json({"members": [model], "columns": of_stores})
        elif what in OF_ROWS:
            model, *numbers = rest
            new = _salted(value, columns[model][what], model) if what in STORES else value
            found[key_of(what, pools[model], *numbers)] = new
        else:
            found[key] = value
    return found


def _columns(state: State, model: str, summary: Mapping[str, Any]) -> Mapping[str, Columns]:
    """By store, as the summary tells them; the first release did not, and knew binary models alone."""
    if "columns" in summary:
        told: Mapping[str, Columns] = summary["columns"]
        return told
    spec = MonitorSpecification.from_json(state[key_of("specification", model, summary["active"])].decode())
    task = task_of(spec)
    rows = Rows({"seats": "<i2", "specs": "<i2", **task.payload}), Rows({"labels": "i1", **task.truth_payload})
    return {store: shape_of(one) for store, one in zip(STORES, rows, strict=True)}


def _salted(part: bytes, columns: Columns, model: str) -> bytes:
    """Rows of a segment, column behind column: the ids are the first."""
    row_bytes = sum(np.dtype(kind).itemsize for kind in (*BASE.values(), *dict(columns).values()))
    id_bytes = len(part) // row_bytes * ID_BYTES
    return (np.frombuffer(part[:id_bytes], "<u8") ^ salt_of(model)).tobytes() + part[id_bytes:]


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_CARRIES: dict[int, Callable[[State], dict[bytes, bytes]]] = {1: _from_1}
