import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.spreadsheet import cell, rows


@pytest.mark.parametrize("text", ["=1+1", "+49 30", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1"])
def test_what_a_spreadsheet_would_run_is_kept_as_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(("value", "shown"), [(None, ""), (-2, -2), ("Bad & Bett = gut", "Bad & Bett = gut")])
def test_other_values_stay_as_they_are(value: object, shown: object) -> None:
    assert cell(value) == shown


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2)))
def test_rows_are_read_back_as_they_were_but_for_the_apostrophe(written: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(rows(written), newline="")))
    assert read == [[str(cell(text)) for text in row] for row in written]
