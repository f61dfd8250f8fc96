import gzip
import hashlib
import re
import socket
import threading
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markupsafe import Markup
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

import shared.pages
from services import __path__ as services_path
from shared.access import Principal
from shared.contracts.assessment import (
    Change,
    Contribution,
    Dimension,
    IfAnswered,
    NextQuestion,
    Outlook,
    Score,
    Scores,
    Verdict,
)
from shared.contracts.recommendation import ProposalState
from shared.language import ENGLISH
from shared.pages import Pages, labelled, pages, static_app
from shared.pages.drawings import head_to_head, outlook_parts, sampling_error, two_bars
from shared.pages.formats import ago, countries, country, exact, number, of_hundred, words
from shared.questionnaire import PUBLISHED, load
from tests.conftest import browser

PACKAGE = Path(shared.pages.__file__).parent
STATIC = PACKAGE / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STATES = ProposalState.__args__  # type: ignore[attr-defined]  # a Literal keeps its values there

QUESTIONNAIRE = """
{% extends "base.html" %}
{% set layout = "narrow" %}
{% from "pieces/bars.html" import progress %}
{% from "pieces/forms.html" import button, button_link, button_row, checkbox, error_summary, hidden, question, select %}
{% from "pieces/forms.html" import text_area, text_field %}
{% block scripts %}{% include "pieces/htmx.html" %}{% endblock %}
{% block title %}Purpose{% endblock %}
{% block content %}
  {{ progress(6, 24, "6 of 24 answered") }}
  <h1>What the work is for, and how long it should go on</h1>
  {{ error_summary({"name": "Tell us your company's name.", "aim": "Choose the answer that is nearest."}) }}
  <form method="post" novalidate>
    {{ hidden("seq", 7) }}
    {{ question(catalogue.question("aim"), "", "Choose the answer that is nearest.") }}
    {{ question(catalogue.question("horizon"), "unknown", attributes={"hx-post": "/answer", "hx-trigger": "change"}) }}
    {{ text_field("name", "Company", "Żółta Łódź sp. z o.o.", error="Tell us your company's name.",
                  attributes={"autocomplete": "organization"}) }}
    {{ text_field("email", "Your e-mail", hint="We write to it once, with the link to your result.", type="email") }}
    {{ select("country", "Country", countries(), "PL") }}
    {{ text_area("notes", "Anything we should know", optional=true) }}
    {{ checkbox("consent", "You may keep my answers for twelve months to prepare a proposal.",
                hint="You can take this back at any time.") }}
    {% call button_row() %}{{ button("Save and go on") }}{{ button_link("Back", "/q/1") }}{% endcall %}
  </form>
{% endblock %}
"""

