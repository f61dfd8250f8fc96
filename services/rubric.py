"""`advisor rubric`: what an operator does for the rubric owner."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from services.assessment.domain import document
from services.assessment.domain.gates import Checked, check
from services.assessment.domain.gates.source import Source
from services.terminal import fail, say

QUESTIONNAIRES = Path(str(files("shared.questionnaire")))
GOLDEN_CASES = Path(str(files("services.assessment") / "golden_cases"))

app = App(name="rubric", help="What each answer is worth, and the thresholds of the verdict: check, publish, go back.")


@app.command(name="check")
def check_file(file: Path, /, *, as_json: Annotated[bool, Parameter(name="--json", negative=())] = False) -> None:
    """Try a rubric at every gate and say what holds and what to mend, by file and line; 1 unless all hold.

    Parameters
    ----------
    file
        The rubric, as YAML.
    as_json
        Answer in JSON.
    """
    checked = _checked(_text(file), str(file))
    say(json.dumps(_as_json(checked), indent=2) if as_json else _in_words(checked))
    if not checked.holds:
        raise SystemExit(1)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        fail(f"{file} is not a text in UTF-8. Save it as one.")
    except OSError as error:
        fail(f"{file} cannot be read ({error.strerror}). Check the name.")


def _checked(text: str, name: str) -> Checked:
    draft = Source(name, document.read(text))
    known = sorted(file.stem for file in QUESTIONNAIRES.glob("*.yaml"))
    match draft.document.content:
        case {"questionnaire": str(version)}:
            return check(draft, _packaged(QUESTIONNAIRES, version), _packaged(GOLDEN_CASES, version), known)
    return check(draft, None, None, known)


def _packaged(folder: Path, version: str) -> Source | None:
    """What is packaged for a version of the questionnaire, or None; the version may be any text."""
    found = next((file for file in folder.glob("*.yaml") if file.stem == version), None)
    if found is None:
        return None
    name = found.relative_to(Path.cwd()) if found.is_relative_to(Path.cwd()) else found
    return Source(str(name), document.read(found.read_text(encoding="utf-8")))


def _in_words(checked: Checked) -> str:
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


def _as_json(checked: Checked) -> dict[str, Any]:
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
