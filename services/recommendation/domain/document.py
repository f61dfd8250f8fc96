"""What a document says to a client: words and figures alone, so that page and PDF say the same for ever."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, zip_longest

import orjson
from pydantic import BaseModel, ConfigDict

from services.recommendation.domain import blueprint_rules as rules
from services.recommendation.domain.alternatives import Alternative
from services.recommendation.domain.blueprint import Blueprint
from services.recommendation.domain.blueprint import Section as Part
from services.recommendation.domain.offer import Kind
from services.recommendation.domain.proposal import Proposal
from shared.contracts.assessment import Assessment, Reason, Score, Scores, Strength, VersionHash
from shared.contracts.recommendation import Model
from shared.questionnaire import Questionnaire

REASONS = 3
CHANGES = 3
RISKS = 6

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

COLUMNS: dict[rules.Kind, tuple[str, ...]] = {
    "role": ("Who", "Does", "Time"),
    "responsibility": ("What", "Answers for it", "Does it", "Is asked before", "Is told after"),
    "handoff": ("Document", "From", "To", "Complete when"),
    "meeting": ("What for", "How often", "How long", "Who"),
    "step": ("When", "What happens"),
    "risk": ("What may go wrong", "Early sign", "Who watches", "What we do then"),
    "agenda_item": ("Minutes", "What about", "What comes out"),
}
PARTIES: dict[rules.Party, str] = {"client": "yours", "vendor": "ours"}
LEVELS: dict[rules.Level, str] = {"watch": "", "raised": " (raised)", "high": " (high)"}


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
    """A heading that says something, and what stands under it, in this order; `kind` tells how wide its columns are."""

    heading: str
    kind: str
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
    blueprint: VersionHash

    @property
    def canonical(self) -> str:
        """The JSON that the hash is of: sorted keys, no spaces."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS).decode()


def sha256(canonical: str) -> str:
    """The hash of a content's canonical JSON."""
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True)
class Basis:
    """What a document is drawn from: the proposal that stands, and the model that the answers alone led to."""

    assessment: Assessment
    proposal: Proposal
    proposed: Model
    blueprint: Blueprint
    questionnaire: Questionnaire

    @property
    def is_as_proposed(self) -> bool:
        """True where the model is the machine's."""
        return self.proposal.model == self.proposed


def draw_up(basis: Basis, *, number: int, company: str, reviewed_by: str | None, day: date) -> Content:
    """The document of a company; `reviewed_by` is None as long as nobody has decided."""
    assessment, reasons = basis.assessment, _reasons(basis)
    return Content(
        number=number,
        company=company,
        heading=_heading(basis),
        summary=tuple(_summary(basis, reviewed_by)),
        scores=assessment.scores,
        scores_say=_scores_say(basis),
        reasons_heading=_reasons_heading(basis.proposal.model, reasons),
        reasons=tuple(_asked(reason.question, reason.answer, basis.questionnaire) for reason in reasons),
        sections=(*_parts(basis.blueprint), *_changes(basis)),
        reviewed_by=reviewed_by,
        day=day,
        questionnaire=assessment.questionnaire,
        rubric=assessment.rubric,
        playbook=basis.proposal.playbook,
        blueprint=basis.blueprint.rules,
    )


def _heading(basis: Basis) -> str:
    proposal = basis.proposal
    if proposal.model == "discovery_call":
        return CALL_FIRST[proposal.kind if basis.is_as_proposed else None]
    return FITS[proposal.strength if basis.is_as_proposed else None][proposal.model]


def _summary(basis: Basis, reviewed_by: str | None) -> Iterator[str]:
    model, leaning = basis.proposal.model, basis.proposal.leaning
    yield MEANS[model]
    if not basis.is_as_proposed:
        yield (
            f"Your answers by themselves point to {SAID[basis.proposed]}. "
            f"{reviewed_by or 'The reviewer'} has read them and recommends {SAID[model]}."
        )
    elif leaning is not None and leaning.model is not None:
        ways = (
            "" if leaning.share is None else f", in {_of_hundred(leaning.share)} ways in which the open ones could fall"
        )
        yield f"So far your answers lean to {SAID[leaning.model]}{ways}."


