"""Facts arrive: topics are ensured, each batch is one transaction, and what cannot be used is kept as a dead letter."""

from shared.kafka.consumer import Consumer, Handler, Handlers
from shared.kafka.topics import ensure_topics

__all__ = ["Consumer", "Handler", "Handlers", "ensure_topics"]
