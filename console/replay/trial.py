"""The specification and the reference that a replay is run under: what is live, or what files say instead."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from driftloop.console.models import find_specification
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import Event, encode
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import MonitorApplied, ReferenceBuilt
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.inputs.season import BUILD

LATEST = 1 << 62
"""Offset of a specification that was never published: later than all that were."""


def on_trial(
    catalogue: Catalogue, model: str, file: Path | None, reference: Path | None, modules: Collection[str] = ()
) -> MonitorSpecification:
    """The specification, live in ``catalogue`` from here on, as is the reference of the rows in ``reference``.
    ``modules``: as Settings.detectors.

    ConfigError: no monitor; a file of another model; features whose bins nobody has found; a season unlearned.
    """
    live = catalogue.specification(model)
    if file is None:
        found = find_specification(catalogue, model)
    else:
        from driftloop.console.monitor import compiled, read_monitor

        found = read_monitor(file, modules) if live is None else compiled(file, live, modules)
        if found.model != model:
            raise ConfigError(f"{file} is about {found.model}, not {model}", f"name the model: replay {found.model}")
    if reference is not None:
        found = _built(catalogue, found, reference, modules)
    elif not found.has_bins:
        unknown = ", ".join(f.name for f in found.features if not f.bins and f.kind != "embedding")
        raise ConfigError(
            f"{file or model}: nobody has found the bins of {unknown} yet",
            "give rows that bins and baselines are taken from, --reference rows.csv; or name edges or categories",
        )
    if live is None or found.spec != live.spec:
        _absorb(catalogue, "monitors", model, MonitorApplied(model, found.spec, found.to_json()))
    _check_season(catalogue, found, file)
    return found


def _built(
    catalogue: Catalogue, before: MonitorSpecification, file: Path, modules: Collection[str]
) -> MonitorSpecification:
    from driftloop.console.reference import count_rows
    from driftloop.console.reference_rows import Selection
    from driftloop.console.rows.gather import read_file
    from driftloop.console.rows.naming import Asked
    from driftloop.console.rows.source import digest_of

    rows = read_file(before, file, Asked(), Selection())
    if not len(rows.event_time):
        raise ConfigError(f"there are no rows in {file}", "a reference is made of rows of the past")
    found, baselines = count_rows(before, rows, digest_of(file), modules)
    built = ReferenceBuilt(found.model, found.spec, baselines.reference, baselines.to_json())
    _absorb(catalogue, "references", found.model, built)
    return found


def _check_season(catalogue: Catalogue, found: MonitorSpecification, file: Path | None) -> None:
    """A season on trial must have been learned; a live one that is UNKNOWN is replayed as it is."""
    known = catalogue.baselines(found.model)
    if file is None or found.season is None or known is None:
        return
    season = known[1].season
    if season is None or season.reason:
        from driftloop.console.monitor import place_of_season

        why = season.reason if season else f"the reference of {found.model} was built without one"
        raise ConfigError(
            f"{place_of_season(file)}: season is not known: {why}",
            f"give two weeks of rows, --reference rows.csv; or apply this, and {BUILD} {found.model}",
        )


def _absorb(catalogue: Catalogue, short: str, key: str, event: Event) -> None:
    faults = len(catalogue.faults)
    catalogue.absorb(short, LATEST, key.encode(), encode(event))
    assert len(catalogue.faults) == faults, catalogue.faults[-1]