def _scores_say(basis: Basis) -> str:
    assessment = basis.assessment
    scores, margin = assessment.scores, assessment.margin
    said = f"Your need for continuity is {_points(scores.continuity)}, for execution {_points(scores.execution)}."
    if margin.value is None:
        return f"{said} The ranges show what the answers that are not known yet leave open."
    if basis.proposal.model == "hybrid":
        return f"{said} Both count, so each gets its own part of the work."
    if not margin.value:
        return f"{said} Both are equal."
    leader = "Continuity" if margin.value > 0 else "Execution"
    said += f" {leader} leads by {abs(margin.value):.1f} points"
    if assessment.robustness is None:
        return f"{said}."
    share = assessment.robustness if margin.value > 0 else 1 - assessment.robustness
    return f"{said}, and in {_of_hundred(share)} sensible ways to weigh the answers."


def _of_hundred(share: float) -> str:
    """A share in words that are certain only where it is."""
    return "all" if share == 1 else f"{min(99, max(1, round(100 * share)))} of 100"


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
        for side in one_sided.get(basis.proposal.model, ("continuity", "execution"))
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


def _parts(blueprint: Blueprint) -> Iterator[Section]:
    """What a client needs to decide: the documents that are handed over while the work runs are left to its start.

    Of many risks the first ones, and those that a person wrote.
    """
    for part in blueprint.sections:
        if part.kind == "risk" and len(part.lines) > RISKS:
            written = tuple(line for line in part.lines[RISKS:] if line.edit)
            section = _section(part.model_copy(update={"lines": part.lines[:RISKS] + written}))
            yield section.model_copy(update={"lead": "These matter most, the most pressing first."})
        elif part.kind != "handoff" and part.lines:
            yield _section(part)


def _section(part: Part) -> Section:
    if part.kind == "point":
        points = [line.says for line in part.lines if isinstance(line.says, rules.Point)]
        return Section(
            heading=part.title, kind=part.kind, lines=tuple(Line(title=one.title, text=one.text) for one in points)
        )
    table = Table(columns=COLUMNS[part.kind], rows=tuple(_row(line.says) for line in part.lines))
    return Section(heading=part.title, kind=part.kind, table=table)


def _row(says: rules.Says) -> tuple[str, ...]:
    match says:
        case rules.Point():
            return says.title, says.text
        case rules.Role():
            return f"{_capital(says.role)}, {PARTIES[says.party]}", says.does, says.time
        case rules.Responsibility():
            return (
                says.activity,
                _capital(says.accountable),
                _people(says.responsible),
                _people(says.consulted),
                _people(says.informed),
            )
        case rules.Handoff():
            return says.document, _capital(says.giver), _people(says.receivers), says.complete
        case rules.Meeting():
            return says.meeting, says.rhythm, says.length, _people(says.who)
        case rules.Step():
            return says.period, says.text
        case rules.Risk():
            return says.risk + LEVELS[says.level], says.sign, _capital(says.owner), says.response
        case rules.AgendaItem():
            return says.minutes, says.item, says.output


def _people(names: Sequence[str]) -> str:
    return _capital(", ".join(names)) or "Nobody"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _changes(basis: Basis) -> Iterator[Section]:
    others = [one for one in basis.proposal.what_would_change if one.model != "discovery_call"]
    if others:
        yield Section(
            heading="What would change the recommendation",
            kind="point",
            lead="Tell us if one of these is nearer to the truth.",
            lines=tuple(_change(one, basis.questionnaire) for one in others[:CHANGES]),
        )


def _change(alternative: Alternative, questionnaire: Questionnaire) -> Line:
    asked = [_asked(change.question, change.to, questionnaire) for change in alternative.changes]
    said = "this were your answer" if len(asked) == 1 else "these were your answers"
    return Line(
        title=f"{_capital(SAID[alternative.model])}, if {said}",
        text=" ".join(f"{one.text} {one.title}." for one in asked),
    )


def _asked(question: str, answer: str, questionnaire: Questionnaire) -> Line:
    asked = questionnaire.question(question)
    return Line(title=asked.level_text(answer), text=asked.text)