CASE = """
{% extends "base.html" %}
{% from "pieces/bars.html" import contributions, dimensions, two_scores %}
{% from "pieces/forms.html" import button, button_row %}
{% from "pieces/messages.html" import empty, notice, state_badge, verdict_badge, when %}
{% from "pieces/outlook.html" import changed_answers, outlook_bar, outlook_sentence %}
{% from "pieces/outlook.html" import staff_verdicts, where_answers_lead %}
{% from "pieces/table.html" import table %}
{% block title %}Case{% endblock %}
{% block content %}
  <p class="kicker">Żółta Łódź sp. z o.o. · {{ state_badge("in_review") }} · {{ when(earlier, now) }}</p>
  <h1>The need is for continuity, clearly</h1>
  <p class="lead-in">It leads in 96 of 100 ways to weigh the answers.</p>
  {% call notice("info", "Two answers are not known yet") %}<p>Ask who will run the code later.</p>{% endcall %}
  {% call notice("warning", "Someone else changed this case") %}<p>Read it again before you decide.</p>{% endcall %}
  {{ notice("done", "The proposal is approved") }}
  {{ notice("danger", "The preview could not be loaded") }}
  <h2>Both needs, on one scale</h2>
  {{ two_scores(open_scores) }}
  {{ two_scores(known_scores) }}
  {% for outlook in outlooks %}
    <h2>{{ outlook_sentence(outlook, staff_verdicts) }}</h2>
    {{ outlook_bar(outlook, staff_verdicts, {"unclear": "Neither need leads by enough."}) }}
  {% endfor %}
  {{ where_answers_lead(next_question, version, staff_verdicts, false) }}
  {{ changed_answers(changes, version, ("Now", "And now"), "Needed") }}
  <h2>Each dimension for itself</h2>
  {{ dimensions(dimension_list) }}
  <h2>What each answer adds</h2>
  {{ contributions(contribution_list, version) }}
  {% call button_row() %}
    {{ button("Approve and tell sales") }}{{ button("Return it", "secondary") }}{{ button("Erase", "danger") }}
  {% endcall %}
  <h2>Cases in review</h2>
  {% set columns = ["Company", "State", "Verdict", "Waiting", ["Continuity", "figure"]] %}
  {% call(case) table("Waiting longest first", columns, cases, "") %}
    <th scope="row"><a href="/reviews/1">{{ case.company }}</a></th><td>{{ state_badge(case.state) }}</td>
    <td>{{ verdict_badge(case.verdict, case.strength) }}</td><td>{{ when(earlier, now) }}</td>
    <td class="figure">{{ case.continuity|number }}</td>
  {% endcall %}
  {{ table("Released", ["Company"], [], "A case appears here as soon as you release its document.") }}
  {% call empty("No links yet. Send one from a case.") %}<a href="/console/">Open the pipeline</a>{% endcall %}
{% endblock %}
"""


def known(value: float) -> Score:
    return Score(value=value, low=value, high=value)


def between(low: float, high: float) -> Score:
    return Score(value=None, low=low, high=high)


def contribution(question: str, answer: str, margin: float | None, low: float = -6, high: float = 6) -> Contribution:
    return Contribution(question=question, dimension="Purpose", answer=answer, margin=margin, low=low, high=high)


NOTHING_KNOWN = Scores(continuity=between(0, 100), execution=between(0, 100))
EDGES = Scores(continuity=known(0), execution=known(100))
OPEN = Scores(continuity=between(48.2, 71.9), execution=known(37.4))
CONTRIBUTIONS = (
    contribution("horizon", "over_12_months", 5.8),
    contribution("price_rule", "mandatory", -7.4),
    contribution("aim", "steady_growth", 8.1),
    contribution("operator", "unknown", None, -3.4, 4.9),
    contribution("deadline", "wished", -1.2),
    contribution("funding", "yearly_reviewed", 0),
)
SHARES: dict[Verdict, float] = {"execution": 0.004, "unclear": 0.206, "both": 0.0, "continuity": 0.79}
SAMPLE = Outlook(shares=SHARES, leading="continuity", ways=2187, exact=False)
SETTLED = Outlook(shares={"continuity": 1.0, "execution": 0.0}, leading="continuity", ways=16, exact=True)
NO_WAY = Outlook(shares={"contradictory": 1.0, "continuity": 0.0}, leading="contradictory", ways=4, exact=True)
SPLIT = Outlook(shares={"both": 0.5, "unclear": 0.5}, leading="unclear", ways=1, exact=True)
ENDS = (
    IfAnswered(answer="finish_and_stop", leading="execution", share=0.574),
    IfAnswered(answer="steady_growth", leading="continuity", share=1.0),
)
CASE_CONTEXT: dict[str, Any] = {
    "outlooks": (SAMPLE, SETTLED, NO_WAY, SPLIT),
    "next_question": NextQuestion(question="aim", if_answered=ENDS),
    "changes": [
        Change.model_validate({"question": "aim", "from": "steady_growth", "to": "finish_and_stop"}),
        Change.model_validate({"question": "horizon", "from": "over_12_months", "to": "under_3_months"}),
    ],
    "now": NOW,
    "earlier": NOW - timedelta(hours=30),
    "open_scores": OPEN,
    "known_scores": Scores(continuity=known(68.3), execution=known(37.4)),
    "dimension_list": [
        Dimension(dimension=name, scores=scores, margin=known(0))
        for name, scores in (
            ("Purpose", EDGES),
            ("Scope", OPEN),
            ("Accountability", NOTHING_KNOWN),
            ("Structure", OPEN),
        )
    ],
    "contribution_list": CONTRIBUTIONS,
    "version": PUBLISHED,
    "cases": [
        {
            "company": f"Company {number}",
            "state": state,
            "verdict": ("continuity", "execution", "both", "unclear", "incomplete", "contradictory")[number % 6],
            "strength": ("clear", "leaning", None, None, None, None)[number % 6],
            "continuity": number * 100 / 11,
        }
        for number, state in enumerate(STATES)
    ],
}


