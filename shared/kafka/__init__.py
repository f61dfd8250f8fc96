"""Facts arrive: topics are ensured, batches are handled whole, and what cannot be used is kept as a dead letter."""

from shared.kafka.consumer import Consumer, Handler, Handlers, batched, hand_over
from shared.kafka.topics import ensure_topics

__all__ = ["Consumer", "Handler", "Handlers", "batched", "ensure_topics", "hand_over"]
