"""`advisor rubric` run as an operator runs it, and drafts to give it."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.assessment.published import QUESTIONNAIRE, RUBRIC_TEXT

ADVISOR = Path(sys.executable).with_name("advisor")


def draft(version: str, clear: int = 25) -> str:
    return RUBRIC_TEXT.replace(f'version: "{QUESTIONNAIRE.version}"', f'version: "{version}"', 1).replace(
        "margin_for_clear: 24", f"margin_for_clear: {clear}"
    )


@dataclass(frozen=True)
class Operator:
    """Runs commands against the test's own database."""

    environment: dict[str, str]
    folder: Path

    async def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run,
            [ADVISOR, "rubric", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def file(self, text: str) -> Path:
        path = self.folder / "draft.yaml"
        path.write_text(text, encoding="utf-8")
        return path
