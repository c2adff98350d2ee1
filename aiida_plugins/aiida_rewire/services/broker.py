"""AiiDA's broker on RabbitMQ, for a server that is restarted now and then.

A server that loses a worker's connection, or is started again, gives the tasks of that worker to others. AiiDA's own
broker connects again and goes on with them as well: processes run twice.
"""

from __future__ import annotations

from typing import Any

from aiida.brokers.rabbitmq.broker import RabbitmqBroker

from aiida_rewire.services.worker import end_worker, is_worker


class RabbitBroker(RabbitmqBroker):
    """The broker ``core.rabbitmq``, with which a worker of the daemon ends when it loses its connection."""

    _closes = False

    def _create_communicator(self) -> Any:
        communicator = super()._create_communicator()
        if is_worker():
            communicator.add_close_callback(self._lost)
        return communicator

    def _lost(self, _: Any, error: BaseException | None = None) -> None:
        if not self._closes:
            end_worker(f"the connection to RabbitMQ was lost ({error!r})")

    def close(self) -> None:
        """Close the broker."""
        self._closes = True
        super().close()
