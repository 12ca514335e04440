"""Run a service until it is told to stop: check, read the catalogue, join the group, work, drain, leave."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
import warnings

from driftloop.schemas.errors import ConfigError, DriftloopError, Unavailable
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import FoldContext, Service
from driftloop.streams.transport.app import ServiceApp, build_app
from driftloop.streams.transport.catalogue import KafkaCatalogue
from driftloop.streams.transport.exits import Exit, leave, log
from driftloop.streams.transport.partitions import Partitions
from driftloop.streams.transport.preflight import Cluster, check_topics
from driftloop.streams.transport.state.bring_up import Restorer
from driftloop.streams.transport.state.loader import Loader
from driftloop.streams.transport.versions import check_versions
from driftloop.streams.transport.watching.garbage import collect_garbage_seldom
from driftloop.streams.transport.watching.memory import give_back
from driftloop.streams.transport.watching.repeats import OncePerWhile
from driftloop.streams.transport.watching.watchdog import Signs, watch

DRAIN_SECONDS = 15.0
THREADS_SECONDS = 3.0
BEAT_SECONDS = 0.25
NEWS_SECONDS = 3.0
"""A specification of a known model that is applied anew is noticed within this time; nothing else asks for it."""


def run(service: Service, settings: Settings) -> int:
    """Blocks until SIGTERM or SIGINT and a drained end. Returns an ``Exit``; unplanned ends leave at once."""
    set_up_logging(service)
    try:
        check_versions()
        cluster = Cluster(settings)
        partitions = check_topics(service, settings, cluster)
        catalogue = KafkaCatalogue(settings, hears=service.hears)
        catalogue.refresh()
    except DriftloopError as error:
        log.error("%s", error)
        return Exit.CONFIG if isinstance(error, ConfigError) else Exit.UNAVAILABLE
    collect_garbage_seldom()
    memory = settings.pending_mb << 20
    context = FoldContext(
        catalogue.catalogue, catalogue.refresh_seldom, partitions, settings.topic, memory, settings.detectors
    )
    code = asyncio.run(_serve(service, settings, Restorer(service, settings, context), cluster, catalogue))
    catalogue.close()
    return code


def set_up_logging(service: Service) -> None:
    """Our own sentences and everybody's warnings, to stderr, each repeated at most once in a while."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"%(asctime)s {service.name} %(levelname)s %(message)s"))
    handler.addFilter(OncePerWhile())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("driftloop").setLevel(logging.INFO)
    # Closing a producer whose last transaction was fenced: the fence has said all there is to say.
    warnings.filterwarnings("ignore", message="Producer abort_transaction failed during close")
    # mode gives each of its services a logger named after the module: their comings and goings are not our sentences.
    logging.getLogger("driftloop.streams.transport").setLevel(logging.WARNING)


async def _serve(
    service: Service, settings: Settings, restorer: Restorer, cluster: Cluster, catalogue: KafkaCatalogue
) -> int:
    loop = asyncio.get_running_loop()
    told_to_stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, told_to_stop.set)
    loader = Loader(restorer, lambda: cluster.topic_ids(restorer.sources))
    partitions = Partitions(loader)
    app = build_app(service, settings, partitions)
    over = threading.Event()
    beats = _Beats(partitions)
    watch(lambda: beats.signs(app), over)
    work = (beats.beat(), loader.watch_sources(), _keep_current(catalogue), give_back())
    background = [partitions.spawn(one) for one in work]
    starting = asyncio.ensure_future(app.start())
    stopping = asyncio.ensure_future(told_to_stop.wait())
    crashed = asyncio.ensure_future(app._crashed.wait())
    await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        _check_started(starting)
        await asyncio.wait([stopping, crashed], return_when=asyncio.FIRST_COMPLETED)
    if crashed.done() and not stopping.done():
        leave(Exit.BROKEN, f"Faust has crashed: {app.crash_reason!r}")
    over.set()
    for task in background:
        task.cancel()
    return await _drained(app)


def _check_started(starting: asyncio.Future[None]) -> None:
    if (error := starting.exception()) is not None:
        log.debug("", exc_info=error)  # what the cluster says is in the sentence; the way to it helps nobody
        leave(Exit.UNAVAILABLE, f"could not join the group: {error!r}")


async def _drained(app: ServiceApp) -> int:
    try:
        await asyncio.wait_for(app.stop(), DRAIN_SECONDS)
    except TimeoutError:
        leave(Exit.DEADLINE, f"not drained within {DRAIN_SECONDS:.0f} s")
    if still := await _threads_left():
        leave(Exit.DEADLINE, f"{', '.join(still)} still at work: they wait for the cluster")
    log.info("stopped")
    return Exit.STOPPED


async def _threads_left() -> list[str]:
    """Names of the threads that did not end with the app. While the cluster is away Faust gives its fetching thread
    up without ending it: the process would live on, and when the cluster is back that thread would join the group
    again and hold partitions of which nothing is processed."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + THREADS_SECONDS
    while (still := _at_work()) and loop.time() < deadline:
        await asyncio.sleep(BEAT_SECONDS / 10)
    return still


def _at_work() -> list[str]:
    """But for the idle threads of the event loop's own pool, which end with the loop."""
    threads = [thread for thread in threading.enumerate() if not thread.daemon]
    names = [thread.name for thread in threads if thread is not threading.main_thread()]
    return [name for name in names if not name.startswith("asyncio_")]


async def _keep_current(catalogue: KafkaCatalogue) -> None:
    """Asking may take its time, in a thread; reading changes what the folds look at: it is done between batches."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(NEWS_SECONDS)
        if await loop.run_in_executor(None, catalogue.has_news):
            try:
                catalogue.refresh()
            except Unavailable as error:
                log.warning("%s; trying again", error)


class _Beats:
    """The pulse of the event loop, which also plans overdue checkpoints."""

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions
        self._count = 0

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self._count += 1
            self._partitions.checkpoints.overdue(self._partitions.all())
            await self._partitions.look_after()

    def signs(self, app: ServiceApp) -> Signs:
        consumer = app._consumer
        parts = self._partitions.all()
        return Signs(
            loop_beats=self._count,
            polls=consumer.polls if consumer is not None else 0,
            partitions=len(parts),
            bringing_up=any(not part.ready for part in parts),
            coordination_ended=consumer is not None and consumer.thread.coordination_ended(),
        )
