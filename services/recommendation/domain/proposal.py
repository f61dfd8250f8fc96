"""From an assessment to a proposal: the model, how it is paid, and every rule that had a say."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from services.recommendation.domain.alternatives import Alternative, alternatives
from services.recommendation.domain.offer import MODELS, SIDES, Kind, Offer, offered, vetoes_on
from services.recommendation.domain.playbook import FormRule, Playbook, Side, SideRule, Staging, Veto
from shared.contracts.assessment import Assessment, Contribution, Split, Strength, VersionHash
from shared.contracts.recommendation import CommercialForm, Model
from shared.questionnaire import Questionnaire, matches

DECIDING_QUESTIONS = 3
MOST = 0.5
REVIEWED = "We chose this form after reading your answers."

About: TypeAlias = Literal["veto", "condition", "commercial_form", "second_line", "staging"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Leaning(_Part):
    """The model that the answers lean to, if any, and its share of the ways in which the open answers could fall."""

    model: Model | None
    share: float | None


class AppliedRule(_Part):
    """A rule of the playbook that had a say, in its words, with the answers that met it by question id."""

    id: str
    about: About
    reason: str
    instead: str | None = None
    answers: dict[str, str]


class Stage(_Part):
    """A part or phase of a hybrid: who does it and how it is paid, with the rules and answers behind both.

    Stages of one `order` run side by side; `answers` are those that show this part or phase.
    """

    order: int
    portion: str | None
    name: str
    side: Side
    text: str
    answers: dict[str, str]
    paid_by: CommercialForm
    rule: str
    payment_rule: str


class Proposal(_Part):
    """What to offer. A discovery call has a `kind`, a leaning, and at most three questions that would decide.

    `vetoes` and `conditions` are ids; their words, like those of the form, are in `rules`. `second_line` is how a
    later or smaller part of the work is paid, if there is one. `what_would_change` it are other answers that would.
    `staging` says in what order a hybrid is done.
    """

    model: Model
    strength: Strength | None
    kind: Kind | None
    leaning: Leaning | None
    deciding_questions: tuple[str, ...]
    commercial_form: CommercialForm
    second_line: CommercialForm | None
    vetoes: tuple[str, ...]
    conditions: tuple[str, ...]
    rules: tuple[AppliedRule, ...]
    what_would_change: tuple[Alternative, ...] = ()
    staging: tuple[Stage, ...] = ()
    playbook: VersionHash


def propose(assessment: Assessment, playbook: Playbook, questionnaire: Questionnaire) -> Proposal:
    """The proposal that this playbook draws from an assessment made under this questionnaire.

    Vetoes on the model that a discovery call leans to, and one that leaves a hybrid standing, are shown as well.
    """
    offer = offered(assessment.verdict, _levels(assessment), playbook)
    proposal = _under(offer, None, assessment, playbook, questionnaire)
    return proposal.model_copy(
        update={"what_would_change": alternatives(assessment, playbook, questionnaire, offer)},
    )


def instead(
    model: Model, form: CommercialForm, assessment: Assessment, playbook: Playbook, questionnaire: Questionnaire
) -> Proposal:
    """The proposal of a reviewer who puts this model and form in the machine's place; it has no strength.

    A call that a reviewer prefers asks what would reach furthest.
    """
    offer = Offer(model, "undecided" if model == "discovery_call" else None)
    proposal = _under(offer, form, assessment, playbook, questionnaire)
    return proposal.model_copy(update={"strength": None})


def _under(
    offer: Offer,
    form_instead: CommercialForm | None,
    assessment: Assessment,
    playbook: Playbook,
    questionnaire: Questionnaire,
) -> Proposal:
    answers = _levels(assessment)
    leaning = _leaning(assessment)
    vetoes = vetoes_on(leaning.model, answers, playbook)
    model, kind = offer
    conditions = [
        condition
        for condition in playbook.conditions
        if condition.model in SIDES.get(model, ()) and matches(condition.when, answers)
    ]
    splits: dict[str | None, Split] = {split.id: split for split in assessment.splits}
    form, met = playbook.commercial_form(model, answers, splits)
    if form_instead not in (None, form.form):
        form, met = form.model_copy(update={"id": "reviewed", "form": form_instead, "reason": REVIEWED}), {}
    second = playbook.second_line(model, answers, splits)
    staged = playbook.staging(answers, splits) if model == "hybrid" else None
    rules = [_applied("veto", veto, veto.when, answers) for veto in vetoes]
    rules += [_applied("condition", condition, condition.when, answers) for condition in conditions]
    rules.append(_applied("commercial_form", form, [*met, *_said(splits.get(form.split))], answers))
    if second is not None:
        rules.append(_applied("second_line", second[0], [*second[1], *_said(splits.get(second[0].split))], answers))
    if staged is not None:
        rules.append(_applied("staging", staged[0], [*staged[1], *_said(splits.get(staged[0].split))], answers))
    return Proposal(
        model=model,
        strength=assessment.strength if kind is None else None,
        kind=kind,
        leaning=leaning if kind else None,
        deciding_questions=_deciding_questions(kind, assessment, vetoes, questionnaire),
        commercial_form=form.form,
        second_line=second[0].form if second else None,
        vetoes=tuple(veto.id for veto in vetoes),
        conditions=tuple(condition.id for condition in conditions),
        rules=tuple(rules),
        staging=_stages(staged[0], splits, form, second[0]) if staged and second else (),
        playbook=VersionHash(version=playbook.version, hash=playbook.hash),
    )


def _levels(assessment: Assessment) -> dict[str, str]:
    return {question: answer.level for question, answer in assessment.answers.items()}


def _said(split: Split | None) -> Iterator[str]:
    """The questions whose answers made a split."""
    if split is not None:
        yield split.question
        yield from chain.from_iterable(portion.answers for portion in split.portions)


def _stages(
    staging: Staging, splits: Mapping[str | None, Split], project: FormRule, team: FormRule
) -> tuple[Stage, ...]:
    split = splits.get(staging.split)
    shown = {portion.id: portion.answers for portion in split.portions} if split else {}
    payment = {"project_based": project, "dedicated_team": team}
    return tuple(
        Stage(
            order=place if staging.order == "one_after_the_other" else 1,
            portion=stage.portion,
            name=stage.name,
            side=stage.side,
            text=stage.text,
            answers=shown.get(stage.portion or "", {}),
            paid_by=payment[stage.side].form,
            rule=staging.id,
            payment_rule=payment[stage.side].id,
        )
        for place, stage in enumerate(staging.stages, start=1)
    )


def _leaning(assessment: Assessment) -> Leaning:
    """By the verdict where it names a model, else by most ways of the outlook, else by a margin certain of its side."""
    outlook = assessment.outlook
    if assessment.verdict in MODELS:
        share = outlook.shares.get(assessment.verdict) if outlook else None
        return Leaning(model=MODELS[assessment.verdict], share=share)
    if outlook and outlook.leading in MODELS and outlook.shares[outlook.leading] > MOST:
        return Leaning(model=MODELS[outlook.leading], share=outlook.shares[outlook.leading])
    if assessment.margin.low > 0:
        return Leaning(model="dedicated_team", share=None)
    if assessment.margin.high < 0:
        return Leaning(model="project_based", share=None)
    return Leaning(model=None, share=None)


def _deciding_questions(
    kind: Kind | None, assessment: Assessment, vetoes: Sequence[Veto], questionnaire: Questionnaire
) -> tuple[str, ...]:
    match kind:
        case None:
            asked: Iterable[str] = ()
        case "incomplete":
            asked = sorted(assessment.unknown, key=lambda question: not questionnaire.question(question).key_question)
        case "contradictory":
            hard_first = sorted(assessment.checks, key=lambda check: check.severity != "hard")
            asked = chain.from_iterable(check.questions for check in hard_first)
        case "undecided":
            towards_both = assessment.outlook.towards_both if assessment.outlook else {}
            dividing = [question for question in assessment.unknown if towards_both.get(question)]
            reaching = sorted(assessment.contributions, key=_reach, reverse=True)
            asked = chain(dividing, (item.question for item in reaching))
        case "veto":
            asked = chain.from_iterable(veto.when for veto in vetoes)
    return tuple(dict.fromkeys(asked))[:DECIDING_QUESTIONS]


def _reach(contribution: Contribution) -> float:
    """The furthest that another answer would move the margin, in points."""
    if contribution.margin is None:
        return contribution.high - contribution.low
    return max(contribution.high - contribution.margin, contribution.margin - contribution.low)


def _applied(
    about: About, rule: SideRule | FormRule | Staging, met: Iterable[str], answers: dict[str, str]
) -> AppliedRule:
    return AppliedRule(
        id=rule.id,
        about=about,
        reason=rule.reason,
        instead=rule.instead if isinstance(rule, Veto) else None,
        answers={question: answers[question] for question in met},
    )
