"""When two names or addresses may be of one company, by rule and on a real database."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from services.intake.domain.drafts import Entry, begin
from services.intake.domain.duplicates import alike, company_key, email_key, firms_domain
from services.intake.domain.submission import ConsentForm
from services.intake.handlers.prospects import accept, known_of
from services.intake.store import drafts
from shared.contracts.intake import Channel
from shared.postgres import Connection, Database
from tests.intake.prospect import NORDWIND

COLLEAGUE = uuid4()


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Nordwind Energie GmbH & Co. KG", "nordwind energie"),
        ("NORDWIND  energie, Ltd.", "nordwind energie"),
        ("Zażółć Gęślą Sp. z o.o.", "zazolc gesla"),
        ("Ångström ApS", "angstrom"),
        ("Müller & Söhne", "muller sohne"),
        ("O'Neill S.A.R.L.", "oneill"),
        ("AG", "ag"),
        ("株式会社 日立", "株式会社 日立"),
        ("&", ""),
    ],
)
def test_a_name_is_compared_without_accents_signs_and_legal_form(name: str, key: str) -> None:
    assert company_key(name) == key


@pytest.mark.parametrize(
    ("address", "key", "domain"),
    [
        ("Mara.Lind+advisor@Nordwind.Example", "mara.lind@nordwind.example", "nordwind.example"),
        ("mara@gmail.com", "mara@gmail.com", ""),
        ("mara@", "mara@", ""),
        ("mara", "", ""),
        ("", "", ""),
    ],
)
def test_an_address_is_compared_without_case_and_tag_and_freemail_names_no_firm(
    address: str, key: str, domain: str
) -> None:
    assert (email_key(address), firms_domain(address)) == (key, domain)


def test_nearly_the_same_name_is_found_the_nearest_first_and_others_are_not() -> None:
    names = ["Alder Works", "Nordwynd Energie", "Nordwind Energie AG"]
    others = {UUID(int=number): name for number, name in enumerate(names)}
    assert alike("Energie Nordwind GmbH", others) == [UUID(int=2), UUID(int=1)]
    assert alike("Birch", others) == alike("", others) == []


async def begun(connection: Connection, channel: Channel, **values: str) -> UUID:
    draft = replace(
        begin(uuid7(), datetime.now(UTC)),
        channel=channel,
        made_by=None if channel == "web" else COLLEAGUE,
        entries={field: Entry(value, 1) for field, value in (NORDWIND | values).items()},
    )
    await drafts.add(connection, draft)
    return draft.id


async def test_cases_calls_and_invitations_of_one_company_are_found_with_the_reason(
    connect: Callable[[str], Awaitable[Database]],
) -> None:
    database = await connect("intake")
    async with database.transaction() as connection:
        await connection.execute(
            "insert into staff (id, version, name, roles, active) values ($1, 1, 'Ida Roth', '{}', true)", COLLEAGUE
        )
        case = await begun(connection, "web", contact_email="jan@other.example")
        draft = await drafts.find(connection, case)
        assert draft is not None
        await accept(connection, draft, ConsentForm(given=True))
        call = await begun(connection, "console", company_name="Something Else", contact_email="jan@nordwind.example")
        invitation = await begun(connection, "link", company_name="Third", contact_email="Mara+1@Nordwind.example")
        await begun(connection, "web")
        await begun(connection, "console", company_name="Alder Works", contact_email="ines@alder.example")
        found = await known_of(connection, "NORDWIND Energie GmbH", "mara@nordwind.example")
        assert [(one.kind, one.id, one.owner, one.state, one.reasons) for one in found] == [
            ("invitation", invitation, "Ida Roth", "not_opened", ("email",)),
            ("case", case, None, "submitted", ("name",)),
            ("call", call, "Ida Roth", "in_progress", ("domain",)),
        ]
        others = await known_of(connection, "", "mara@nordwind.example", besides=[call])
        assert [one.id for one in others] == [invitation]
        assert await known_of(connection, "", "") == []
