"""`driftloop monitor apply FILE`: a monitor file becomes the live specification of its model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from driftloop.console.calendars import check_calendar
from driftloop.console.detectors import check_detectors
from driftloop.console.models import read_catalogue
from driftloop.console.publishing import Publication, publish
from driftloop.detectors.seasonal.history import WEEKS_LEAST
from driftloop.schemas.baseline.reference import Baselines
from driftloop.schemas.batches.prediction import layout
from driftloop.schemas.codec import canonical_json
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import MonitorApplied, SchemaRegistered
from driftloop.schemas.monitor.segments import Combination
from driftloop.schemas.monitor.specification import MonitorSpecification, compile_monitor
from driftloop.schemas.monitor.toml_reader import line_of
from driftloop.schemas.outcome import Scales
from driftloop.schemas.settings import Settings
from driftloop.streams.judge.inputs.season import BUILD

DAY_SECONDS = 86_400.0
SEASON_DAYS_LEAST = 7 * WEEKS_LEAST


class AppliedMonitor(NamedTuple):
    specification: MonitorSpecification
    changed: bool
    """False: it was the live one already, and nothing was written."""
    unfit_reference: str = ""
    """Name of the reference that stands and was counted on other bins: with it nothing of this one is compared."""


def apply_monitor(settings: Settings, file: Path) -> AppliedMonitor:
    """Compile, check and publish. ConfigError: the file is not there, or what is wrong in it, by line."""
    written = read_monitor(file, settings.detectors)
    catalogue = read_catalogue(settings)
    live = catalogue.specification(written.model)
    specification = _beside(written, live, file)
    known = catalogue.baselines(written.model)
    check_season(specification, known, file)
    changed = live is None or live.spec != specification.spec
    if changed:
        publish(settings, specification_events(specification))
    unfit = known[0] if known is not None and not known[1].bins_fit(specification) else ""
    return AppliedMonitor(specification, changed, unfit)


def compiled(file: Path, live: MonitorSpecification, modules: Collection[str] = ()) -> MonitorSpecification:
    """What applying the file would make live; ``modules``: Settings.detectors. ConfigError as ``apply_monitor``."""
    written = read_monitor(file, modules)
    return _beside(written, live, file) if written.model == live.model else written


def check_season(specification: MonitorSpecification, known: tuple[str, Baselines] | None, file: Path) -> None:
    """ConfigError: it has a season, and the reference that stands, built without one, is too short to show it."""
    if specification.season is None or known is None or known[1].season is not None:
        return
    days = (known[1].to_time - known[1].from_time) / DAY_SECONDS
    if days < SEASON_DAYS_LEAST - 1:  # first to last event, not midnight to midnight
        model = specification.model
        raise ConfigError(
            f"{place_of_season(file)}: season compares week with week, and the reference of {model} covers "
            f"{days:.1f} days, not {SEASON_DAYS_LEAST}",
            f"build a longer one first, for example {BUILD} {model} --from 2026-01-01 --to 2026-02-01, apply this, "
            "and build it again",
        )


def place_of_season(file: Path) -> str:
    """File and line of the [season]."""
    return f"{file}:{line_of(file.read_text(encoding='utf-8'), ('season',))}"


def read_monitor(file: Path, modules: Collection[str] = ()) -> MonitorSpecification:
    """What a monitor file says, by itself. ConfigError: it is not there, or what is wrong in it, by line."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", "name a monitor file, TOML in UTF-8") from error
    found = compile_monitor(text, str(file))
    check_detectors(found, text, str(file), modules)
    check_calendar(found, text, str(file), modules)
    return found


def _beside(written: MonitorSpecification, live: MonitorSpecification | None, file: Path) -> MonitorSpecification:
    if live is not None and live.task != written.task:
        raise ConfigError(
            f"{file} says task {written.task}, but {written.model} is a {live.task} model",
            "a model keeps its task, for its history would mean something else: give the new one another id",
        )
    return keep_bins(written, live) if live else written


def keep_bins(written: MonitorSpecification, live: MonitorSpecification) -> MonitorSpecification:
    """Bins that `reference build` has found stay, where the file names none for a feature of the same kind."""
    own = {f.name: f for f in written.features}
    edges, categories, bases, ranges = {}, {}, {}, {}
    for feature in live.features:
        mine = own.get(feature.name)
        if mine is None or (mine.kind, mine.width) != (feature.kind, feature.width):
            continue
        if feature.basis is not None:
            bases[feature.name] = feature.basis
        if feature.edges is not None and mine.edges is None:
            edges[feature.name], ranges[feature.name] = feature.edges, feature.range
        if feature.categories is not None and mine.categories is None:
            categories[feature.name] = feature.categories
    segments, scales = keep_segments(written, live), keep_scales(written, live)
    found = written.with_bins(edges, categories, segments, scales, bases, ranges)
    return keep_together(found, live)


def keep_together(written: MonitorSpecification, live: MonitorSpecification) -> MonitorSpecification:
    """What `reference build` has found of numeric features together stays, where they and their bins do."""
    mine, theirs = written.together, live.together
    if mine is None or theirs is None or mine.features != theirs.features or theirs.basis is None:
        return written
    bins = [{f.name: f.edges for f in spec.numeric if f.name in mine.features} for spec in (written, live)]
    return replace(written, together=theirs) if bins[0] == bins[1] else written


def keep_scales(written: MonitorSpecification, live: MonitorSpecification) -> Scales | None:
    """Scales of a regression that `reference build` has found stay; what the file says of them comes first."""
    mine, theirs = written.scales, live.scales
    if mine is None or theirs is None or (mine.is_known and mine.scale != theirs.scale):
        return mine
    own = mine if mine.is_known else theirs
    return replace(theirs, centre=own.centre, scale=own.scale)


def keep_segments(written: MonitorSpecification, live: MonitorSpecification) -> dict[str, tuple[Combination, ...]]:
    """Combinations that `reference build` has found stay, where the file names none for the same features."""
    mine, theirs = ({f.name: f.kind for f in spec.features} for spec in (written, live))
    known = {(s.name, s.features): s.values for s in live.segments if s.values is not None}
    return {
        s.name: known[s.name, s.features]
        for s in written.segments
        if s.values is None
        and (s.name, s.features) in known
        and all(mine[name] == theirs.get(name) for name in s.features)
    }


def specification_events(specification: MonitorSpecification) -> list[Publication]:
    """The schema of its predictions first: whoever reads the specification can read the records."""
    found = layout(specification)
    fingerprint = found.fingerprint.hex()
    model, spec = specification.model, specification.spec
    return [
        Publication("schemas", fingerprint, SchemaRegistered(fingerprint, canonical_json(found.schema), model, spec)),
        Publication("monitors", f"{model}/{spec}", MonitorApplied(model, spec, specification.to_json())),
    ]
