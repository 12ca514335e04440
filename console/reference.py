"""`driftloop reference build MODEL`: bins and baselines of predictions on the topic or rows of a file, published."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from driftloop.console.models import find_specification, read_catalogue
from driftloop.console.monitor import specification_events
from driftloop.console.publishing import Publication, publish
from driftloop.console.reading import partitions_of, read_batches
from driftloop.console.reference_calibration import describe_calibration, learn_calibration
from driftloop.console.reference_rows import ReferenceColumns, ReferenceRows, Selection, offset_ranges
from driftloop.console.reference_season import learn_season
from driftloop.console.rows.gather import read_file
from driftloop.console.rows.naming import Asked, parse_columns
from driftloop.console.rows.source import digest_of
from driftloop.retrainer.joining import Records
from driftloop.schemas.baseline.reference import Baselines, build_reference
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import ReferenceBuilt
from driftloop.schemas.monitor.season import SeasonBaseline
from driftloop.schemas.monitor.segments import Segmentation
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.settings import Settings
from driftloop.streams.judge.inputs.season import BUILD

__all__ = ["Asked", "RowFile", "Selection", "build", "offset_ranges", "parse_columns"]


class RowFile(NamedTuple):
    """A file of rows, the columns that have other names than ours, and the event time of all rows if it has none."""

    path: Path
    asked: Asked = Asked()
    at: float | None = None


def build(
    settings: Settings,
    model: str,
    selection: Selection,
    file: RowFile | None = None,
    season_unknown: bool = False,
) -> Iterator[str]:
    """Read, count, publish the specification with its bins and then the baselines; lines for a person.

    ConfigError: no monitor, no row that is selected, a row that cannot be used, a season that no record holds, or
    one that cannot be learned from these rows, unless it may stay unknown.
    """
    catalogue = read_catalogue(settings)
    before = find_specification(catalogue, model)
    if file is None:
        rows, digest = read_rows(settings, before, catalogue.layouts, selection), ""
        place = f"no prediction of {model} on {settings.topic('predictions')}"
    else:
        rows, digest = read_file(before, file.path, file.asked, selection, file.at), digest_of(file.path)
        place = f"no row of {file.path}"
    if not len(rows.event_time):
        raise ConfigError(
            f"{place} is among those selected",
            "send some first (role history for those of the past), or widen --from, --to, --role, --offsets",
        )
    after, baselines = count_rows(before, rows, digest, settings.detectors)
    if baselines.season is not None and baselines.season.reason and not season_unknown:
        raise ConfigError(
            f"the season of {model} cannot be learned: {baselines.season.reason}",
            f"{baselines.season.hint}, for example {BUILD} {model} --from 2026-01-01 --to 2026-02-01; with "
            "--season-unknown the rest is published, and features are not watched until it is built again",
        )
    publications = specification_events(after) if after.spec != before.spec else []
    built = ReferenceBuilt(model, after.spec, baselines.reference, baselines.to_json())
    publish(settings, [*publications, Publication("references", f"{model}/{baselines.reference}", built)])
    yield from describe(before, after, baselines)


def count_rows(
    before: MonitorSpecification, rows: ReferenceRows, file: str = "", modules: Collection[str] = ()
) -> tuple[MonitorSpecification, Baselines]:
    """(specification with bins, baselines), the season's among them. ``file``: sha256 of the rows' file; ``modules``:
    as Settings.detectors. ConfigError: a season that no record holds, a calendar that cannot be called."""
    after, baselines = build_reference(
        before,
        rows.columns,
        rows.labels,
        score=rows.score,
        event_time=rows.event_time,
        predicted=rows.predicted,
        offsets=rows.offsets,
    )
    known = learn_calibration(after, rows)
    return after, replace(baselines, season=learn_season(after, rows, modules), file=file, calibration=known)


def read_rows(
    settings: Settings, specification: MonitorSpecification, layouts: Layouts, selection: Selection
) -> ReferenceRows:
    """Everything on both topics up to now; of it what is selected. ConfigError: a partition that is not there."""
    partitions = partitions_of(settings, settings.topic("predictions"))
    if wrong := [r for r in selection.offsets if r.partition >= partitions]:
        said = (
            f"--offsets names partition {wrong[0].partition}, and predictions has {partitions}, 0 to {partitions - 1}"
        )
        raise ConfigError(said, "for example --offsets 0:100-5000")
    columns = ReferenceColumns(specification, layouts)
    for short in ("predictions", "ground-truth"):
        for batch in read_batches(settings, settings.topic(short)):
            for records in by_partition(short, batch):
                columns.absorb(records)
    return columns.select(selection)


def by_partition(short: str, batch: list[Any]) -> Iterator[Records]:
    """A batch sorted by partition, each in the order of its offsets."""
    groups: dict[int, list[Any]] = {}
    for message in batch:
        groups.setdefault(message.partition(), []).append(message)
    for partition, group in groups.items():
        yield Records(
            short,
            partition,
            np.array([m.offset() for m in group], np.int64),
            [m.key() for m in group],
            [m.value() for m in group],
            [m.timestamp()[1] for m in group],
        )


def describe(before: MonitorSpecification, after: MonitorSpecification, baselines: Baselines) -> Iterator[str]:
    """What was found, in words."""
    first, last = (datetime.fromtimestamp(t, UTC).strftime("%F %T") for t in (baselines.from_time, baselines.to_time))
    yield (
        f"{after.model}: reference {baselines.reference} of {baselines.rows:,} predictions, "
        f"{baselines.labelled:,} labelled, {first} to {last} UTC"
    )
    if after.spec != before.spec:
        new = sum(1 for a, b in zip(after.features, before.features, strict=True) if a != b)
        yield f"{after.model}: specification {after.spec} is live now, with bins of {new} features"
    if after.scales is not None and after.scales != before.scales:
        yield f"{after.model}: sums are of (number - {after.scales.centre:g}) in scales of {after.scales.scale:g}"
    if baselines.season is not None:
        yield describe_season(after.model, baselines.season)
    if (known := baselines.calibration) is not None and baselines.labelled:
        yield describe_calibration(after.model, known)
    if baselines.loss_mean is None:
        yield "no truth is known for them: performance has no baseline until the reference is built again"
    for s in after.segments:
        if s not in before.segments:
            yield f"{after.model}: {describe_segments(s, after)}"
    empty = [f.name for f in after.numeric if not np.any(baselines.features[f.name][: f.bins - 1])]
    empty += [f.name for f in after.vectors if f.basis is None]
    if empty:
        yield f"never there: {', '.join(empty)}; is the name the one the app sends?"


def describe_segments(found: Segmentation, specification: MonitorSpecification) -> str:
    """What a segmentation tells apart."""
    if found.features[0] in {f.name for f in specification.numeric}:
        return f"segments of {found.name}: {', '.join(value[0] or 'missing' for value in found.values or ())}"
    return f"segments of {found.name}: {found.other} combinations, the rest is one more"


def describe_season(model: str, season: SeasonBaseline) -> str:
    """What became of it; without one nothing of the features can be judged."""
    if season.reason:
        return f"{model}: its season is UNKNOWN, features are not watched: {season.reason}; {season.hint}"
    whose = season.calendar or season.zone
    scores = f"scores of {season.version or 'the champion'}"
    if not season.score_bins:
        scores = "not scores, which are of several versions"
    return f"{model}: features are watched against the same {season.by} of {whose}, and {scores}"
