"""Ten thousand plausible weightings around a rubric's own: Dirichlet(60 x weights), the same bytes on every machine.

The banks of packaged rubrics are stored beside this module and checked against SHA256SUMS; any other is drawn. A draw
uses a hash as its source of randomness, and of floating point only what IEEE 754 rounds correctly everywhere, so it
depends on no library's random stream and no machine's logarithm.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from math import sqrt

import numpy as np
from numpy.typing import NDArray

VECTORS = 10_000
CONCENTRATION = 60
WHOLE = 65_535

Floats = NDArray[np.float64]

_STORED = files(__name__.rpartition(".")[0]) / "weight_banks"
_LN_2 = 0.6931471805599453
_ROOT_HALF = sqrt(0.5)
_NORMAL_REACH = sqrt(2) / sqrt(2.718281828459045)


class WeightBankChanged(ValueError):
    """The stored bytes of a weight bank are not those that were published."""


@dataclass(frozen=True)
class WeightBank:
    """Rows of weights, one column a question, as little-endian 16-bit integers; each row adds up to 65,535."""

    questions: int
    content: bytes = field(repr=False)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the bytes."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def columns(self) -> Floats:
        """The weights as numbers, shape (questions, 10,000)."""
        rows = np.frombuffer(self.content, "<u2").reshape(VECTORS, self.questions)
        return np.ascontiguousarray(rows.T, np.float64)


@lru_cache(maxsize=8)
def bank_of(weights: tuple[int, ...]) -> WeightBank:
    """The bank around these weights, stored or drawn; WeightBankChanged when stored bytes are not what they were."""
    name = file_name(weights)
    stored = _STORED / name
    if not stored.is_file():
        return drawn(weights)
    bank = WeightBank(len(weights), stored.read_bytes())
    if f"{bank.hash}  {name}" not in (_STORED / "SHA256SUMS").read_text(encoding="ascii").splitlines():
        raise WeightBankChanged(f"weight bank {name} differs from SHA256SUMS: install the package again")
    return bank


def file_name(weights: Sequence[int]) -> str:
    """What the bank around these weights is stored as."""
    return hashlib.sha256(repr(tuple(weights)).encode()).hexdigest()[:16] + ".bin"


def drawn(weights: Sequence[int]) -> WeightBank:
    """The bank around these weights, which are in any unit: gamma variates, shared out within each row."""
    shapes = np.broadcast_to(CONCENTRATION * np.array(weights, np.float64) / sum(weights), (VECTORS, len(weights)))
    gammas = np.zeros(shapes.shape)
    gammas[shapes > 0] = _gammas(shapes[shapes > 0])
    total = np.zeros(VECTORS)
    for column in gammas.T:
        total += column
    exact = gammas * WHOLE / total[:, None]
    shares = np.floor(exact).astype(np.int64)
    missing = WHOLE - shares.sum(axis=1)
    rank = np.argsort(np.argsort(shares - exact, axis=1, kind="stable"), axis=1)
    shares += rank < missing[:, None]
    return WeightBank(len(weights), shares.astype("<u2").tobytes())


def _gammas(shapes: Floats) -> Floats:
    """One gamma variate for each shape: Marsaglia and Tsang 2000, on normals by Kinderman and Monahan 1977."""
    raised = np.where(shapes < 1, shapes + 1, shapes)
    variates = np.zeros(shapes.size)
    pending = np.arange(shapes.size)
    attempt = 0
    while pending.size:
        u, v, w = _uniforms(f"attempt {attempt}", (3, pending.size))
        d = raised[pending] - 1 / 3
        normal = _NORMAL_REACH * (2 * v - 1) / u
        root = 1 + normal / np.sqrt(9 * d)
        cube = root * root * root
        is_normal = normal * normal <= -4 * _ln(u)
        possible = is_normal & (cube > 0)
        cube = np.where(possible, cube, 1)
        accepted = possible & (_ln(w) < normal * normal / 2 + d - d * cube + d * _ln(cube))
        variates[pending[accepted]] = (d * cube)[accepted]
        pending = pending[~accepted]
        attempt += 1
    lowered = shapes < 1
    variates[lowered] *= _exp(_ln(_uniforms("lowered", (int(lowered.sum()),))) / shapes[lowered])
    return variates


def _uniforms(label: str, shape: tuple[int, ...]) -> Floats:
    """Strictly between 0 and 1, in steps of 2^-52, from SHAKE-256 of the label."""
    count = int(np.prod(shape))
    words: NDArray[np.uint64] = np.frombuffer(hashlib.shake_256(label.encode()).digest(8 * count), "<u8")
    return (((words >> np.uint64(12)).astype(np.float64) + 0.5) / (1 << 52)).reshape(shape)


def _ln(x: Floats) -> Floats:
    half_to_one, exponent = np.frexp(x)
    low = half_to_one < _ROOT_HALF
    mantissa: Floats = np.where(low, 2 * half_to_one, half_to_one)
    ratio = (mantissa - 1) / (mantissa + 1)
    square = ratio * ratio
    series = np.zeros_like(ratio)
    for term in range(11, -1, -1):
        series = series * square + 1 / (2 * term + 1)
    return 2 * ratio * series + (exponent - low) * _LN_2


def _exp(x: Floats) -> Floats:
    doublings = np.floor(x / _LN_2)
    rest = x - doublings * _LN_2
    series = np.ones_like(rest)
    for term in range(20, 0, -1):
        series = 1 + series * rest / term
    return np.ldexp(series, np.maximum(doublings, -1000).astype(np.int64))
