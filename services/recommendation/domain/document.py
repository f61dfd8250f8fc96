"""What a document says to a client: words and figures alone, so that page and PDF say the same for ever."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, zip_longest

import orjson
from pydantic import BaseModel, ConfigDict

from services.recommendation.domain.offer import SIDES, Kind
from services.recommendation.domain.playbook import Playbook
from services.recommendation.domain.proposal import Proposal
from shared.contracts.assessment import Assessment, Reason, Score, Scores, Strength, VersionHash
from shared.contracts.recommendation import CommercialForm, Model
from shared.questionnaire import Questionnaire, matches

REASONS = 3
CHANGES = 3

FITS: dict[Strength | None, dict[Model, str]] = {
    "clear": {
        "dedicated_team": "A dedicated team clearly fits your work",
        "project_based": "A project clearly fits your work",
        "hybrid": "A project and a team together clearly fit your work",
    },
    "leaning": {
        "dedicated_team": "A dedicated team fits your work best",
        "project_based": "A project fits your work best",
        "hybrid": "A project and a team together fit your work best",
    },
    None: {
        "dedicated_team": "We recommend a dedicated team",
        "project_based": "We recommend a project",
        "hybrid": "We recommend a project and a team together",
    },
}
MEANS: dict[Model, str] = {
    "dedicated_team": (
        "A dedicated team is a group of people who work for you all the time and stay. "
        "They keep what they learn, and you decide what they do next."
    ),
    "project_based": (
        "A project has an agreed result and an end. We plan it, answer for reaching it, and hand over what was made."
    ),
    "hybrid": (
        "Part of the work has an agreed result and an end, and is done as a project. "
        "The rest goes to people who work for you all the time and stay."
    ),
    "discovery_call": (
        "In the call we settle together what your answers leave open. "
        "You get a recommendation on its result, with the reasons."
    ),
}
CALL_FIRST: dict[Kind | None, str] = {
    "incomplete": "Let us talk first: too much is still open",
    "contradictory": "Let us talk first: some answers do not fit together",
    "undecided": "Let us talk first: your answers point both ways",
    "veto": "Let us talk first: what would fit cannot be offered as it is",
    None: "Let us talk first",
}
SAID: dict[Model, str] = {
    "dedicated_team": "a dedicated team",
    "project_based": "a project",
    "hybrid": "a project and a team together",
    "discovery_call": "a call first",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Line(_Part):
    """One point: what it is, and what is said about it."""

    title: str
    text: str = ""


class Table(_Part):
    """Rows of words under a heading each; the first column names its row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Section(_Part):
    """A heading that says something, and what stands under it, in this order."""

    heading: str
    lead: str = ""
    lines: tuple[Line, ...] = ()
    table: Table | None = None


class Content(_Part):
    """All that a document says. Whatever is not in here is not in the document."""

    number: int
    company: str
    heading: str
    summary: tuple[str, ...]
    scores: Scores
    scores_say: str
    reasons_heading: str
    reasons: tuple[Line, ...]
    sections: tuple[Section, ...]
    reviewed_by: str | None
    day: date
    questionnaire: VersionHash
    rubric: VersionHash
    playbook: VersionHash

    @property
    def canonical(self) -> str:
        """The JSON that the hash is of: sorted keys, no spaces."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS).decode()


def sha256(canonical: str) -> str:
    """The hash of a content's canonical JSON."""
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True)
class Basis:
    """What a document is drawn from; model and form are the machine's, or those that a reviewer put in their place."""

    assessment: Assessment
    proposal: Proposal
    model: Model
    form: CommercialForm
    playbook: Playbook
    questionnaire: Questionnaire

    @property
    def is_as_proposed(self) -> bool:
        """True where the model is the machine's."""
        return self.model == self.proposal.model


def draw_up(basis: Basis, *, number: int, company: str, reviewed_by: str | None, day: date) -> Content:
    """The document of a company; `reviewed_by` is None as long as nobody has decided."""
    assessment, reasons = basis.assessment, _reasons(basis)
    return Content(
        number=number,
        company=company,
        heading=_heading(basis),
        summary=tuple(_summary(basis, reviewed_by)),
        scores=assessment.scores,
        scores_say=_scores_say(assessment),
        reasons_heading=_reasons_heading(basis.model, reasons),
        reasons=tuple(_asked(reason.question, reason.answer, basis.questionnaire) for reason in reasons),
        sections=tuple(_sections(basis)),
        reviewed_by=reviewed_by,
        day=day,
        questionnaire=assessment.questionnaire,
        rubric=assessment.rubric,
        playbook=basis.proposal.playbook,
    )


def _heading(basis: Basis) -> str:
    if basis.model == "discovery_call":
        return CALL_FIRST[basis.proposal.kind if basis.is_as_proposed else None]
    return FITS[basis.proposal.strength if basis.is_as_proposed else None][basis.model]


