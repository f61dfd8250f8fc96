"""The blueprint: how the work is set up, composed from the proposal, the answers and the company's facts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict

from services.recommendation.domain.blueprint_rules import (
    BlueprintRules,
    Kind,
    Level,
    Point,
    Risk,
    Rule,
    Says,
    SectionRules,
    Structure,
    first_of_slots,
    told_stage,
)
from services.recommendation.domain.playbook import Playbook
from services.recommendation.domain.proposal import AppliedRule, Proposal
from services.recommendation.domain.review import Reviewer
from shared.contracts.assessment import Assessment, VersionHash
from shared.contracts.intake import Company
from shared.contracts.recommendation import Model
from shared.questionnaire import Condition, Questionnaire

EditAction: TypeAlias = Literal["add", "change", "drop", "undo"]

LEVELS: tuple[Level, ...] = get_args(Level)
NEEDS: dict[Model, tuple[str, ...]] = {
    "dedicated_team": ("continuity",),
    "project_based": ("execution",),
    "hybrid": ("continuity", "execution"),
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True)
class Edit:
    """What a person did to a line: `said` is what stood there, `says` what stands there since, if anything.

    `version` is the case's after it; a line that was added has no rule. Both texts are gone after erasure.
    """

    version: int
    revision: int
    section: str
    line: str
    rule: str | None
    action: EditAction
    said: Says | None
    says: Says | None
    by: Reviewer
    at: datetime


class Line(_Part):
    """One line, the rule that put it there, and what that rule rests on: answers by question id, facts by name.

    `id` stays the same whichever of several rules gives the line, and is unique in the blueprint. Where a person has
    changed it there is the edit that stands, and what the rule says; a line that was added has no rule.
    """

    id: str
    rule: str | None
    answers: dict[str, str]
    company: dict[str, str]
    says: Says
    edit: Edit | None = None
    rule_says: Says | None = None


class Section(_Part):
    """One part of the blueprint under its heading; all its lines are of one kind. The dropped ones do not count."""

    id: str
    kind: Kind
    title: str
    lines: tuple[Line, ...]
    dropped: tuple[Line, ...] = ()


class Blueprint(_Part):
    """How the work is set up under a model, or for a discovery call what to do in it, with the versions behind it.

    `set_aside` are edits that hold for no line here: of an earlier revision, or of a line that another rule gives now.
    """

    model: Model
    structure: Structure
    sections: tuple[Section, ...]
    set_aside: tuple[Edit, ...] = ()
    rules: VersionHash
    playbook: VersionHash
    questionnaire: VersionHash


@dataclass
class _Source:
    """What something rests on."""

    answers: dict[str, str] = field(default_factory=dict)
    company: dict[str, str] = field(default_factory=dict)

    def __add__(self, other: "_Source") -> "_Source":
        return _Source(self.answers | other.answers, self.company | other.company)


@dataclass
class _Facts:
    """What the rules may ask, by name, and what each rests on."""

    values: dict[str, str] = field(default_factory=dict)
    sources: dict[str, _Source] = field(default_factory=dict)

    def add(self, name: str, value: str | None, source: _Source) -> None:
        if value is not None:
            self.values[name] = value
            self.sources[name] = source

    def behind(self, conditions: Iterable[Condition]) -> _Source:
        return sum((self.sources[name] for name in chain.from_iterable(conditions)), _Source())


def compose(
    proposal: Proposal,
    assessment: Assessment,
    company: Company,
    *,
    rules: BlueprintRules,
    playbook: Playbook,
    questionnaire: Questionnaire,
) -> Blueprint:
    """The blueprint of a proposal for this company. Rules, playbook and questionnaire are those of the assessment."""
    facts = _facts(proposal, assessment, company)
    found, met = rules.structure(facts.values)
    structure = found.structure
    facts.add("structure", structure, facts.behind([met]))
    names, renamed = rules.names(structure), rules.renamed(structure)

    def line(rule: Rule, conditions: list[Condition]) -> Line:
        source = facts.behind(conditions)
        if rule.says.roles() & renamed:
            source += facts.sources["structure"]
        says = rule.says.named(names)
        if isinstance(says, Risk):
            triggers = sum(condition != {} for condition in conditions)
            says = says.model_copy(update={"level": LEVELS[min(triggers, len(LEVELS) - 1)]})
        return Line(id=rule.slot or rule.id, rule=rule.id, answers=source.answers, company=source.company, says=says)

    def section(part: SectionRules) -> Section | None:
        title = next((title for title in part.titles if title.met(proposal.model, facts.values)), None)
        lines = list(_added(part, proposal, facts, rules, playbook=playbook, questionnaire=questionnaire))
        applying = ((rule, rule.met(proposal.model, facts.values)) for rule in part.rules)
        lines += [line(rule, conditions) for rule, conditions in first_of_slots(applying)]
        lines.sort(key=worst_first)
        if title is None or not lines:
            return None
        return Section(id=part.id, kind=part.kind, title=title.text, lines=tuple(lines))

    parts = (section(part) for part in rules.sections if proposal.model in part.models)
    return Blueprint(
        model=proposal.model,
        structure=structure,
        sections=tuple(part for part in parts if part is not None),
        rules=VersionHash(version=rules.version, hash=rules.hash),
        playbook=proposal.playbook,
        questionnaire=assessment.questionnaire,
    )


def _facts(proposal: Proposal, assessment: Assessment, company: Company) -> _Facts:
    facts = _Facts()
    for question, answer in assessment.answers.items():
        facts.add(question, answer.level, _Source(answers={question: answer.level}))
    for name in ("headcount", "industry", "country"):
        facts.add(name, getattr(company, name), _Source(company={name: getattr(company, name)}))
    answers = {rule.about: _Source(answers=rule.answers) for rule in proposal.rules}
    facts.add("commercial_form", proposal.commercial_form, answers["commercial_form"])
    facts.add("second_line", proposal.second_line, answers.get("second_line", _Source()))
    if proposal.staging:
        facts.add("staging", proposal.staging[0].rule, answers["staging"])
    facts.add("kind", proposal.kind, facts.behind([dict.fromkeys(proposal.deciding_questions, ())]))
    if proposal.leaning and proposal.leaning.model:
        sides = NEEDS[proposal.leaning.model]
        told = {reason.question: reason.answer for reason in assessment.reasons if reason.side in sides}
        facts.add("leaning", proposal.leaning.model, _Source(answers=told))
    return facts


def worst_first(line: Line) -> int:
    """How to sort the lines of a section: risks by their level, all others as they come."""
    return -LEVELS.index(line.says.level) if isinstance(line.says, Risk) else 0


def _added(
    part: SectionRules,
    proposal: Proposal,
    facts: _Facts,
    rules: BlueprintRules,
    *,
    playbook: Playbook,
    questionnaire: Questionnaire,
) -> Iterator[Line]:
    """What the proposal itself puts into a section, ahead of the section's rules."""
    match part.adds:
        case "payment":
            forms = {"commercial_form": proposal.commercial_form, "second_line": proposal.second_line}
            for rule in proposal.rules:
                form = forms.get(rule.about)
                if form is not None:
                    later = ", for what comes beside or after it" if rule.about == "second_line" else ""
                    yield _told(rule.about, rule, rules, f"{playbook.forms[form]}{later}")
        case "staging":
            for rule in proposal.rules:
                if rule.about == "staging":
                    yield _told(rule.about, rule, rules, "Why in this way")
            for place, stage in enumerate(proposal.staging, start=1):
                told = rules.told.get(told_stage(stage.rule, place))
                paid = f"Paid: {playbook.forms[stage.paid_by].lower()}."
                says = Point(title=stage.name, text=f"{told.text if told else stage.text} {paid}")
                yield Line(id=f"stage_{place}", rule=stage.rule, answers=stage.answers, company={}, says=says)
        case "conditions":
            for rule in proposal.rules:
                if rule.about in ("veto", "condition"):
                    yield _told(rule.id, rule, rules, rule.id.replace("_", " ").capitalize())
        case "deciding_questions":
            for asked in proposal.deciding_questions:
                text = _leads(asked, proposal, playbook, questionnaire)
                says = Point(title=questionnaire.question(asked).text, text=text)
                now = facts.sources[asked].answers
                yield Line(id=f"ask_{asked}", rule="deciding_questions", answers=now, company={}, says=says)


def _told(line_id: str, rule: AppliedRule, rules: BlueprintRules, title: str) -> Line:
    """A rule of the playbook as a client is told of it; a reviewer's own choice in the words it has."""
    told = rules.told.get(rule.id)
    says = Point(title=(told and told.title) or title, text=told.text if told else rule.reason)
    return Line(id=line_id, rule=rule.id, answers=rule.answers, company={}, says=says)


def _leads(asked: str, proposal: Proposal, playbook: Playbook, questionnaire: Questionnaire) -> str:
    """Why a question is asked, and the answers to it that alone would give another proposal."""
    question = questionnaire.question(asked)
    alone = [
        (alternative.changes[0].to, alternative.model)
        for alternative in proposal.what_would_change
        if [change.question for change in alternative.changes] == [asked]
    ]
    turns = [
        f"“{question.level_text(to)}” alone would lead to a {playbook.models[model].name.lower()}."
        for to, model in alone
    ]
    return " ".join([question.why, *turns])
