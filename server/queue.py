"""Rings workers' doorbells by Celery. A message carries a job's id and means: look for work."""

import logging
from collections.abc import Iterable
from pathlib import Path

from celery import Celery
from kombu.exceptions import ChannelError, OperationalError

from server.protocol import DOORBELL_TASK, broker_settings, doorbell_queue

log = logging.getLogger(__name__)

Job = tuple[str, str]  # id, data set


class Doorbell:
    """Sends hints, after commit. A broker that is away costs a log line: the sweeper rings again."""

    def __init__(self, broker_url: str) -> None:
        address, options = broker_settings(broker_url)
        for key in ("data_folder_in", "control_folder"):
            if key in options:
                Path(str(options[key])).mkdir(parents=True, exist_ok=True)
        self._app = Celery("mood", broker=address, backend=None, set_as_current=False)
        self._app.conf.update(
            broker_transport_options=options,
            broker_connection_timeout=2.0,
            task_serializer="json",
            accept_content=["json"],
            task_ignore_result=True,
            enable_utc=True,
        )

    def ring(self, jobs: Iterable[Job]) -> bool:
        """Ring once for each job. False: the broker is away, which is logged and never raised."""
        wanted = list(jobs)
        if not wanted:
            return True
        try:
            with self._app.connection_for_write() as connection:
                for job, dataset in wanted:
                    self._app.send_task(
                        DOORBELL_TASK,
                        args=(job,),
                        queue=doorbell_queue(dataset),
                        connection=connection,
                        retry=False,
                        ignore_result=True,
                    )
        except (OperationalError, ChannelError, OSError) as error:
            log.warning("the broker is away", extra={"jobs": len(wanted), "error": str(error)})
            return False
        return True

    def remind(self, jobs: Iterable[Job]) -> bool:
        """Ring for jobs that still wait, but only at data sets where no bell is waiting to be heard.

        So messages do not pile up while no worker listens.
        """
        wanted = list(jobs)
        heard = {dataset: self.waiting(dataset) for dataset in dict.fromkeys(name for _, name in wanted)}
        if None in heard.values():
            return False
        return self.ring((job, dataset) for job, dataset in wanted if heard[dataset] == 0)

    def waiting(self, dataset: str) -> int | None:
        """Bells that nobody heard yet; None where the broker is away."""
        try:
            with self._app.connection_for_write() as connection:
                channel = connection.default_channel
                return int(channel.queue_declare(doorbell_queue(dataset), passive=True).message_count)
        except ChannelError:  # no such queue: nobody ever rang
            return 0
        except (OperationalError, OSError) as error:
            log.warning("the broker is away", extra={"dataset": dataset, "error": str(error)})
            return None

    def close(self) -> None:
        """Let go of connections."""
        self._app.close()