class Staff:
    name = "Rosa Lindqvist"
    roles = ("sales", "account_manager")


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    root = tmp_path_factory.mktemp("gallery")
    templates = root / "gallery_of_pages" / "templates"
    templates.mkdir(parents=True)
    (templates.parent / "__init__.py").touch()
    (templates / "questionnaire.html").write_text(QUESTIONNAIRE)
    (templates / "case.html").write_text(CASE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root))
        yield pages("gallery_of_pages", "/reviews/static")


def app(gallery: Pages) -> Starlette:
    headers = {"Content-Security-Policy": POLICY}

    def questionnaire(request: Request) -> Response:
        return gallery.render(request, "questionnaire.html", headers=headers, catalogue=load())

    def case(request: Request) -> Response:
        return gallery.render(request, "case.html", headers=headers, staff=Staff(), **CASE_CONTEXT)

    def error(request: Request) -> Response:
        return gallery.render(
            request,
            "error.html",
            status=410,
            headers=headers,
            heading="This link has run out",
            advice="Ask the person who sent it for a new one. Nothing you typed is lost.",
            action={"label": "Start again", "href": "/"},
        )

    return Starlette(
        routes=[
            Route("/questionnaire", questionnaire),
            Route("/reviews/case", case),
            Route("/error", error),
            Mount("/reviews/static", static_app()),
        ]
    )


@pytest.fixture(scope="module")
def client(gallery: Pages) -> TestClient:
    return TestClient(app(gallery))


@pytest.fixture(scope="module")
def address(gallery: Pages) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app(gallery), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(**browser())
        yield opened
        opened.close()


PATHS = ("/questionnaire", "/reviews/case", "/error")


@pytest.fixture(params=[(width, scheme) for width in (320, 390, 1440) for scheme in ("light", "dark")])
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    width, scheme = request.param
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.add_init_script(
        "window.refused = []; addEventListener('securitypolicyviolation', e => refused.push(e.violatedDirective))"
    )
    yield page
    context.close()


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_accessible_fits_its_window_and_keeps_to_a_strict_policy(page: Page, address: str, path: str) -> None:
    missing: list[str] = []
    page.on("response", lambda response: missing.append(response.url) if response.status == 404 else None)
    page.goto(address + path)
    page.evaluate("document.fonts.ready")
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("refused") == []
    assert page.evaluate("document.fonts.check('600 16px Inter')")
    assert missing == []


@pytest.mark.parametrize("path", PATHS)
def test_dark_and_light_windows_show_different_paper(chromium: Browser, address: str, path: str) -> None:
    papers = []
    for scheme in ("light", "dark"):
        with chromium.new_context(color_scheme=scheme) as context:
            page = context.new_page()
            page.goto(address + path)
            papers.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert papers == ["rgb(255, 255, 255)", "rgb(20, 24, 28)"]


