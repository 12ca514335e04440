"""The Faust app of a service: one topic channel over its sources, one agent that hands batches to the partitions."""

from __future__ import annotations

import os
import socket
from typing import Any

import faust
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Service
from driftloop.streams.transport.exits import Exit, leave, log
from driftloop.streams.transport.fetching.batches import BatchSchema
from driftloop.streams.transport.fetching.bundle import BUNDLES_WAITING_MOST
from driftloop.streams.transport.fetching.consumer import BatchTransport
from driftloop.streams.transport.partitions import Partitions
from driftloop.streams.transport.security import broker_urls, faust_credentials
from driftloop.streams.transport.watching.patience import take

FETCH_BYTES_A_PARTITION = 256 * 1024
"""A larger record is still fetched, alone. 24 partitions of 1 MB (the default) would cost 85 MB more resident."""
CHUNKS_A_POLL_MOST = 24
"""One poll hands over what has been fetched of up to so many partitions (fetching/)."""
HEARTBEAT_SECONDS_MOST = 3.0
"""A heartbeat also tells of a rebalance: whoever joins must not wait for it the longer, the longer the session."""
EVENTS_WAITING_MOST = 2 * BUNDLES_WAITING_MOST
"""In Faust's queue: more than there can be, fetching/bundle.py bounds them."""


class ServiceApp(faust.App):  # type: ignore[misc]
    """Faust with our transport, without its tables, its web server, its folders and its producer."""

    def __init__(self, partitions: Partitions, *args: Any, **more: Any) -> None:
        self.partitions = partitions
        super().__init__(*args, **more)
        self.boot_strategy.enable_kafka_producer = False
        self.boot_strategy.enable_web = False

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Nothing is kept on the disk."""


def client_id(service: Service, settings: Settings) -> str:
    """``driftloop-observer@host-pid``: tells in every lag tool which process holds a partition."""
    return f"{settings.group(service.name)}@{socket.gethostname()}-{os.getpid()}"


def build_app(service: Service, settings: Settings, partitions: Partitions) -> ServiceApp:
    """The app, not started. Call it inside the running event loop."""
    session = settings.session_seconds
    app = ServiceApp(
        partitions,
        settings.group(service.name),
        broker=broker_urls(settings),
        broker_credentials=faust_credentials(settings),
        broker_client_id=client_id(service, settings),
        broker_session_timeout=session,
        broker_heartbeat_interval=min(session / 3.4, HEARTBEAT_SECONDS_MOST),
        broker_rebalance_timeout=max(12.0, session),
        broker_request_timeout=max(90.0, session + 1),
        broker_commit_interval=1.0,
        broker_max_poll_records=CHUNKS_A_POLL_MOST,
        consumer_max_fetch_size=FETCH_BYTES_A_PARTITION,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance_id or None,
        stream_buffer_maxsize=EVENTS_WAITING_MOST,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        web_enabled=False,
        worker_redirect_stdouts=False,
        autodiscover=False,
    )
    sources = app.topic(*(settings.topic(short) for short in service.sources), schema=BatchSchema())

    @app.agent(sources, name=service.name)
    async def absorb(stream: Any) -> None:
        # noack: an effect is acknowledged by the transaction that holds it. Faust would also acknowledge an event
        # whose agent has failed.
        try:
            async for event in stream.noack().events():
                async for batch in partitions.consumer.waiting.each(event.value):
                    await partitions.room_for(batch)
                    await take(partitions, batch)
        except Unavailable as error:  # the catalogue could not be asked: going on would refuse good records
            leave(Exit.UNAVAILABLE, str(error))
        except ConfigError as error:  # a schema registry that refuses us, or is none
            leave(Exit.CONFIG, str(error))
        except Exception:
            log.exception("%s", service.name)
            leave(Exit.BROKEN, f"{service.name} could not absorb a batch")

    return app
