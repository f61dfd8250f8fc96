import subprocess
import sys

import pytest

from shared.contracts.assessment import Assessment
from tests.assessment import golden


@pytest.mark.parametrize("name", golden.CASES)
def test_a_known_case_has_the_same_assessment_to_the_byte(name: str) -> None:
    kept = golden.file_of(name).read_text(encoding="utf-8")
    assert golden.written(name) == kept
    assert Assessment.model_validate_json(kept).model_dump_json(by_alias=True, indent=1) + "\n" == kept


def test_no_file_is_kept_without_its_case() -> None:
    assert set(golden.FOLDER.iterdir()) == {golden.file_of(name) for name in golden.CASES}


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_with_another_order_of_sets_gives_the_same_bytes(seed: str) -> None:
    asked = "from tests.assessment import golden; print(golden.digest())"
    found = subprocess.run(
        [sys.executable, "-c", asked],
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == golden.digest()