def test_a_cell_of_a_table_has_its_columns_label_unless_it_is_empty() -> None:
    row = Markup('<th scope="row">Nordwind</th><td class="number">7</td><td>\n  </td><td>Open</td>')
    assert labelled(row, ["Company", ("Days", "number"), "Owner", "State"]) == Markup(
        '<th role="rowheader" scope="row">Nordwind</th><td role="cell" data-label="Days" class="number">7</td>'
        '<td role="cell">\n  </td><td role="cell" data-label="State">Open</td>'
    )


def test_the_error_summary_has_the_focus_and_leads_to_the_field(chromium: Browser, address: str) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}/questionnaire")
        assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"
        page.get_by_role("link", name="Choose the answer that is nearest.").click()
        assert page.evaluate("document.activeElement.name") == "aim"


def test_a_prospects_page_with_everything_it_loads_takes_at_most_100_kilobytes(client: TestClient) -> None:
    page = client.get("/questionnaire").text
    style = client.get(re.search(r'"(/reviews/static/advisor[^"]+)"', page)[1]).text  # type: ignore[index]  # it is there
    loaded = set(re.findall(r'(?:href|src)="(/reviews/static/[^"]+)"', page))
    loaded |= {f"/reviews/static/{name}" for name in re.findall(r'url\("([^"]+)"\)', style)}
    sizes = {name: len(gzip.compress(client.get(name).content)) for name in loaded}
    assert len(sizes) == 6
    assert sum(sizes.values()) + len(gzip.compress(page.encode())) <= 100_000, sizes


def test_an_asset_is_served_for_a_year_under_an_address_that_changes_with_it(client: TestClient) -> None:
    page = client.get("/questionnaire").text
    for name in ("advisor.css", "tabler.min.css", "inter-latin.woff2", "htmx.min.js"):
        digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
        assert f'"/reviews/static/{name}?v={digest}"' in page
        answer = client.get(f"/reviews/static/{name}?v={digest}")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_the_style_sheet_asks_for_the_fonts_by_the_address_that_the_page_preloads() -> None:
    style = (STATIC / "advisor.css").read_text()
    for name in ("inter-latin.woff2", "inter-latin-ext.woff2"):
        assert f'"{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]}"' in style


def test_every_vendored_file_is_the_locked_one_and_nothing_else_came_along() -> None:
    locked = tomllib.loads((PACKAGE / "vendor.toml").read_text())["asset"]
    for entry in locked:
        assert hashlib.sha256((STATIC / entry["file"]).read_bytes()).hexdigest() == entry["sha256"], entry["file"]
        assert entry["version"]
        assert entry["licence"]
    ours = {"advisor.css", "icon.svg", "keys.js", "licences/tabler.txt"}
    present = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()}
    assert present == {entry["file"] for entry in locked} | ours


def test_no_template_styles_or_scripts_in_line() -> None:
    templates = [*PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.svg")]
    templates += [path for root in services_path for path in Path(root).rglob("templates/**/*.html")]
    for path in templates:
        text = path.read_text()
        found = re.search(r"\sstyle\s*=|<style|<script(?![^>]*\ssrc=)|\son\w+\s*=\s*[\"']|javascript:|hx-on", text)
        assert found is None, f"{path}: {found[0]}"


def tokens(style: str) -> dict[str, str]:
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", style))


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


LIGHT, DARK = (tokens(part) for part in (STATIC / "advisor.css").read_text().split("prefers-color-scheme: dark"))
READ = ("ink", "muted", "continuity", "execution", "unknown", "link", "danger", "done")


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "wash"])
def test_what_is_read_stands_out_from_what_it_is_read_on(scheme: dict[str, str], ground: str) -> None:
    for token in READ:
        assert contrast(scheme[token], scheme[ground]) >= 4.5, token
    assert contrast(scheme["edge"], scheme[ground]) >= 3


def test_every_token_has_a_dark_twin() -> None:
    assert LIGHT.keys() == DARK.keys()


