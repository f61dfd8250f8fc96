"""The file that a client gets: tagged, in its own face, the same bytes for the same content."""

import asyncio
from datetime import date
from io import BytesIO
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from services.recommendation.domain.blueprint import compose
from services.recommendation.domain.document import Basis, Content, draw_up, sha256
from services.recommendation.handlers.playbooks import BLUEPRINTS
from services.recommendation.web import pdf
from shared.contracts.assessment import Verdict
from shared.contracts.intake import Company
from shared.questionnaire import PUBLISHED, canonical_hash
from tests.assessment.published import assessed
from tests.recommendation.situations import NORDWIND, PLAYBOOK, QUESTIONNAIRE, TYPICAL, proposal_of

MOST_PAGES = 5


def content(verdict: Verdict = "continuity", *, company: Company = NORDWIND) -> Content:
    assessment = assessed(TYPICAL[verdict])
    proposal = proposal_of(assessment)
    blueprint = compose(
        proposal,
        assessment,
        company,
        rules=BLUEPRINTS[PUBLISHED],
        playbook=PLAYBOOK,
        questionnaire=QUESTIONNAIRE,
    )
    basis = Basis(assessment, proposal, proposal.model, blueprint, QUESTIONNAIRE)
    return draw_up(basis, number=1, company=company.name, reviewed_by="Anna Berg", day=date(2026, 11, 23))


def named(name: str) -> Content:
    return content(company=NORDWIND.model_copy(update={"name": name}))


async def made(said: Content) -> bytes:
    return await pdf.render(said, sha256(said.canonical))


def words(file: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(file)).pages).split())


def structure(element: Any) -> list[str]:
    """The tags of a structure tree, depth first."""
    found = [element["/S"]] if "/S" in element else []
    kids = element.get("/K", [])
    for kid in kids if isinstance(kids, list) else [kids]:
        resolved = kid.get_object() if hasattr(kid, "get_object") else kid
        if isinstance(resolved, dict):
            found += structure(resolved)
    return found


async def test_the_same_content_gives_the_same_bytes() -> None:
    first, second = await asyncio.gather(made(content()), made(content()))
    assert first == second
    assert first != await made(named("Nordlicht Energie"))


async def test_it_is_tagged_named_and_in_a_language() -> None:
    reader = PdfReader(BytesIO(await made(content())))
    root: Any = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"].value is True
    assert root["/Lang"] == "en"
    assert reader.metadata is not None
    assert reader.metadata.title == "Recommendation for Nordwind Energie"
    xmp = root["/Metadata"].get_data().decode()
    assert "<pdfuaid:part>1</pdfuaid:part>" in xmp
    tags = structure(root["/StructTreeRoot"])
    assert tags.count("/H1") == 1
    assert {"/H2", "/P", "/Figure"} <= set(tags)


async def test_every_face_is_bundled_within_it() -> None:
    reader = PdfReader(BytesIO(await made(content("incomplete"))))
    fonts: set[str] = set()
    for page in reader.pages:
        resources: Any = page["/Resources"]
        for font in resources["/Font"].values():
            descendant = font.get_object()["/DescendantFonts"][0].get_object()
            assert "/FontFile2" in descendant["/FontDescriptor"].get_object()
            fonts.add(descendant["/BaseFont"].partition("+")[2])
    assert fonts == {"Inter-Regular", "Inter-SemiBold"}


@pytest.mark.parametrize("verdict", TYPICAL)
async def test_page_and_file_say_all_that_the_content_says(verdict: Verdict) -> None:
    said = content(verdict)
    file = await made(said)
    read = words(file).replace(" ", "")
    told = [said.heading, *said.summary, said.scores_say, said.reasons_heading, sha256(said.canonical)]
    for line in [*said.reasons, *(line for section in said.sections for line in section.lines)]:
        told += [line.title, line.text]
    for section in said.sections:
        told += [section.heading, section.lead]
        told += [] if section.table is None else [*section.table.columns, *chain(*section.table.rows)]
    for text in told:
        assert "".join(text.split()) in read
    assert 1 <= len(PdfReader(BytesIO(file)).pages) <= MOST_PAGES


async def test_a_draft_says_so_on_each_page_and_has_no_hash() -> None:
    said = content("both")
    reader = PdfReader(BytesIO(await pdf.render_draft(said)))
    for page in reader.pages:
        assert "Draft, not for the client" in " ".join(page.extract_text().split())
    read = words(await pdf.render_draft(said))
    assert sha256(said.canonical)[:12] not in read
    assert "Draft, not for the client" not in words(await made(said))


@settings(max_examples=30)
@given(company=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=80))
def test_any_name_gives_a_file(company: str) -> None:
    said = named(company)
    file = pdf._compiled(said, sha256(said.canonical))
    assert PdfReader(BytesIO(file)).pages


@pytest.mark.parametrize("company", ["#eval(1) *b* $x$ [y] @z", "<script>alert(1)</script>", "Žižkov & Łódź", "Ωμέγα"])
async def test_a_name_stays_text_whatever_it_holds(company: str) -> None:
    assert f"Recommendation for {company}" in words(await made(named(company)))


def test_the_hash_is_of_the_canonical_json_and_of_nothing_else() -> None:
    said = content()
    assert sha256(said.canonical) == canonical_hash(said)
    assert Content.model_validate_json(said.canonical) == said
    assert sha256(named("Nordlicht Energie").canonical) != sha256(said.canonical)