def _summary(basis: Basis, reviewed_by: str | None) -> Iterator[str]:
    yield MEANS[basis.model]
    leaning = basis.proposal.leaning
    if not basis.is_as_proposed:
        yield (
            f"Your answers by themselves point to {SAID[basis.proposal.model]}. "
            f"{reviewed_by or 'The reviewer'} has read them and recommends {SAID[basis.model]}."
        )
    elif leaning is not None and leaning.model is not None:
        yield f"So far your answers lean to {SAID[leaning.model]}."


def _scores_say(assessment: Assessment) -> str:
    scores, margin = assessment.scores, assessment.margin
    said = f"Your need for continuity is {_points(scores.continuity)}, for execution {_points(scores.execution)}."
    if margin.value is None:
        return f"{said} The ranges show what the answers that are not known yet leave open."
    if not margin.value:
        return f"{said} Both are equal."
    leader = "Continuity" if margin.value > 0 else "Execution"
    said += f" {leader} leads by {abs(margin.value):.1f} points"
    if assessment.robustness is None:
        return f"{said}."
    ways = int(100 * (assessment.robustness if margin.value > 0 else 1 - assessment.robustness))
    return f"{said}, and in {'all' if ways == 100 else f'{ways} of 100'} sensible ways to weigh the answers."


def _points(score: Score) -> str:
    if score.value is None:
        return f"between {score.low:.1f} and {score.high:.1f} of 100"
    return f"{score.value:.1f} of 100"


def _reasons(basis: Basis) -> list[Reason]:
    """The weightiest on the model's side; where it has two sides or none, the weightiest of each in turn."""
    one_sided = {"dedicated_team": ("continuity",), "project_based": ("execution",)}
    ranked = [
        sorted(
            (reason for reason in basis.assessment.reasons if reason.side == side),
            key=lambda reason: abs(reason.points),
            reverse=True,
        )
        for side in one_sided.get(basis.model, ("continuity", "execution"))
    ]
    in_turn = chain.from_iterable(zip_longest(*ranked))
    return [reason for reason in in_turn if reason is not None][:REASONS]


def _reasons_heading(model: Model, reasons: Sequence[Reason]) -> str:
    weigh = (
        "No single answer stands out",
        "One answer weighs most",
        "Two answers weigh most",
        "Three answers weigh most",
    )
    return weigh[len(reasons)] + (" for it" if reasons and model != "discovery_call" else "")


def _sections(basis: Basis) -> Iterator[Section]:
    if basis.model == "discovery_call" and basis.proposal.deciding_questions:
        yield Section(
            heading="What the call has to settle",
            lead="These questions decide. Think of them, and of who should be in the call to answer them.",
            lines=tuple(_to_ask(question, basis) for question in basis.proposal.deciding_questions),
        )
    yield Section(heading="How it is paid", lines=tuple(_paid(basis)))
    conditions = tuple(_conditions(basis))
    if conditions:
        yield Section(
            heading="What has to be settled first",
            lead="The recommendation holds on these conditions.",
            lines=conditions,
        )
    changes = tuple(_changes(basis)) if basis.is_as_proposed else ()
    if changes:
        yield Section(
            heading="What would change the recommendation",
            lead="Tell us if one of these is nearer to the truth.",
            lines=changes,
        )


def _paid(basis: Basis) -> Iterator[Line]:
    proposal, forms = basis.proposal, basis.playbook.forms
    if (basis.model, basis.form) != (proposal.model, proposal.commercial_form):
        yield Line(title=forms[basis.form])
        return
    reasons = {rule.about: rule.reason for rule in proposal.rules}
    yield Line(title=forms[basis.form], text=reasons["commercial_form"])
    if proposal.second_line is not None:
        yield Line(title=f"Then {forms[proposal.second_line].lower()}", text=reasons["second_line"])


def _conditions(basis: Basis) -> Iterator[Line]:
    answers = {question: answer.level for question, answer in basis.assessment.answers.items()}
    for condition in basis.playbook.conditions:
        if condition.model in SIDES.get(basis.model, ()) and matches(condition.when, answers):
            yield Line(title=condition.id.replace("_", " ").capitalize(), text=condition.reason)


def _changes(basis: Basis) -> Iterator[Line]:
    for alternative in basis.proposal.what_would_change[:CHANGES]:
        asked = [_asked(change.question, change.to, basis.questionnaire) for change in alternative.changes]
        yield Line(
            title=f"{SAID[alternative.model].capitalize()}, if this were your answer",
            text=" ".join(f"{line.text} {line.title}." for line in asked),
        )


def _asked(question: str, answer: str, questionnaire: Questionnaire) -> Line:
    asked = questionnaire.question(question)
    return Line(title=asked.level_text(answer), text=asked.text)


def _to_ask(question: str, basis: Basis) -> Line:
    asked = _asked(question, basis.assessment.answers[question].level, basis.questionnaire)
    return Line(title=asked.text, text=f"Now: {asked.title}")