POINTS = st.integers(0, 1000).map(lambda tenths: tenths / 10)
SCORES = POINTS.map(known) | st.tuples(POINTS, POINTS).map(lambda ends: between(min(ends), max(ends)))
MARGINS = st.integers(-200, 200).map(lambda tenths: tenths / 10)
CONTRIBUTION = st.builds(
    contribution,
    st.just("aim"),
    st.just("steady_growth"),
    st.none() | MARGINS,
    st.integers(-20, 0).map(float),
    st.integers(0, 20).map(float),
)


@given(SCORES, SCORES)
def test_a_bar_ends_where_its_score_can_end(continuity: Score, execution: Score) -> None:
    bars = two_bars(Scores(continuity=continuity, execution=execution))
    assert [bar.axis for bar in bars] == ["continuity", "execution"]
    for bar in bars:
        assert bar.certain == (bar.score.low if bar.score.value is None else bar.score.value)
        assert bar.certain + bar.open_width == pytest.approx(bar.score.high)


@given(st.lists(CONTRIBUTION, max_size=24))
def test_a_head_to_head_chart_puts_execution_left_and_continuity_right_of_its_common_line(
    contributions: list[Contribution],
) -> None:
    rows = head_to_head(contributions)
    assert sorted(map(id, contributions)) == sorted(id(row.contribution) for row in rows)
    for row in rows:
        assert -0.001 <= row.start <= row.start + row.width <= 100.001
        if row.side == "continuity":
            assert row.start == 50
        if row.side == "execution":
            assert row.start + row.width == pytest.approx(50)
    drawn = [row.width for row in rows if row.contribution.margin is not None]
    assert drawn == sorted(drawn, reverse=True)
    if any(row.width for row in rows):
        edges = (edge for row in rows for edge in (row.start, row.start + row.width))
        assert max(abs(edge - 50) for edge in edges) == pytest.approx(50)


def render(gallery: Pages, source: str, **context: object) -> str:
    text = gallery.environment(ENGLISH).from_string(source).render(context)
    return " ".join(re.sub("<[^>]+>", " ", text).split())


@pytest.mark.parametrize(
    ("scores", "figures"),
    [
        (NOTHING_KNOWN, "Continuity 0.0 to 100.0 of 100 Execution 0.0 to 100.0 of 100"),
        (EDGES, "Continuity 0.0 of 100 Execution 100.0 of 100"),
        (OPEN, "Continuity 48.2 to 71.9 of 100 Execution 37.4 of 100"),
    ],
)
def test_two_scores_are_drawn_with_their_figures_as_text(gallery: Pages, scores: Scores, figures: str) -> None:
    text = render(gallery, '{% from "pieces/bars.html" import two_scores %}{{ two_scores(scores) }}', scores=scores)
    assert text.startswith(figures)
    assert ("Hatched" in text) == (scores.continuity.value is None)


def test_contributions_are_told_in_the_words_of_the_answers(gallery: Pages) -> None:
    source = '{% from "pieces/bars.html" import contributions %}{{ contributions(items, version) }}'
    text = render(gallery, source, items=CONTRIBUTIONS, version=PUBLISHED)
    first = text.index("Steady growth of software that people already use")
    assert first < text.index("8.1 points towards continuity") < text.index("7.4 points towards execution")
    assert "0.0 points, to neither side" in text
    assert "Not known yet" in text


def test_contributions_of_no_answer_at_all_still_render(gallery: Pages) -> None:
    source = '{% from "pieces/bars.html" import contributions %}{{ contributions(items, version) }}'
    assert "points" not in render(gallery, source, items=(), version=PUBLISHED)


def test_what_a_person_typed_is_shown_as_text(gallery: Pages) -> None:
    source = '{% from "pieces/forms.html" import text_field %}{{ text_field("name", "Name", value) }}'
    html = gallery.environment(ENGLISH).from_string(source).render(value='"><script>alert(1)</script>')
    assert "&#34;&gt;&lt;script&gt;" in html
    assert "<script>" not in html


