"""From a finished run to the records that make its model the champion. Pure: the service writes them.

The artefact is in the store before any of this. Manifest and decision ``published`` go out in one transaction,
deployment and decision ``promoted`` in the next: so the manifest is always readable when the deployment is, and after
a crash the state says which of the two is still to be done.
"""

from __future__ import annotations

from driftloop.artefacts.keys import SigningKey
from driftloop.artefacts.signature import sign
from driftloop.retrainer.runs import RunEnded
from driftloop.schemas.codec import Event, encode
from driftloop.schemas.events import DecisionRecorded, DeploymentChanged, ModelPublished
from driftloop.schemas.headers import cloud_event_headers, event_id
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Output

ENDS_HEADER = "driftloop.ends"
"""On a ``started`` decision: where the logs ended then. Not a field of it, because it tells of this machine's timing
and not of the decision: the same windows give the same decisions, byte for byte, whenever they were worked off."""


def manifest_of(started: DecisionRecorded, ended: RunEnded, key: SigningKey) -> ModelPublished:
    """The signed manifest of an accepted run. ed25519 is deterministic: the same run gives the same bytes."""
    artefact = ended.artefact
    assert artefact is not None, "accepted without an artefact"
    manifest = ModelPublished(
        model=started.model,
        version=started.version,
        uri=artefact.uri,
        sha256=artefact.sha256,
        size_bytes=artefact.size_bytes,
        as_of=started.as_of,
        trainer=started.details["trainer"],
        run=started.run,
        parent=started.details.get("parent", ""),
        libraries=artefact.libraries,
        metrics=ended.figures,
        dataset=ended.dataset,
    )
    return sign(manifest, key)


def deployment_of(started: DecisionRecorded) -> DeploymentChanged:
    """The deployment that follows from a published run."""
    return DeploymentChanged(
        model=started.model,
        champion=started.version,
        champion_since=started.as_of,
        previous=started.details.get("parent", ""),
        challenger="",
        as_of=started.as_of,
        run=started.run,
        reason=started.reason,
    )


def decision_output(settings: Settings, decision: DecisionRecorded, ends: bytes = b"") -> Output:
    cause = decision.details.get("on", "")
    identity = event_id(
        "decision", decision.model, decision.kind, decision.as_of, decision.run, decision.trigger, cause
    )
    output = _output(settings, "decisions", decision.model, decision, identity)
    return output._replace(headers=(*output.headers, (ENDS_HEADER, ends))) if ends else output


def manifest_output(settings: Settings, manifest: ModelPublished) -> Output:
    key = f"{manifest.model}/{manifest.version}"
    return _output(settings, "models", key, manifest, event_id("manifest", manifest.model, manifest.run))


def deployment_output(settings: Settings, deployment: DeploymentChanged) -> Output:
    identity = event_id("deployment", deployment.model, deployment.run)
    return _output(settings, "deployments", deployment.model, deployment, identity)


def _output(
    settings: Settings,
    short: str,
    key: str,
    event: DecisionRecorded | ModelPublished | DeploymentChanged,
    identity: str,
) -> Output:
    headers = cloud_event_headers(type(event).__name__, identity, "retrainer", event.as_of)
    said: Event = event
    return Output(settings.topic(short), key.encode(), encode(said), headers=tuple(headers))
