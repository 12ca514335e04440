"""Words for the tests of this folder: windows, commands, run results, and a driver that tells a model's story."""

from __future__ import annotations

from driftloop.retrainer.policy import Command, Event, Record, decide
from driftloop.retrainer.runs import Artefact, RunEnded
from driftloop.retrainer.state import ModelState
from driftloop.schemas.events import (
    CommandGiven,
    DatasetVersion,
    DecisionRecorded,
    DeploymentChanged,
    WindowMeasured,
)
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification, RetrainPolicy

DAY = 86_400.0
T0 = 1_700_006_400.0


def specification(mode="automatic", **retrain):
    policy = {
        "label_growth": 1.5,
        "minimum_labels": 100,
        "cooldown_seconds": 3 * DAY,
        "runs_per_day": 2,
        "holdout_seconds": 3 * DAY,
        "trainer": "driftloop.retrainer.river_trainer:train",
    } | retrain
    return MonitorSpecification(
        model="loans",
        task="binary",
        classes=("repaid", "default"),
        features=(
            Feature("income", "f_income", "numeric"),
            Feature("debt", "f_debt", "numeric"),
            Feature("region", "f_region", "categorical"),
        ),
        horizon_seconds=2 * DAY,
        retrain=RetrainPolicy(mode=mode, **policy),
    )


def window(day, labelled=0, incidents=(), status="OK", reason="", spec="", model="loans", **more):
    """The window that closes ``day`` days after T0."""
    settings = {
        "model": model,
        "version": "v1",
        "role": "champion",
        "spec": spec,
        "reference": "",
        "window_start": T0 + (day - 1) * DAY,
        "window_seconds": DAY,
        "closing": "features",
        "revision": 0,
        "as_of": T0 + day * DAY,
        "status": status,
        "status_reason": reason,
        "predictions": 200,
        "labelled": 0,
        "coverage": None,
        "expected_final_coverage": None,
        "open_incidents": tuple(incidents),
        "totals": {"labelled": labelled},
    }
    return WindowMeasured(**settings | more)


def command(name, day=0.0, **arguments):
    return CommandGiven("loans", name, "anna", "because", T0 + day * DAY, arguments)


def trained_run(run, day, labelled=1000, accepted=True):
    dataset = DatasetVersion(rows=labelled, sha256="d" * 64, from_time=T0, to_time=T0 + day * DAY)
    artefact = Artefact("sha256/aa", "a" * 64, 10) if accepted else None
    reason = "not significantly different" if accepted else "significantly worse"
    return RunEnded(
        "loans", run, labelled=labelled, dataset=dataset, accepted=accepted, reason=reason, artefact=artefact
    )


class Story:
    """A model's life: ``hear`` an event, keep what was recorded and what remains to be done."""

    def __init__(self, specification: MonitorSpecification) -> None:
        self.specification = specification
        self.state = ModelState()
        self.decisions: list[DecisionRecorded] = []
        self.todo: list[Command] = []

    def hear(self, event: Event) -> list[str]:
        """What was recorded in answer: kinds, for an evaluation its verdict."""
        self.state, commands = decide(self.state, event, self.specification)
        new = [c.decision for c in commands if isinstance(c, Record)]
        self.todo = [c for c in commands if not isinstance(c, Record)]
        self.decisions += new
        return [d.details["verdict"] if d.kind == "evaluated" else d.kind for d in new]

    @property
    def last(self) -> DecisionRecorded:
        return self.decisions[-1]

    @property
    def reason(self) -> str:
        return self.last.reason

    def finish(self, day, labelled=1000, accepted=True) -> list[str]:
        """The run in progress ends well, or is rejected; a published model is deployed."""
        run = self.state.run.run
        said = self.hear(trained_run(run, day, labelled, accepted))
        if self.state.name == "published":
            started = self.state.run
            said += self.hear(
                DeploymentChanged("loans", started.version, started.as_of, self.state.champion, "", T0, run, "")
            )
        return said


def first_model(story: Story, day=0, labelled=1000) -> Story:
    story.hear(command("retrain", day))
    story.finish(day, labelled)
    return story
