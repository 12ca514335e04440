"""Every sequential test that has the face which the package describes, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from driftloop.detectors import (
    chi2_sr,
    csr,
    e_detector,
    e_sr,
    rff_mmd,
    river_adapter,
    seasonal,
    whitened_covariance,
    window_csr,
)
from driftloop.detectors.classical import adwin, ddm, eddm, hddm_a, hddm_w, kswin, page_hinkley
from driftloop.detectors.scanning import Found


@dataclass(frozen=True, slots=True)
class Detector:
    """One sequential test, as data. ``watches``: what a step is given; what it says has at least Verdict's fields.
    ``scan``: of those that watch values."""

    name: str
    watches: str
    bound: str
    settings: Callable[..., Any]
    start: Callable[[Any], Any]
    step: Callable[[Any, Any, Any], tuple[Any, Any]]
    to_bytes: Callable[[Any], bytes]
    from_bytes: Callable[[bytes], Any]
    scan: Callable[[Any, Any, Any], tuple[Any, Found]] | None = None


def _table(**rows: tuple[Any, str]) -> dict[str, Detector]:
    return {
        name: Detector(
            name,
            watches,
            m.BOUND,
            m.Settings,
            m.start,
            m.step,
            m.to_bytes,
            m.from_bytes,
            getattr(m, "scan", None),
        )
        for name, (m, watches) in rows.items()
    }


_ERRORS = "errors, 0 or 1, one after the other"
_VALUES = "values, one after the other"


DETECTORS: dict[str, Detector] = _table(
    e_detector=(e_detector, "the losses of one pane, as a histogram"),
    window_csr=(window_csr, "a score a feature of one window"),
    chi2_sr=(chi2_sr, "counts a feature of one window of independent rows"),
    rff_mmd=(rff_mmd, "Fourier sums of one window, many numbers together"),
    whitened_covariance=(whitened_covariance, "sums of whitened numbers and their products of one window"),
    e_sr=(e_sr, "losses in 0..1, one after the other"),
    csr=(csr, _VALUES),
    adwin=(adwin, _VALUES),
    ddm=(ddm, _ERRORS),
    eddm=(eddm, _ERRORS),
    page_hinkley=(page_hinkley, _VALUES),
    hddm_a=(hddm_a, _ERRORS),
    hddm_w=(hddm_w, _ERRORS),
    kswin=(kswin, _VALUES),
    river=(river_adapter, _VALUES),
) | {
    "seasonal": Detector(
        "seasonal",
        "counts of one pane of event time, all histograms",
        seasonal.BOUND,
        seasonal.Monitor,
        seasonal.start,
        seasonal.step,
        seasonal.to_bytes,
        seasonal.from_bytes,
    )
}
"""Every sequential test by name."""
