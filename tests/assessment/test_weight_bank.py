from pathlib import Path

import numpy as np
import pytest

from services.assessment.domain import weight_bank
from services.assessment.domain.weight_bank import VECTORS, WeightBankChanged, bank_of, drawn
from tests.assessment.published import RUBRIC

WEIGHTS = tuple(question.weight_bp for question in RUBRIC.questions)
BANK = bank_of(WEIGHTS)


def test_the_stored_bank_is_the_one_that_is_drawn_around_the_published_weights() -> None:
    assert drawn(WEIGHTS).content == BANK.content
    assert BANK.hash == "a311cb6671bbd4f1b08cdeac47a3917574d21fd842f72008dd2937401aff37c4"


def test_every_weighting_adds_up_and_the_bank_has_the_moments_of_its_distribution() -> None:
    rows = np.frombuffer(BANK.content, "<u2").reshape(VECTORS, len(WEIGHTS))
    assert (rows.astype(np.int64).sum(axis=1) == 65_535).all()
    shares = rows / 65_535
    mean = np.array(WEIGHTS) / 10_000
    variance = mean * (1 - mean) / 61
    assert (np.abs(shares.mean(axis=0) - mean) <= 4 * np.sqrt(variance / VECTORS)).all()
    assert shares.var(axis=0) == pytest.approx(variance, rel=0.1)
    covariance = np.cov(shares.T)
    expected = -np.outer(mean, mean) / 61
    apart = ~np.eye(len(mean), dtype=bool)
    assert np.abs(covariance - expected)[apart].max() < 5 * variance.max() / np.sqrt(VECTORS)


@pytest.mark.parametrize("shape", [0.3, 0.9, 1.0, 3.5, 40.0])
def test_gamma_variates_of_every_shape_have_their_moments(shape: float) -> None:
    """Drawn through the weights: one column of this shape against the rest."""
    count = 10_000
    share = drawn([round(shape * 1000), 60_000 - round(shape * 1000)]).columns[0] / 65_535
    mean = shape / 60
    variance = mean * (1 - mean) / 61
    assert share.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / count))
    assert share.var() == pytest.approx(variance, rel=0.1)


def test_a_weight_of_nothing_stays_nothing() -> None:
    assert not drawn([5000, 0, 5000]).columns[1].any()


def test_a_stored_bank_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = weight_bank.file_name((1, 2, 3))
    (tmp_path / name).write_bytes(drawn([1, 2, 3]).content[:-2] + b"\0\0")
    (tmp_path / "SHA256SUMS").write_text(f"{drawn([1, 2, 3]).hash}  {name}\n", encoding="ascii")
    monkeypatch.setattr(weight_bank, "_STORED", tmp_path)
    with pytest.raises(WeightBankChanged, match="install the package again"):
        bank_of((1, 2, 3))
