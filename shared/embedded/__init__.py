"""The laptop's own Postgres and Kafka: real servers on one data folder, with nothing to install first."""

from shared.embedded.errors import EmbeddedError
from shared.embedded.servers import Addresses, Servers

__all__ = ["Addresses", "EmbeddedError", "Servers"]
