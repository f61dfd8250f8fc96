"""What a submission must hold, and the fact it becomes."""

import unicodedata
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from email_validator import EmailNotValidError, ValidatedEmail, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from services.intake.domain.countries import COUNTRIES
from shared.contracts.intake import (
    Answer,
    Campaign,
    Channel,
    Company,
    Confidence,
    Headcount,
    Industry,
    IntakeSubmitted,
    Submission,
)
from shared.language import gettext_noop
from shared.questionnaire import PUBLISHED, UNKNOWN, Questionnaire, load

CONSENT_TEXT = "2026-11"
MAX_TEXT = 200
LONGEST_COMPOSED = 5
UNSHOWN = {"Cc", "Cs", "Co", "Zl", "Zp"}
TOO_LONG = gettext_noop("Use at most 200 characters.")


class UnknownIntake(Exception):
    """There is no such intake."""


class CaseErased(Exception):
    """The case was erased, and nothing about it may be kept again."""

    def __init__(self) -> None:
        super().__init__(gettext_noop("This case was erased on request. Nothing more can be written about it."))


class RevisedMeanwhile(Exception):
    """Somebody else has sent in a revision since these answers were looked at."""

    def __init__(self) -> None:
        super().__init__(
            gettext_noop("Another revision came in while you were writing. Compare it with yours, then send again.")
        )


class RevisionClosed(Exception):
    """The request is finished, so its answers can no longer be changed."""

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__(gettext_noop("Its answers can no longer be changed. Start a new request to give others."))


def _plain(text: str) -> str:
    # composing takes time by the square of the length, and leaves what is this long too long
    if len(text) > LONGEST_COMPOSED * MAX_TEXT:
        raise ValueError(TOO_LONG)
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise ValueError(gettext_noop("Fill this in."))
    if len(text) > MAX_TEXT:
        raise ValueError(TOO_LONG)
    if any(unicodedata.category(character) in UNSHOWN for character in text):
        raise ValueError(gettext_noop("It holds characters that cannot be shown. Type it again."))
    return text


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError("Use a country's two-letter code (ISO 3166-1), such as DE.")
    return code


def mail_address(text: str) -> ValidatedEmail:
    """An address that every mail server takes, in its ASCII form at least; raises EmailNotValidError."""
    return validate_email(text, allow_smtputf8=False, check_deliverability=False)


def _email(address: str) -> str:
    try:
        return mail_address(_plain(address)).normalized
    except EmailNotValidError as error:
        raise ValueError(gettext_noop("Give an e-mail address such as name@company.com.")) from error


def is_email(text: str) -> bool:
    """True when mail can be addressed to it."""
    try:
        _email(text)
    except ValueError:
        return False
    return True


Text = Annotated[str, AfterValidator(_plain)]
Country = Annotated[
    str, BeforeValidator(lambda code: code.upper() if isinstance(code, str) else code), AfterValidator(_country)
]
Email = Annotated[str, AfterValidator(_email)]


class Form(BaseModel):
    """Something that was sent in: strict, and nothing in it that is not asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CompanyForm(Form):
    """The company that asks."""

    name: Text
    headcount: Headcount
    industry: Industry
    country: Country


class ContactForm(Form):
    """The person to answer."""

    name: Text
    email: Email


class ConsentForm(Form):
    """Agreement to be contacted about this request: to which text, and who obtained it."""

    given: bool
    text_version: Text = CONSENT_TEXT
    obtained_by: Text = "the person themselves"

    @field_validator("given")
    @classmethod
    def _is_given(cls, given: bool) -> bool:
        if not given:
            raise ValueError("Without agreement the answers cannot be kept. Ask for it first.")
        return given


class AnswerForm(Form):
    """A level key or `unknown`, and whether it was said or inferred."""

    level: str
    confidence: Confidence = "said"


def _answer(given: object) -> object:
    return {"level": given} if isinstance(given, str) else given


Answers = dict[str, Annotated[AnswerForm, BeforeValidator(_answer)]]


class AnswersForm(Form):
    """Answers to the published questionnaire; left out or `unknown` means not known yet."""

    answers: Answers

    @field_validator("answers")
    @classmethod
    def _are_asked(cls, answers: Answers) -> Answers:
        refused = load(PUBLISHED).refusals({question: answer.level for question, answer in answers.items()})
        if refused:
            raise ValueError("; ".join(f"{question}: {what}" for question, what in refused.items()))
        return answers


class SubmissionForm(AnswersForm):
    """A whole submission. `consent: true` is short for given, on the current text."""

    company: CompanyForm
    contact: ContactForm
    consent: ConsentForm

    @model_validator(mode="before")
    @classmethod
    def _short_consent(cls, content: Any) -> Any:
        if isinstance(content, dict) and isinstance(content.get("consent"), bool):
            return {**content, "consent": {"given": content["consent"]}}
        return content


class RevisionForm(AnswersForm):
    """The answers that changed; the others stay."""

    answers: Answers = Field(min_length=1)


def given_answers(form: AnswersForm) -> dict[str, Answer]:
    """The answers as they were given."""
    return {
        question: Answer(level=given.level, confidence=given.confidence) for question, given in form.answers.items()
    }


def complete(given: dict[str, Answer], questionnaire: Questionnaire) -> dict[str, Answer]:
    """Every question with its answer: as given, else inferred from another answer, else unknown."""
    levels = questionnaire.completed({question: answer.level for question, answer in given.items()})
    return {
        question: given[question]
        if question in given and given[question].level == level
        else Answer(level=level, confidence="said" if level == UNKNOWN else "inferred")
        for question, level in levels.items()
    }


def submitted(
    *,
    intake_id: UUID,
    revision: int,
    version: int,
    questionnaire: Questionnaire,
    given: dict[str, Answer],
    company: Company,
    channel: Channel,
    language: str,
    now: datetime,
    author: UUID | None = None,
    campaign: Campaign | None = None,
) -> IntakeSubmitted:
    """The fact that a revision was accepted; `author` is the colleague who took it down, if one did."""
    submission = Submission(
        intake_id=intake_id,
        revision=revision,
        questionnaire=questionnaire.version,
        answers=complete(given, questionnaire),
        company=company,
        channel=channel,
        language=language,
        submitted_at=now,
        author=author,
        campaign=campaign,
    )
    return IntakeSubmitted(intake_id=intake_id, version=version, time=now, submission=submission)


def is_revisable(state: str) -> bool:
    """Answers may change until the client has answered."""
    return state not in ("accepted", "withdrawn", "erased")


def check_revisable(state: str) -> None:
    """Raises RevisionClosed where answers may change no more."""
    if not is_revisable(state):
        raise RevisionClosed(state)


def changes(before: dict[str, Answer], after: dict[str, Answer]) -> dict[str, Answer]:
    """What a question was answered before, for each question whose level or confidence is another one after."""
    return {question: answer for question, answer in before.items() if after[question] != answer}
