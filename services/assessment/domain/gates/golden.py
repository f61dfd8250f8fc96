"""Known cases with their verdicts: a rubric keeps these, or says which it means to change."""

from pydantic import BaseModel, ConfigDict

from services.assessment.domain.document import Fault
from services.assessment.domain.gates.source import Mend, Source, at, validated
from services.assessment.domain.rubric import Rubric
from services.assessment.domain.scoring import UnheardAnswer, assess
from shared.contracts.assessment import Verdict
from shared.contracts.intake import Answer
from shared.questionnaire import Questionnaire


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GoldenCase(_Part):
    """Answers whose verdict is agreed; what is left out is unknown."""

    name: str
    verdict: Verdict
    answers: dict[str, str]


class GoldenCases(_Part):
    """The known cases of one version of the questionnaire."""

    cases: tuple[GoldenCase, ...]


def golden_cases(
    draft: Source, golden: Source | None, rubric: Rubric | None, questionnaire: Questionnaire | None
) -> tuple[str, tuple[Mend, ...] | None]:
    """What the gate promises, and the cases whose verdict changes without being meant to."""
    promise = "Every known case keeps its verdict, but for the changes that are intended."
    if rubric is None or questionnaire is None:
        return promise, None
    if golden is None:
        lacking = Fault(("questionnaire",), "its questionnaire has no golden cases: package some beside the rubric")
        return promise, tuple(at(draft, [lacking]))
    cases, mends = validated(GoldenCases, golden)
    if cases is None:
        return promise, tuple(mends)
    intended = dict(rubric.intended_changes)
    unmet: list[Fault] = []
    for index, case in enumerate(cases.cases):
        try:
            answers = {question: Answer(level=level) for question, level in case.answers.items()}
            verdict = assess(answers, rubric, questionnaire).verdict
        except UnheardAnswer as refusal:
            mends += at(golden, [Fault(("cases", index), f"{case.name}: {refusal}")])
            continue
        meant = intended.pop(case.name, case.verdict)
        if verdict != meant:
            unmet.append(
                Fault(
                    ("intended_changes", case.name),
                    f"{case.name} is {verdict} and should be {meant}: change the rubric, or write "
                    f'"{case.name}: {verdict}" under intended_changes',
                )
            )
        elif verdict == case.verdict and case.name in rubric.intended_changes:
            unmet.append(
                Fault(("intended_changes", case.name), f"{case.name} keeps its verdict: take out the intended change")
            )
    unmet += [
        Fault(("intended_changes", name), f"there is no golden case {name}: take it out, or mend its name")
        for name in intended
    ]
    changed = len(rubric.intended_changes)
    return f"{len(cases.cases) - changed} known cases keep their verdict, {changed} change it as intended.", (
        *mends,
        *at(draft, unmet),
    )
