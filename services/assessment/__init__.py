"""Scores the answers on two axes, need for continuity and need for execution, and says why."""

import os

# Products are small here: a second thread gains little, and waiting for it costs much where others use the processors.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
