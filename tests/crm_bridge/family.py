"""Two people of one number: hers by her Zalo account, and his too, who gave it after he had one of his own."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.match import claim
from crm_bridge.timeline import NewInteraction, record

PHONE, HIS_OWN = "+84912345678", "+84987654321"
HERS, HIS = "1990-05-17", "1988-11-02"


@dataclass(frozen=True)
class Family:
    """The profiles of two people."""

    lan: str
    minh: str


async def said(session: AsyncSession, account: str, name: str, *numbers: str, at: float = 1.0, **fields: str) -> str:
    """A message from a Zalo account that gives numbers; return whose it is."""
    claims = (claim("zalo", "zalo", account), *(claim("zalo", "phone", number) for number in numbers))
    attributes = {"fields": fields} if fields else {}
    event = NewInteraction("zalo", "inbound", at, claims, name=name, attributes=attributes)
    return (await record(session, event, at)).person


async def family(session: AsyncSession) -> Family:
    """Write both, without committing."""
    lan = await said(session, "lan", "Nguyễn Thị Lan", PHONE, birthday=HERS, order="20264561")
    minh = await said(session, "minh", "Trần Văn Minh", HIS_OWN, at=2.0, birthday=HIS)
    assert await said(session, "minh", "Trần Văn Minh", PHONE, at=3.0) == minh
    return Family(lan, minh)
