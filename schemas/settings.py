"""The settings of a deployment: read once from the environment, validated, then passed on.

Every variable is listed in ``VARIABLES``; README, docker-compose.yml and their tests check against it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from driftloop.schemas.errors import ConfigError

VARIABLES: dict[str, str] = {
    "DRIFTLOOP_BOOTSTRAP_SERVERS": "the Kafka cluster, host:port[,host:port]; unset: the embedded broker",
    "DRIFTLOOP_PREFIX": "first part of every topic name and group id (default driftloop)",
    "DRIFTLOOP_PARTITIONS": "partitions of a new topic (default 12)",
    "DRIFTLOOP_REPLICATION": "replication factor of a new topic (default 1)",
    "DRIFTLOOP_STATE": "folder for the embedded broker, keys and artefacts (default: XDG state folder)",
    "DRIFTLOOP_ARTEFACTS": "folder of published models (default: artefacts below the state folder)",
    "DRIFTLOOP_SIGNING_KEY": "file with the ed25519 private key (default: keys/signing.pem below the state folder)",
    "DRIFTLOOP_TRUSTED_KEYS": "public keys that may sign a model, comma-separated hex (default: our own key)",
    "DRIFTLOOP_SECURITY_PROTOCOL": "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL (default PLAINTEXT)",
    "DRIFTLOOP_SASL_MECHANISM": "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 (default SCRAM-SHA-512)",
    "DRIFTLOOP_SASL_USERNAME": "user of the cluster",
    "DRIFTLOOP_SASL_PASSWORD": "password of the cluster",
    "DRIFTLOOP_SSL_CA": "file with the certificate authority of the cluster",
    "DRIFTLOOP_SCHEMA_REGISTRY_URL": "schema registry, Confluent API; set: the SDK frames records its way",
    "DRIFTLOOP_PENDING_MB": "memory for what waits for its other half, MB a partition of the observer (default 128)",
    "DRIFTLOOP_SESSION_SECONDS": "group session timeout of the stream workers (default 6, a broker takes no less)",
    "DRIFTLOOP_DETECTORS": "modules whose functions a monitor may name, comma-separated (default none)",
    "DRIFTLOOP_INSTANCE_ID": "name of a stream worker in its group: restarted within the session it keeps its seat",
}

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class Settings:
    """One deployment. ``bootstrap_servers`` is empty where nothing was configured: the embedded broker then."""

    bootstrap_servers: str = ""
    prefix: str = "driftloop"
    partitions: int = 12
    replication: int = 1
    state_folder: Path = field(default_factory=lambda: default_state_folder({}))
    artefacts_folder: Path | None = None
    signing_key: Path | None = None
    trusted_keys: tuple[str, ...] = ()
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "SCRAM-SHA-512"
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False)
    ssl_ca: str = ""
    schema_registry_url: str = field(default="", repr=False)  # it may hold a password
    session_seconds: float = 6.0
    pending_mb: int = 128
    instance_id: str = ""
    detectors: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read ``DRIFTLOOP_*``; a value that cannot work is a ConfigError that names the variable."""
        known = {k: v for k, v in environment.items() if k.startswith("DRIFTLOOP_")}
        for name in known:
            if name not in VARIABLES:
                raise ConfigError(f"{name} is no setting of driftloop", f"one of {', '.join(VARIABLES)}")
        get = known.get
        protocol = _one_of("DRIFTLOOP_SECURITY_PROTOCOL", get("DRIFTLOOP_SECURITY_PROTOCOL", "PLAINTEXT"), _PROTOCOLS)
        state = Path(known["DRIFTLOOP_STATE"]) if get("DRIFTLOOP_STATE") else default_state_folder(environment)
        artefacts, key = get("DRIFTLOOP_ARTEFACTS"), get("DRIFTLOOP_SIGNING_KEY")
        settings = cls(
            bootstrap_servers=get("DRIFTLOOP_BOOTSTRAP_SERVERS", ""),
            prefix=_prefix(get("DRIFTLOOP_PREFIX", "driftloop")),
            partitions=_whole("DRIFTLOOP_PARTITIONS", get("DRIFTLOOP_PARTITIONS", "12")),
            replication=_whole("DRIFTLOOP_REPLICATION", get("DRIFTLOOP_REPLICATION", "1")),
            state_folder=state,
            artefacts_folder=Path(artefacts) if artefacts else None,
            signing_key=Path(key) if key else None,
            trusted_keys=tuple(k.strip() for k in get("DRIFTLOOP_TRUSTED_KEYS", "").split(",") if k.strip()),
            security_protocol=protocol,
            sasl_mechanism=get("DRIFTLOOP_SASL_MECHANISM", "SCRAM-SHA-512"),
            sasl_username=get("DRIFTLOOP_SASL_USERNAME", ""),
            sasl_password=get("DRIFTLOOP_SASL_PASSWORD", ""),
            ssl_ca=get("DRIFTLOOP_SSL_CA", ""),
            schema_registry_url=_urls("DRIFTLOOP_SCHEMA_REGISTRY_URL", get("DRIFTLOOP_SCHEMA_REGISTRY_URL", "")),
            pending_mb=_whole("DRIFTLOOP_PENDING_MB", get("DRIFTLOOP_PENDING_MB", "128")),
            session_seconds=_seconds("DRIFTLOOP_SESSION_SECONDS", get("DRIFTLOOP_SESSION_SECONDS", "6")),
            instance_id=_instance(get("DRIFTLOOP_INSTANCE_ID", "")),
            detectors=_modules(get("DRIFTLOOP_DETECTORS", "")),
        )
        if protocol.startswith("SASL") and not settings.sasl_username:
            raise ConfigError(
                f"DRIFTLOOP_SECURITY_PROTOCOL is {protocol} but there is no user", "set DRIFTLOOP_SASL_USERNAME"
            )
        return settings

    def environment(self, around: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
        """``around`` with this deployment in it and none of any other: ``from_environment`` finds these settings."""
        told = {
            "DRIFTLOOP_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "DRIFTLOOP_PREFIX": self.prefix,
            "DRIFTLOOP_PARTITIONS": str(self.partitions),
            "DRIFTLOOP_REPLICATION": str(self.replication),
            "DRIFTLOOP_STATE": str(self.state_folder),
            "DRIFTLOOP_ARTEFACTS": str(self.artefacts_folder or ""),
            "DRIFTLOOP_SIGNING_KEY": str(self.signing_key or ""),
            "DRIFTLOOP_TRUSTED_KEYS": ",".join(self.trusted_keys),
            "DRIFTLOOP_SECURITY_PROTOCOL": self.security_protocol,
            "DRIFTLOOP_SASL_MECHANISM": self.sasl_mechanism,
            "DRIFTLOOP_SASL_USERNAME": self.sasl_username,
            "DRIFTLOOP_SASL_PASSWORD": self.sasl_password,
            "DRIFTLOOP_SSL_CA": self.ssl_ca,
            "DRIFTLOOP_SCHEMA_REGISTRY_URL": self.schema_registry_url,
            "DRIFTLOOP_PENDING_MB": str(self.pending_mb),
            "DRIFTLOOP_SESSION_SECONDS": str(self.session_seconds),
            "DRIFTLOOP_INSTANCE_ID": self.instance_id,
            "DRIFTLOOP_DETECTORS": ",".join(self.detectors),
        }
        others = {name: value for name, value in around.items() if not name.startswith("DRIFTLOOP_")}
        return others | {name: value for name, value in told.items() if value}

    @property
    def artefacts(self) -> Path:
        """Where published models lie."""
        return self.artefacts_folder or self.state_folder / "artefacts"

    def topic(self, short: str) -> str:
        """Full name of the topic that the table in topics.py calls ``short``: ``driftloop.predictions.v1``."""
        return f"{self.prefix}.{short}.v1"

    def group(self, service: str) -> str:
        """Consumer group of a service: ``driftloop-observer``. It says whose it is in every lag tool."""
        return f"{self.prefix}-{service}"

    def confluent(self, **more: Any) -> dict[str, Any]:
        """Settings for a client of confluent-kafka, ``more`` (underscores for dots) added."""
        found: dict[str, Any] = {"bootstrap.servers": self.bootstrap_servers, "enable.metrics.push": False}
        if self.security_protocol != "PLAINTEXT":
            found["security.protocol"] = self.security_protocol
        if self.security_protocol.startswith("SASL"):
            found |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.sasl_username,
                "sasl.password": self.sasl_password,
            }
        if self.ssl_ca:
            found["ssl.ca.location"] = self.ssl_ca
        return found | {name.replace("_", "."): value for name, value in more.items()}


