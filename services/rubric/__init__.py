"""`advisor rubric`: what an operator does for the rubric owner."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import asyncpg
from cyclopts import App, Parameter

from services import laptop
from services.assessment import handlers, store
from services.assessment.domain import document
from services.assessment.domain.activations import Person, Signed, in_force, standing, state
from services.assessment.domain.gates import Checked, check
from services.assessment.domain.gates.source import Source
from services.assessment.domain.shadow import Shadow
from services.intake.domain.accounts import Account, normalised_email, normalised_name
from services.intake.store import accounts
from services.rubric.words import gates_as_json, gates_in_words, report_in_words, time_in_words
from services.running import CannotRun
from services.terminal import Data, connected, database_of, fail, run, say
from shared.questionnaire import PUBLISHED
from shared.service import DatabaseSettings

Json = Annotated[bool, Parameter(name="--json", negative=())]

PAGE = 2000
QUESTIONNAIRES = Path(str(files("shared.questionnaire")))
GOLDEN_CASES = Path(str(files("services.assessment") / "golden_cases"))

app = App(name="rubric", help="What each answer is worth, and the thresholds of the verdict: check, publish, go back.")


@app.command(name="check")
def check_file(file: Path, /, *, as_json: Json = False) -> None:
    """Try a rubric at every gate and say what holds and what to mend, by file and line; 1 unless all hold.

    Parameters
    ----------
    file
        The rubric, as YAML.
    as_json
        Answer in JSON.
    """
    checked = _checked(_text(file), str(file))
    say(json.dumps(gates_as_json(checked), indent=2) if as_json else gates_in_words(checked))
    if not checked.holds:
        raise SystemExit(1)


@app.command
def shadow(
    file: Path, /, *, report: Annotated[Path | None, Parameter(name="--json")] = None, data: Data = None
) -> None:
    """Score every stored case under a draft and compare: what would change, for which cases, and why.

    What was said of a case comes from its own assessment. Nothing is stored.

    Parameters
    ----------
    file
        The draft, as YAML. It need not pass the gates, but it must score a questionnaire.
    report
        Also write everything that was found to this file, as JSON.
    """
    text = _text(file)
    checked = _checked(text, str(file))
    if checked.rubric is None or checked.questionnaire is None:
        say(gates_in_words(checked))
        fail(f"{file} cannot score anything yet. Mend what is listed.")
    compared = Shadow(checked.rubric, checked.questionnaire)

    async def comparing(settings: DatabaseSettings) -> None:
        async with connected(settings, "assessment") as database, database.connection() as connection:
            count, done, last = await store.cases(connection), 0, None
            while page := await store.stored_cases(connection, last, PAGE):
                compared.add(page)
                done, last = done + len(page), page[-1].intake_id
                if count > PAGE:
                    laptop.report(f"{done} of {count} cases")

    run(comparing(database_of(data)))
    found = compared.report()
    say(report_in_words(found))
    if report is not None:
        report.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")


@app.command
def publish(
    file: Path,
    /,
    *,
    author: str,
    signer: str,
    begin: Annotated[datetime | None, Parameter(name="--from")] = None,
    reason: str | None = None,
    data: Data = None,
) -> None:
    """Put a rubric in force for new assessments, once every gate holds and a second person signs.

    Published content never changes. Old assessments keep the version that they were made under.

    Parameters
    ----------
    file
        The rubric, as YAML.
    author
        Who wrote it: e-mail address, name or account id of somebody with the role rubric_owner.
    signer
        Who challenged and signed it: somebody else with that role.
    begin
        When it comes into force; at once unless you say. Without a zone it is this machine's time.
    reason
        Why, for those who read the history.
    """
    text = _text(file)
    checked = _checked(text, str(file))
    if not (checked.holds and checked.rubric):
        say(gates_in_words(checked))
        fail(f"{file} is not published. Mend what is listed, then publish it again.")
    rubric = checked.rubric

    async def publishing(settings: DatabaseSettings) -> None:
        signed = await _signed(settings, author, signer, reason)
        async with connected(settings, "assessment") as database:
            step, is_new = await handlers.publish(database, rubric, text, signed, begin and begin.astimezone(UTC))
        verb = "is in force" if step.active_from <= datetime.now(UTC) else "comes into force"
        when = f"{verb} from {time_in_words(step.active_from)} for questionnaire {step.questionnaire}"
        if is_new:
            say(f"Rubric {step.rubric} {when}. Written by {step.author_name}, signed by {step.signer_name}.")
        else:
            say(f"Nothing to do: rubric {step.rubric} {when} with this content already.")

    run(publishing(database_of(data)))


@app.command
def rollback(
    *,
    author: str,
    signer: str,
    reason: str,
    questionnaire: str = PUBLISHED,
    version: str | None = None,
    data: Data = None,
) -> None:
    """Go one step back, to the rubric that was in force before; or take a version back that is not in force yet.

    Old assessments keep the version that they were made under.

    Parameters
    ----------
    author
        Who decided it: e-mail address, name or account id of somebody with the role rubric_owner.
    signer
        Who signed it: somebody else with that role.
    reason
        Why, for those who read the history.
    questionnaire
        The questionnaire whose rubric it is.
    version
        What to take back: the rubric in force, unless you name another that is to come.
    """

    async def going_back(settings: DatabaseSettings) -> None:
        signed = await _signed(settings, author, signer, reason)
        async with connected(settings, "assessment") as database:
            history = await handlers.roll_back(database, questionnaire, version, signed)
        now = datetime.now(UTC)
        current = in_force(history, now)
        assert current is not None, "a rollback that leaves none is refused"
        say(f"Rubric {history[-1].rubric} is taken back. Rubric {current.rubric} is in force for {questionnaire}.")
        for step in standing(history):
            if step.active_from > now:
                say(f"Rubric {step.rubric} still comes into force from {time_in_words(step.active_from)}.")

    run(going_back(database_of(data)))


@app.command(name="list")
def list_rubrics(*, as_json: Json = False, data: Data = None) -> None:
    """List every step of the history, the newest first: which rubric was put in force or taken back, by whom and why.

    Parameters
    ----------
    as_json
        Answer in JSON.
    """

    async def listing(settings: DatabaseSettings) -> None:
        async with connected(settings, "assessment") as database, database.connection() as connection:
            steps = await store.history(connection)
        now = datetime.now(UTC)
        rows = [
            {
                "questionnaire": step.questionnaire,
                "version": step.rubric,
                "hash": step.hash,
                "step": step.kind,
                "state": state(step, [one for one in steps if one.questionnaire == step.questionnaire], now),
                "active_from": step.active_from.isoformat(),
                "at": step.at.isoformat(),
                "author": step.author_name,
                "signer": step.signer_name,
                "reason": step.reason,
            }
            for step in reversed(steps)
        ]
        if as_json:
            say(json.dumps(rows, indent=2))
            return
        if not rows:
            say("There is no rubric yet. Assessment puts the packaged ones in force when it starts.")
        for step, row in zip(reversed(steps), rows, strict=True):
            people = f"by {step.author_name}, signed by {step.signer_name}" if step.author_name else "with the package"
            say(
                f"{row['state'] or 'rollback':10}  {step.rubric}  for {step.questionnaire}  {step.hash[:12]}  "
                f"from {time_in_words(step.active_from)}  {people}{f': {step.reason}' if step.reason else ''}"
            )

    run(listing(database_of(data)))


async def _signed(settings: DatabaseSettings, author: str, signer: str, reason: str | None) -> Signed:
    try:
        async with connected(settings, "intake") as database, database.connection() as connection:
            people = await accounts.listed(connection, "person")
    except asyncpg.InsufficientPrivilegeError as error:
        raise CannotRun(
            "People are looked up among the accounts, which this database login may not read. "
            "Use the owner's, as `advisor migrate` does."
        ) from error
    return Signed(_person(people, author), _person(people, signer), reason)


def _person(people: Sequence[Account], named: str) -> Person:
    """The one person who is named by e-mail address, name or id."""
    address, name = normalised_email(named), normalised_name(named).casefold()
    found = [one for one in people if address in (one.email, str(one.id)) or name == one.name.casefold()]
    match found:
        case [one]:
            return Person(one.id, one.name, one.roles, one.active)
        case []:
            raise CannotRun(f"Nobody with an account is called {named}. Check the name, or use the e-mail address.")
    addresses = " or ".join(str(one.email) for one in found)
    raise CannotRun(f"{len(found)} people are called {named}. Use an e-mail address: {addresses}.")


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
