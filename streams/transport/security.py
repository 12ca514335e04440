"""The settings of a cluster's security, as Faust (aiokafka) wants them. confluent-kafka: ``Settings.confluent``."""

from __future__ import annotations

import ssl
from typing import Any

import faust
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.settings import Settings


def broker_urls(settings: Settings) -> list[str]:
    """``kafka://host:port`` for each bootstrap server."""
    return [f"kafka://{server.strip()}" for server in settings.bootstrap_servers.split(",") if server.strip()]


def faust_credentials(settings: Settings) -> Any:
    """None for PLAINTEXT, otherwise one of Faust's credentials. ConfigError: an unreadable certificate authority."""
    if settings.security_protocol == "PLAINTEXT":
        return None
    context = _context(settings) if settings.security_protocol.endswith("SSL") else None
    if settings.security_protocol == "SSL":
        return faust.SSLCredentials(context=context)
    return faust.SASLCredentials(
        username=settings.sasl_username,
        password=settings.sasl_password,
        ssl_context=context,
        mechanism=settings.sasl_mechanism,
    )


def _context(settings: Settings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ssl_ca or None)
    except OSError as error:
        raise ConfigError(
            f"DRIFTLOOP_SSL_CA is {settings.ssl_ca!r}: {error}", "a file of certificates in PEM form"
        ) from error
