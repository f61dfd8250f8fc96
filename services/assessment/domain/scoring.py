"""From answers to an assessment: the same answers under the same rubric give the same bytes."""

from collections.abc import Mapping

from services.assessment.domain import acceptability, explanation, robustness, splits, stability
from services.assessment.domain.counterfactuals import counterfactuals
from services.assessment.domain.outlook import prospects
from services.assessment.domain.rubric import WHOLE_WEIGHT, Rubric
from services.assessment.domain.scale import scale_of
from services.assessment.domain.verdict import answered_weight_bp, decide, strength_of
from shared.contracts.assessment import Assessment, Check, VersionHash
from shared.contracts.intake import Answer
from shared.questionnaire import UNKNOWN, Questionnaire


class UnheardAnswer(ValueError):
    """An answer names a question or a level that the questionnaire does not have; the message says which."""


def assess(answers: Mapping[str, Answer], rubric: Rubric, questionnaire: Questionnaire) -> Assessment:
    """The assessment of these answers under a rubric that was parsed for this questionnaire.

    An omitted answer is unknown, and an unknown answer that follows from another is filled in as inferred.
    UnheardAnswer when an answer names what the questionnaire does not have.
    """
    given = {question: answer.level for question, answer in answers.items()}
    if refusals := questionnaire.refusals(given):
        raise UnheardAnswer("; ".join(f"{question}: {refusal}" for question, refusal in refusals.items()))
    scale = scale_of(rubric, questionnaire)
    levels = questionnaire.completed(given)
    scored = scale.scored(levels)
    total = scale.total(levels)
    verdict = decide(levels, total, scale)
    scores, margin = explanation.points(scored, scale.whole)
    ahead = prospects(levels, scale)
    return Assessment(
        verdict=verdict,
        strength=strength_of(verdict, levels, total, scale),
        scores=scores,
        margin=margin,
        dimensions=explanation.dimensions(levels, scale),
        contributions=explanation.contributions(levels, scale),
        reasons=explanation.reasons(levels, scale),
        answered_weight=answered_weight_bp(levels, scale) / WHOLE_WEIGHT,
        checks=tuple(
            Check(id=contradiction.id, severity=contradiction.severity, questions=tuple(contradiction.when))
            for contradiction in questionnaire.open_contradictions(levels)
        ),
        unknown=ahead.unknown,
        answers={question: _answer(level, answers.get(question)) for question, level in levels.items()},
        questionnaire=VersionHash(version=questionnaire.version, hash=questionnaire.hash),
        rubric=VersionHash(version=rubric.version, hash=rubric.hash),
        robustness=robustness.share(scored, scale),
        acceptability=acceptability.share(scored, scale),
        outlook=ahead.outlook,
        counterfactuals=counterfactuals(levels, total, verdict, scale),
        stability=stability.of_questions(scored, scale),
        dimension_stability=stability.of_dimensions(scored, scale),
        central_weights=acceptability.central_weights(scored, scale),
        next_question=ahead.next_question,
        weight_bank=scale.weight_bank.hash,
        splits=splits.found(levels, scale.hybrids) if verdict == "both" and scale.hybrids else (),
    )


def _answer(level: str, given: Answer | None) -> Answer:
    if level == UNKNOWN:
        return Answer(level=UNKNOWN)
    if given is None or given.level != level:
        return Answer(level=level, confidence="inferred")
    return given
