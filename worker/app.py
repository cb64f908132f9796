"""The worker's process: a Celery consumer that hears doorbells, and nothing else of Celery.

Messages are JSON and acknowledged when they come; there is no result backend, no remote control, no event.
One job at a time, in the main thread. What is to be done is the server's to say; a bell only says when.
"""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import setup_logging, worker_ready, worker_shutting_down

from server.protocol import DOORBELL_TASK, broker_settings, doorbell_queue
from worker.tasks import Worker

log = logging.getLogger(__name__)

POLL_S = 0.5  # between two looks into a folder that is a queue


def make_app(broker_url: str, worker: Worker) -> Celery:
    """Make the consumer."""
    address, options = broker_settings(broker_url)
    for folder in (options.get("data_folder_in"), options.get("control_folder")):
        if folder is not None:
            Path(str(folder)).mkdir(parents=True, exist_ok=True)
    app = Celery("mood", broker=address, backend=None, set_as_current=False)
    app.conf.update(
        broker_transport_options=options | {"polling_interval": POLL_S},
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_concurrency=1,
        worker_pool="solo",
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )

    @app.task(name=DOORBELL_TASK)  # type: ignore[untyped-decorator]  # Celery has no types
    def doorbell(job: str) -> None:
        log.info("doorbell", extra={"job": job})
        worker.work_until_idle()

    return app


def serve(broker_url: str, worker: Worker, datasets: Sequence[str]) -> int:
    """Hear doorbells until the process is told to end; gives its exit code."""
    app = make_app(broker_url, worker)

    def ready(**_: Any) -> None:
        # Bells that rang while nobody was here are lost or old: ask once.
        worker.work_until_idle()

    def stopping(**_: Any) -> None:
        worker.stop()

    def logging_is_set_up(**_: Any) -> None:
        """Keep Celery from setting levels and handlers of its own."""

    setup_logging.connect(logging_is_set_up)
    worker_ready.connect(ready)
    worker_shutting_down.connect(stopping)
    # It warns of running as root, for the sake of pickled messages: none is accepted here.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    consumer = app.Worker(
        hostname=f"mood@{worker.name}",
        queues=[doorbell_queue(name) for name in sorted(set(datasets))],
        pool="solo",
        concurrency=1,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    consumer.start()
    return int(consumer.exitcode or 0)
