"""`advisor rubric` run as an operator runs it, and drafts to give it."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

from services.__main__ import app
from tests.assessment.published import QUESTIONNAIRE, RUBRIC_TEXT


def draft(version: str, clear: int = 25) -> str:
    return RUBRIC_TEXT.replace(f'version: "{QUESTIONNAIRE.version}"', f'version: "{version}"', 1).replace(
        "margin_for_clear: 24", f"margin_for_clear: {clear}"
    )


def rubric(*arguments: str | Path, environment: Mapping[str, str] = os.environ) -> CompletedProcess[str]:
    """What the command says and how it ends, in this process: each of its own would take a second to start."""
    tokens, said, complained = ["rubric", *map(str, arguments)], StringIO(), StringIO()
    with mock.patch.dict(os.environ, environment, clear=True), redirect_stdout(said), redirect_stderr(complained):
        try:
            app(tokens)
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return CompletedProcess(tokens, code, said.getvalue(), complained.getvalue())


@dataclass(frozen=True)
class Operator:
    """Runs commands against the test's own database."""

    environment: dict[str, str]
    folder: Path

    async def __call__(self, *arguments: str | Path) -> CompletedProcess[str]:
        return await asyncio.to_thread(rubric, *arguments, environment=self.environment)

    def file(self, text: str) -> Path:
        path = self.folder / "draft.yaml"
        path.write_text(text, encoding="utf-8")
        return path
