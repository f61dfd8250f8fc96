"""What a form that cannot stand says about its fields."""

from pydantic import ValidationError

from services.recommendation.domain.review import Unfit


def errors_of(refusal: Unfit | ValidationError) -> dict[str, str]:
    """What to do about each field of the form."""
    if isinstance(refusal, Unfit):
        return refusal.errors
    return {
        str(fault["loc"][0]): fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "value_error"
        else {"string_too_long": "Use fewer characters."}.get(fault["type"], "Choose one of those offered.")
        for fault in refusal.errors(include_url=False)
    }
