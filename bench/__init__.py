"""The product beside its floor: what Postgres and Kafka alone would take for the same work, in the same run."""

import services.assessment  # noqa: F401 - settles numpy's threads, and so comes before numpy