def default_state_folder(environment: Mapping[str, str]) -> Path:
    """The XDG state folder of the user, ``driftloop`` below it."""
    base = environment.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "driftloop"


def _whole(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"{name} is {text!r}, not a whole number above 0", f"for example {name}=3")
    return int(text)


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 3600:
        raise ConfigError(f"{name} is {text!r}, not a number of seconds up to an hour", f"for example {name}=10")
    return seconds


def _one_of(name: str, text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise ConfigError(f"{name} is {text!r}", f"one of {', '.join(allowed)}")
    return text


def _urls(name: str, text: str) -> str:
    if text and not all(one.strip().startswith(("http://", "https://")) for one in text.split(",")):
        raise ConfigError(f"{name} is no address of a registry", f"for example {name}=http://localhost:8081")
    return text


def _instance(text: str) -> str:
    if text and (not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", text) or text in {".", ".."}):
        raise ConfigError(f"DRIFTLOOP_INSTANCE_ID is {text!r}", "letters, digits, dashes, dots and _, at most 200")
    return text


def _modules(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not all(part.isidentifier() for name in names for part in name.split(".")):
        raise ConfigError(f"DRIFTLOOP_DETECTORS is {text!r}, no names of modules", "for example mypackage.detectors")
    return names


def _prefix(text: str) -> str:
    if not _NAME.fullmatch(text) or len(text) > 100:
        raise ConfigError(f"DRIFTLOOP_PREFIX is {text!r}", "lower-case letters, digits, dashes and dots, at most 100")
    return text