@pytest.mark.parametrize("path", PATHS)
def test_attributes_stand_apart(client: TestClient, path: str) -> None:
    tags = re.findall(r"<[a-z][^>]*>", client.get(path).text)
    assert [tag for tag in tags if re.search(r'="[^"]*"[^\s/>]', tag)] == []


def test_an_error_is_tied_to_its_field(gallery: Pages) -> None:
    source = '{% from "pieces/forms.html" import text_field %}{{ text_field("name", "Name", hint="H", error="E") }}'
    html = gallery.environment(ENGLISH).from_string(source).render()
    assert 'aria-describedby="name-hint name-error"' in html
    assert 'aria-invalid="true"' in html


def test_an_answer_already_given_is_chosen(gallery: Pages) -> None:
    source = '{% from "pieces/forms.html" import question %}{{ question(q, "unknown") }}'
    html = gallery.environment(ENGLISH).from_string(source).render(q=load().question("aim"))
    assert re.findall(r'value="(\w+)" checked', html) == ["unknown"]


def test_a_name_that_a_template_misspells_is_an_error(gallery: Pages) -> None:
    with pytest.raises(UndefinedError):
        render(gallery, "{{ comapny }}")


def test_staff_see_the_places_their_roles_open(client: TestClient) -> None:
    staff = re.search(r"<nav.*?</nav>", client.get("/reviews/case").text, re.DOTALL)
    assert staff is not None
    assert re.findall(r'href="([^"]+)"( aria-current="true")?', staff[0]) == [
        ("/console/", ""),
        ("/console/calls/", ""),
        ("/console/invitations/", ""),
        ("/console/mail/", ""),
        ("/reviews/", ' aria-current="true"'),
        ("/reviews/due/", ""),
        ("/reviews/calls/", ""),
        ("/account/", ""),
    ]
    assert "<nav" not in client.get("/questionnaire").text


def test_an_admin_finds_people_and_keys_and_is_in_one_place_at_a_time(gallery: Pages) -> None:
    admin = Principal(UUID(int=1), UUID(int=2), Staff.name, ("admin",), 1)
    for path, here in (("/account/people/7", "People"), ("/account/keys", "API keys"), ("/account/", Staff.name)):
        request = Request({"type": "http", "path": path, "headers": [], "query_string": b"", "server": ("here", 80)})
        page = (
            gallery.environment(ENGLISH).from_string('{% extends "base.html" %}').render(request=request, staff=admin)
        )
        places = re.findall(r'href="/account/[^"]*"( aria-current="true")?>([^<]+)<', page)
        assert [name for _, name in places] == ["People", "API keys", Staff.name]
        assert [name for current, name in places if current] == [here]


@pytest.mark.parametrize(
    ("share", "read"),
    [
        (0, "0 of 100"),
        (0.0001, "fewer than 1 of 100"),
        (0.005, "fewer than 1 of 100"),
        (0.0051, "1 of 100"),
        (0.79, "79 of 100"),
        (0.9949, "99 of 100"),
        (0.9999, "more than 99 of 100"),
        (1, "100 of 100"),
    ],
)
def test_a_share_is_all_or_none_only_where_it_is(share: float, read: str) -> None:
    assert of_hundred(share) == read


@given(st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any))
def test_the_outlooks_bar_is_filled_from_end_to_end_by_the_verdicts_that_have_a_share(counts: list[int]) -> None:
    verdicts: tuple[Verdict, ...] = ("continuity", "execution", "both", "unclear")
    shares = {verdict: count / sum(counts) for verdict, count in zip(verdicts, counts, strict=True)}
    parts = outlook_parts(Outlook(shares=shares, leading="both", ways=7, exact=True))
    assert {part.verdict: part.share for part in parts} == {key: share for key, share in shares.items() if share}
    for part, following in pairwise(parts):
        assert part.start + part.width == pytest.approx(following.start)
    assert parts[0].start == 0
    assert parts[-1].start + parts[-1].width == pytest.approx(100)


