import string
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from services.intake.domain import accounts
from services.intake.domain.accounts import FieldsRefused, LastAdmin
from shared.contracts.intake import Role


@pytest.mark.parametrize(
    "address",
    ["ann@company.com", " Ann@Company.COM ", "ann@intranet", "ann@corp.local", "ann+sales@bücher.de"],
)
def test_an_address_is_taken_as_people_write_it(address: str) -> None:
    assert accounts.email_refusals(address) == {}


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "@company.com",
        "ann@",
        "ann@x@y.com",
        "ann smith@company.com",
        "ann\x00@company.com",
        "a" * 251 + "@b.c",
    ],
)
def test_what_is_no_address_is_answered_with_an_example(address: str) -> None:
    assert "name@company.com" in accounts.email_refusals(address)["email"]


def test_an_address_is_one_however_it_is_typed() -> None:
    assert accounts.normalised_email(" ANN@Company.com") == accounts.normalised_email("ann@company.com ")
    assert accounts.normalised_email("Ju\u0308rgen@company.com") == accounts.normalised_email("j\u00fcrgen@company.com")


@given(st.text())
def test_a_normalised_address_stays_as_it_is(text: str) -> None:
    once = accounts.normalised_email(text)
    if not accounts.email_refusals(text):
        assert accounts.normalised_email(once) == once


@pytest.mark.parametrize(
    ("password", "again", "field"),
    [
        ("eleven char", "eleven char", "password"),
        ("", "", "password"),
        ("x" * 257, "x" * 257, "password"),
        ("twelve\tchars in all", "twelve\tchars in all", "password"),
        ("twelve\x00chars in all", "twelve\x00chars in all", "password"),
        ("correct horse battery", "correct horse batterz", "again"),
    ],
)
def test_a_password_that_cannot_be_kept_is_answered_at_its_field(password: str, again: str, field: str) -> None:
    assert list(accounts.password_refusals(password, again)) == [field]


@pytest.mark.parametrize("password", ["twelve chars", "x" * 256, "ünïcödé wörds 🙂🙂", "   spaces   are   fine   "])
def test_any_visible_characters_make_a_password(password: str) -> None:
    assert accounts.password_refusals(password, password) == {}


def test_a_password_is_the_same_from_every_keyboard() -> None:
    assert accounts.normalised_password("Ju\u0308rgen") == accounts.normalised_password("J\u00fcrgen")


@pytest.mark.parametrize(
    "normalised", [accounts.normalised_email, accounts.normalised_name, accounts.normalised_password]
)
def test_what_is_far_too_long_is_not_composed_and_stays_too_long(
    normalised: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    composed: list[str] = []

    def compose(form: str, text: str) -> str:
        composed.append(text)
        return text

    monkeypatch.setattr(unicodedata, "normalize", compose)
    assert len(normalised("a" + "\u0301" * 60_000 + "\u0327" * 60_000)) > accounts.LONGEST_PASSWORD
    assert [len(text) < 2_000 for text in composed] == [True]


@pytest.mark.parametrize("roles", [[], ["owner"], ["sales", "owner"]])
def test_only_known_roles_are_given(roles: list[str]) -> None:
    assert "roles" in accounts.role_refusals(roles)


def test_roles_keep_one_order_and_stand_once() -> None:
    assert accounts.in_order(["admin", "sales", "admin"]) == ("sales", "admin")


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "Ann\x07"])
def test_a_name_is_visible_and_short(name: str) -> None:
    assert "name" in accounts.name_refusals(name)


def test_refusals_are_raised_together_with_what_to_do() -> None:
    with pytest.raises(FieldsRefused) as refused:
        accounts.refuse(accounts.email_refusals("ann") | accounts.name_refusals(""))
    assert list(refused.value.refusals) == ["email", "name"]
    assert "Enter a name." in str(refused.value)


def test_the_last_admin_stays() -> None:
    ann, bo = uuid7(), uuid7()
    accounts.keep_an_admin([ann, bo], ann)
    accounts.keep_an_admin([ann], bo)
    accounts.keep_an_admin([], bo)
    with pytest.raises(LastAdmin):
        accounts.keep_an_admin([ann], ann)


@pytest.mark.parametrize(
    "address",
    ["/", "/reviews/", "/account/people/1?done=roles", "/q/abc%20def", "/console/?next=https://elsewhere.example"],
)
def test_a_path_on_this_site_is_followed(address: str) -> None:
    assert accounts.local_path(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "reviews/",
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "/\\elsewhere.example/",
        "/\t/elsewhere.example/",
        "/\n/elsewhere.example/",
        " //elsewhere.example/",
        "\\\\elsewhere.example",
        "javascript:alert(1)",
        "/reviews/\r\nSet-Cookie: a=b",
    ],
)
def test_an_address_elsewhere_is_not_followed(address: str) -> None:
    assert accounts.local_path(address) is None


@given(st.text(alphabet="/\\\t\n\r :.@%?#" + string.ascii_lowercase, max_size=12))
def test_what_is_followed_never_names_a_host(address: str) -> None:
    followed = accounts.local_path(address)
    if followed is not None:
        stripped = "".join(character for character in followed if character not in "\t\n\r").replace("\\", "/")
        assert stripped.startswith("/")
        assert not stripped.startswith("//")


@pytest.mark.parametrize(
    ("roles", "path"),
    [
        (("sales",), "/console/"),
        (("sales", "account_manager"), "/reviews/"),
        (("sales", "admin"), "/console/"),
        (("admin",), "/account/people"),
        (("rubric_owner",), "/account/"),
        (("rubric_owner", "admin"), "/account/people"),
    ],
)
def test_everybody_begins_where_the_work_is(roles: tuple[Role, ...], path: str) -> None:
    assert accounts.home(roles) == path
