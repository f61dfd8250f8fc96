"""What the commands for rubrics answer, in words and in JSON."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from services.assessment.domain.gates import Checked
from services.assessment.domain.shadow import HUNDREDTHS, Outcome, Report, Said
from shared.contracts.assessment import Reason

SHORT = {"clear": "clear", "leaning": "lean"}
ENDS = {0: "least", 100: "most"}
WIDTH = 14


def gates_in_words(checked: Checked) -> str:
    """What holds, and what is to mend and where."""
    lines = []
    for gate in checked.gates:
        if gate.mends:
            lines.append(f"to mend  {gate.name}")
            lines += [f"         - {mend.file}:{mend.line}: {mend.message}." for mend in gate.mends]
        else:
            lines.append(f"{'waits  ' if gate.mends is None else 'holds  '}  {gate.name}: {gate.promise}")
    if checked.rubric is not None and checked.holds:
        rubric = checked.rubric
        lines.append(f"Rubric {rubric.version} for questionnaire {rubric.questionnaire} passes every gate.")
    else:
        count = sum(len(gate.mends or ()) for gate in checked.gates)
        lines.append(f"To mend: {count}. What waits is tried once the rest holds.")
    return "\n".join(lines)


def gates_as_json(checked: Checked) -> dict[str, Any]:
    """The same for machines."""
    return {
        "holds": checked.holds,
        "gates": [
            {
                "name": gate.name,
                "state": "waits" if gate.mends is None else "to_mend" if gate.mends else "holds",
                "promise": gate.promise,
                "mends": [mend._asdict() for mend in gate.mends or ()],
            }
            for gate in checked.gates
        ],
    }


def report_in_words(report: Report) -> str:
    """A replay as a person reads it: the whole first, then each case whose verdict changes."""
    lines = [
        f"Rubric {report.rubric.version}, on {report.cases} cases of questionnaire {report.questionnaire}.",
        *(
            f"Not scored, because they answered questionnaire {version}: {len(ids)}"
            for version, ids in report.other_questionnaires.items()
        ),
    ]
    if report.call_rate is not None and report.margin_shift is not None:
        lines += ["", *_matrix(report), ""]
        lines.append(f"Calls: {report.call_rate.before:.1%} of cases before, {report.call_rate.after:.1%} after.")
        lines += [
            "",
            _row("Margin moves", [{0: "least", 100: "most"}.get(share, f"{share} %") for share in HUNDREDTHS]),
        ]
        for name, end in (("low end", report.margin_shift.low), ("high end", report.margin_shift.high)):
            lines.append(_row(name, [f"{shift:+.1f}" for shift in end.values()]))
    lines += ["", f"{len(report.flipped)} cases get another verdict."]
    for flip in report.flipped:
        lines.append(f"{flip.intake_id}  (assessed under {flip.rubric})")
        lines += [f"  before  {_said(flip.before)}", f"  after   {_said(flip.after)}"]
    for version, ids in report.other_questionnaires.items():
        lines += ["", f"Not scored, questionnaire {version}:", *(f"{intake_id}" for intake_id in ids)]
    return "\n".join(lines)


def time_in_words(moment: datetime) -> str:
    """A moment, the same for everybody."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _matrix(report: Report) -> list[str]:
    counts = {(one.before, one.after): one.cases for one in report.transitions}
    before, after = (sorted({pair[side] for pair in counts}, key=str) for side in (0, 1))
    return [
        _row("before, after >", map(_outcome, after)),
        *(_row(_outcome(one), [str(counts.get((one, other), "")) for other in after]) for one in before),
    ]


def _row(name: str, cells: Iterable[str]) -> str:
    return f"{name:<18}" + "".join(f"{cell:>{WIDTH}}" for cell in cells)


def _outcome(outcome: Outcome) -> str:
    verdict, strength = outcome
    return verdict if strength is None else f"{verdict[:4]} {SHORT[strength]}"


def _said(said: Said) -> str:
    strength = f" {said.strength}" if said.strength else ""
    margin = " to ".join(f"{end:+.1f}" for end in dict.fromkeys(said.margin))
    return (
        f"{said.verdict}{strength}, margin {margin}: {'; '.join(map(_reason, said.reasons)) or 'no answer stands out'}"
    )


def _reason(reason: Reason) -> str:
    return f"{reason.question} {reason.answer} ({reason.points:.1f} to {reason.side})"
