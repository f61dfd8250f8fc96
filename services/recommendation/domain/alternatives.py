"""What would change the proposal: the assessment's counterfactuals under the vetoes, and what would lift a veto."""

from itertools import combinations, product

from pydantic import BaseModel, ConfigDict

from services.recommendation.domain.offer import MODELS, Kind, Offer, offered, stands, vetoes_on
from services.recommendation.domain.playbook import Playbook, Veto
from shared.contracts.assessment import Assessment, Change, Strength
from shared.contracts.recommendation import Model
from shared.questionnaire import Questionnaire, matches


class Alternative(BaseModel):
    """A model that would be proposed instead if these answers were others; a discovery call has a `kind`.

    Where `lifts` names vetoes, the changes lift them and nothing then stands in the model's way. Whether the answers
    still lead to it has to be scored again, so it has no strength.
    """

    model_config = ConfigDict(frozen=True)

    model: Model
    kind: Kind | None
    strength: Strength | None
    changes: tuple[Change, ...]
    lifts: tuple[str, ...] = ()


def alternatives(
    assessment: Assessment, playbook: Playbook, questionnaire: Questionnaire, proposed: Offer
) -> tuple[Alternative, ...]:
    """What would be proposed instead of this, in the assessment's order, after what would lift the vetoes on it."""
    answers = {question: answer.level for question, answer in assessment.answers.items()}
    scored = [
        (counterfactual, {change.question: change.to for change in counterfactual.changes})
        for counterfactual in assessment.counterfactuals
    ]
    found: list[Alternative] = []
    if proposed.kind == "veto":
        away = [changes for _, changes in scored]
        found += _lifting(MODELS[assessment.verdict], answers, away, playbook, questionnaire)
    for counterfactual, changes in scored:
        model, kind = offered(counterfactual.verdict, answers | changes, playbook)
        if model != proposed.model:
            strength = counterfactual.strength if kind is None else None
            found.append(Alternative(model=model, kind=kind, strength=strength, changes=counterfactual.changes))
    return tuple(found)


def _lifting(
    model: Model,
    answers: dict[str, str],
    away: list[dict[str, str]],
    playbook: Playbook,
    questionnaire: Questionnaire,
) -> list[Alternative]:
    """The fewest answers of the vetoes that must change before the model stands, each set of questions once.

    Each set moves as few levels as will do. None is a change that leads `away` to another verdict, and none makes
    answers contradict each other that did not before.
    """
    before = vetoes_on(model, answers, playbook)
    asked = [question.id for question in questionnaire.questions if any(question.id in veto.when for veto in before)]
    misfits = _misfits(answers, questionnaire)

    def lifts(changes: dict[str, str]) -> bool:
        changed = answers | changes
        return changes not in away and stands(model, changed, playbook) and _misfits(changed, questionnaire) <= misfits

    for size in range(1, len(asked) + 1):
        lifting = [
            changes
            for questions in combinations(asked, size)
            if (changes := next(filter(lifts, _nearest_first(questions, answers, questionnaire)), None))
        ]
        if lifting:
            return [_lifted(model, before, answers, changes, playbook) for changes in lifting]
    return []


def _nearest_first(
    questions: tuple[str, ...], answers: dict[str, str], questionnaire: Questionnaire
) -> list[dict[str, str]]:
    """The other answers to all of these questions, fewest steps between levels first, then in catalogue order."""
    others = []
    for question in questions:
        keys = [level.key for level in questionnaire.question(question).levels]
        at = keys.index(answers[question])
        others.append([(abs(place - at), key) for place, key in enumerate(keys) if place != at])
    ways = sorted(product(*others), key=lambda way: sum(steps for steps, _ in way))
    return [dict(zip(questions, (key for _, key in way), strict=True)) for way in ways]


def _misfits(answers: dict[str, str], questionnaire: Questionnaire) -> set[str]:
    """The contradictions between these answers, and the implications that they go against."""
    found = {rule.id for rule in questionnaire.open_contradictions(answers)}
    for rule in questionnaire.implications:
        if matches(rule.when, answers) and not rule.then.items() <= answers.items():
            found.add(rule.text)
    return found


def _lifted(
    model: Model, before: list[Veto], answers: dict[str, str], changes: dict[str, str], playbook: Playbook
) -> Alternative:
    still = vetoes_on(model, answers | changes, playbook)
    return Alternative(
        model=model,
        kind=None,
        strength=None,
        changes=tuple(
            Change.model_validate({"question": question, "from": answers[question], "to": level})
            for question, level in changes.items()
        ),
        lifts=tuple(veto.id for veto in before if veto not in still),
    )
