"""Whether two cases may be of one company: the same address, the same firm's addresses, or nearly the same name."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from rapidfuzz import fuzz, process

MOST_ALIKE = 10
ALIKE = 88

LEGAL_FORMS = frozenset(
    """
    ab ag aps as asa bhd bv bvba co company corp corporation doo eg eirl eood ev gbr gesmbh gmbh inc incorporated kft kg
    kgaa kk lda limited llc llp lp ltd ltda mbh nv ohg oo ood oy oyj plc pte pty pvt sa sarl sas se sencrl sgps sia sl
    slu snc sp spa spzoo sro srl the ug uab und vof z zoo zrt
    """.split()
)
FREEMAIL = frozenset(
    """
    aol.com arcor.de fastmail.com free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com
    hotmail.com hotmail.de hotmail.fr icloud.com interia.pl laposte.net libero.it live.com mac.com mail.com mail.ru
    me.com msn.com o2.pl orange.fr outlook.com outlook.de posteo.de proton.me protonmail.com qq.com seznam.cz
    t-online.de wanadoo.fr web.de wp.pl yahoo.com yahoo.de yahoo.fr yandex.ru ymail.com zoho.com
    """.split()
)
LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ß": "ss", "þ": "th", "&": " ", "+": " ", ".": None, "'": None}
)
WORDS = re.compile(r"\w+")

Kind = Literal["case", "call", "invitation"]
Reason = Literal["email", "domain", "name"]


@dataclass(frozen=True)
class Known:
    """A case, a call or an invitation that may be of the same company: where it stands and who has it."""

    kind: Kind
    id: UUID
    company: str | None
    state: str
    owner: str | None
    since: datetime
    reasons: tuple[Reason, ...]


def company_key(name: str) -> str:
    """A company's name without accents, signs, case and legal form; the whole name where nothing else is in it."""
    folded = name.casefold()
    if not folded.isascii():
        decomposed = unicodedata.normalize("NFKD", folded)
        folded = "".join(character for character in decomposed if not unicodedata.combining(character))
    words = WORDS.findall(folded.translate(LETTERS))
    return " ".join([word for word in words if word not in LEGAL_FORMS] or words)


def email_key(address: str) -> str:
    """An address without case and without what stands between a plus sign and the domain."""
    mailbox, _, domain = address.strip().lower().rpartition("@")
    return f"{mailbox.partition('+')[0]}@{domain}" if mailbox else ""


def firms_domain(address: str) -> str:
    """The domain of an address; empty where anybody may have an address there."""
    domain = address.strip().lower().rpartition("@")[2] if "@" in address else ""
    return "" if domain in FREEMAIL else domain


def alike(name: str, others: Mapping[UUID, str]) -> list[UUID]:
    """Those of the others whose name is nearly the same, the nearest first, at most ten."""
    wanted = company_key(name)
    if not wanted:
        return []
    keys = {one: company_key(other) for one, other in others.items()}
    found = process.extract(wanted, keys, scorer=fuzz.token_sort_ratio, score_cutoff=ALIKE, limit=MOST_ALIKE)
    return [one for _, _, one in found]
