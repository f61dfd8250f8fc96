"""A questionnaire filled in on a call: any order, said or inferred, with notes beside the answers."""

from services.intake.domain import drafts
from services.intake.domain.drafts import COMPANY_FIELDS, HOW, INFERRED, Draft, NotKept, unreachable
from shared.language import gettext_noop
from shared.questionnaire import Questionnaire

NOTE = "note."
NOTES = "notes"
MAX_NOTE = 2000

MISSING = {
    "company_name": gettext_noop("Write the company's name."),
    "headcount": gettext_noop("Choose how many people work there. Ask for a rough figure if they are not sure."),
    "industry": gettext_noop("Choose the industry that is nearest to theirs."),
    "country": gettext_noop("Choose the country the company is based in."),
}


def fields(questionnaire: Questionnaire) -> tuple[str, ...]:
    """Everything that a call's page takes down, in its order."""
    questions = [
        field for question in questionnaire.questions for field in (question.id, HOW + question.id, NOTE + question.id)
    ]
    return (*COMPANY_FIELDS, *questions, NOTES)


def kept(field: str, value: str, questionnaire: Questionnaire) -> str:
    """The value as a call's draft keeps it. Raises NotKept."""
    if field == NOTES or field.startswith(NOTE):
        return _note(value)
    if field.startswith(HOW):
        if value not in ("", INFERRED):
            raise NotKept(gettext_noop("Choose whether it was said or inferred."))
        return value
    return drafts.kept(field, value, questionnaire)


def _note(text: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if len(text) > MAX_NOTE:
        raise NotKept(gettext_noop("Use at most 2,000 characters for a note."))
    if not all(character.isprintable() or character in "\n\t" for character in text):
        raise NotKept(gettext_noop("The note holds characters that cannot be shown. Type it again."))
    return text


def notes(draft: Draft) -> dict[str, str]:
    """Field to the note that was taken in it, each as it reads by itself."""
    taken = {NOTES: draft.entry(NOTES).value}
    for question in draft.questionnaire.questions:
        if note := draft.entry(NOTE + question.id).value:
            taken[NOTE + question.id] = f"{question.text}\n{note}"
    return {field: note for field, note in taken.items() if note}


def missing(draft: Draft) -> dict[str, str]:
    """Field to what to do before the call's answers can be sent. The contact may be left out, but not by half."""
    needed = {field: ask for field, ask in MISSING.items() if not draft.entry(field).value}
    name, email = draft.entry("contact_name").value, draft.entry("contact_email").value
    if email and (ask := unreachable(email)):
        needed["contact_email"] = ask
    elif name and not email:
        needed["contact_email"] = gettext_noop("Write their e-mail address too, or leave the name out.")
    elif email and not name:
        needed["contact_name"] = gettext_noop("Write their name too, or leave the address out.")
    return needed