@given(st.integers(1, 10_000))
def test_a_sample_admits_two_standard_errors(ways: int) -> None:
    error = sampling_error(Outlook(shares={}, leading="unclear", ways=ways, exact=False))
    assert error >= 100 * 2 * (0.5 * 0.5 / ways) ** 0.5 > error - 1


def test_the_outlook_is_told_in_words_and_figures_and_claims_no_more_than_it_is(client: TestClient) -> None:
    page = " ".join(re.sub(r"<[^>]+>", " ", client.get("/reviews/case").text).split())
    for sentence in (
        "In 79 of 100 ways in which the open answers could fall, continuity leads",
        "Execution fewer than 1 of 100 Too close to call 21 of 100 Neither need leads by enough. Continuity 79 of 100",
        "This is a sample of 2,187 that fit together, so a figure is seldom off by more than 3.",
        "However the open answers fall, continuity leads",
        "These are all 16 ways that fit the other answers.",
        "No way to fill in the open answers fits the others",
        "In 50 of 100 ways in which the open answers could fall, it is too close to call That is the largest share,",
        "Only one way fits the other answers. Each possible answer counts the same",
        "“One thing finished, then stop: a website, or a move to a new system” in 57 of 100 ways execution leads",
        "“Steady growth of software that people already use” in every way that was looked at continuity leads",
        "And now “Over 12 months” Needed “Under 3 months”",
    ):
        assert sentence in page


def test_a_question_that_moves_nothing_is_said_to(gallery: Pages) -> None:
    source = """{% from "pieces/outlook.html" import staff_verdicts, where_answers_lead %}
    {{ where_answers_lead(next, "2026-11", staff_verdicts, exact) }}"""
    ends = tuple(IfAnswered(answer=key, leading="continuity", share=1) for key in ("finish_and_stop", "steady_growth"))
    template = gallery.environment(ENGLISH).from_string(source)
    for is_exact, sentence in (
        (True, "No answer to it would lead elsewhere."),
        (False, "In no way that was looked at does an answer to it lead elsewhere."),
    ):
        html = template.render(next=NextQuestion(question="aim", if_answered=ends), exact=is_exact)
        assert sentence in html
        assert "<ul" not in html


def test_the_error_page_keeps_its_status_and_says_what_to_do_next(client: TestClient) -> None:
    answer = client.get("/error")
    assert answer.status_code == 410
    assert "Ask the person who sent it for a new one." in answer.text
    assert "htmx" not in answer.text


@pytest.mark.parametrize(
    ("away", "expected"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=-59), "just now"),
        (timedelta(minutes=-5), "5 minutes ago"),
        (timedelta(hours=-30), "1 day ago"),
        (timedelta(days=14), "in 2 weeks"),
    ],
)
def test_a_time_is_told_as_a_distance(away: timedelta, expected: str) -> None:
    assert ago(NOW + away, NOW) == expected


def test_the_exact_time_is_told_in_utc() -> None:
    assert exact(datetime.fromisoformat("2026-11-22T23:53:20+02:00")) == "22 November 2026, 21:53 UTC"


def test_figures_and_keys_are_told_as_people_read_them() -> None:
    assert (number(0), number(100), number(48.25)) == ("0.0", "100.0", "48.2")
    assert words("capped_time_and_materials") == "Capped time and materials"


def test_countries_are_those_of_the_standard_in_the_order_of_their_names() -> None:
    codes = [code for code, _ in countries()]
    assert len(codes) == 249
    assert {"GB", "XK", "EU"} & set(codes) == {"GB"}
    assert codes.index("AF") < codes.index("AX") < codes.index("AL")
    assert country("GB") == "United Kingdom"
