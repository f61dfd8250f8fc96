"""The product beside its floor: what Postgres and Kafka alone would take for the same work, in the same run."""
