"""The worker's process: a Celery consumer that hears doorbells, and nothing else of Celery.

Messages are JSON and acknowledged when they come; there is no result backend, no remote control, no event.
One job at a time, in the main thread. What is to be done is the server's to say; a bell only says when.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

from worker.tasks import Worker

log = logging.getLogger(__name__)

DOORBELL = "mood.doorbell"
POLL_S = 0.5  # between two looks into a folder that is a queue
FOLDER_SCHEME = "filesystem"


def queue_names(datasets: Sequence[str]) -> list[str]:
    """Name the queues whose bells concern a host that holds these data sets."""
    return [f"doorbell.{name}" for name in sorted(set(datasets))]


def broker_options(broker_url: str) -> dict[str, Any]:
    """Decide how Celery reaches the broker: filesystem:///folder is a queue in a folder."""
    parts = urlsplit(broker_url)
    if parts.scheme != FOLDER_SCHEME:
        return {"broker_url": broker_url}
    folder = Path(parts.path)
    return {
        "broker_url": f"{FOLDER_SCHEME}://",
        "broker_transport_options": {
            "data_folder_in": str(folder / "messages"),
            "data_folder_out": str(folder / "messages"),
            "control_folder": str(folder / "control"),
            "store_processed": False,
            "polling_interval": POLL_S,
        },
    }


def make_app(broker_url: str, worker: Worker) -> Celery:
    """Make the consumer."""
    app = Celery("mood", set_as_current=False)
    app.conf.update(
        **broker_options(broker_url),
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        result_backend=None,
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

    @app.task(name=DOORBELL)  # type: ignore[untyped-decorator]  # Celery has no types
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

    worker_ready.connect(ready)
    worker_shutting_down.connect(stopping)
    consumer = app.Worker(
        hostname=f"mood@{worker.name}",
        queues=queue_names(datasets),
        pool="solo",
        concurrency=1,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    consumer.start()
    return int(consumer.exitcode or 0)
