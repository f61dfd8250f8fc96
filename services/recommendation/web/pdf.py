"""A document as a file: PDF/UA-1 by Typst, with the same bytes for the same content."""

import asyncio
import json
from pathlib import Path

import typst

from services.recommendation.domain.document import Content

HERE = Path(__file__).parent
# Typst's own faces stand in for letters that Inter lacks.
FONTS = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[HERE / "fonts"])


async def render(content: Content, fingerprint: str) -> bytes:
    """The released document, with its hash printed on it; made beside the event loop."""
    return await asyncio.to_thread(_compiled, content, fingerprint)


async def render_draft(content: Content) -> bytes:
    """The same as a preview, with a watermark on each page and no hash."""
    return await asyncio.to_thread(_compiled, content, "")


def _compiled(content: Content, fingerprint: str) -> bytes:
    document = {"content": content.model_dump(mode="json"), "hash": fingerprint}
    compiler = typst.Compiler(
        HERE / "document.typ",
        root=HERE,
        font_paths=FONTS,
        ignore_system_fonts=True,
        sys_inputs={"document": json.dumps(document)},
    )
    try:
        made = compiler.compile(format="pdf", pdf_standards="ua-1")
    except typst.TypstError:
        # PDF/UA has no place for a letter that no bundled face can draw, such as one in a company's name
        made = compiler.compile(format="pdf")
    assert isinstance(made, bytes), "one file is asked for"
    return made
