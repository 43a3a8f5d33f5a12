"""What identifies a person, each kind in one normal form: two spellings of one identity are the same string here.

Rule 1: `normalise` is idempotent, and gives "" for whatever identifies nobody: withheld, unusable and short numbers,
numbers of services and switchboards, things that are no address. Nobody is ever found or made by "".

Rule 2: no look-ups and no rows here.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Final, Literal
from urllib.parse import unquote

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

Kind = Literal["phone", "email", "zalo", "facebook", "web", "external"]

MAX_VALUE_LENGTH: Final = 255
MAX_EMAIL_LENGTH: Final = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets

# Vietnam's change of 15 September 2018: 11-digit mobile numbers lost a digit, the last seven stayed.
VIETNAM_2018: Final = {
    "162": "32",
    "163": "33",
    "164": "34",
    "165": "35",
    "166": "36",
    "167": "37",
    "168": "38",
    "169": "39",
    "120": "70",
    "121": "79",
    "122": "77",
    "126": "76",
    "128": "78",
    "123": "83",
    "124": "84",
    "125": "85",
    "127": "81",
    "129": "82",
    "186": "56",
    "188": "58",
    "199": "59",
}
_VIETNAM_OLD_MOBILE = re.compile(rf"(?P<prefix>\+84|0084|84|0|)0?(?P<old>{'|'.join(VIETNAM_2018)})(?P<rest>\d{{7}})")
# phonenumbers lists the sub-blocks handed out so far and lags behind; the plan's own shape is enough for a mobile.
_VIETNAM_MOBILE = re.compile(r"\+84(?:3[2-9]|5[25689]|7[06-9]|8[1-9]|9\d)\d{7}")

_SCHEME = re.compile(r"(?:tel|sips?|callto):", re.IGNORECASE)
_NAME_ADDR = re.compile(r"<([^<>]*)>[^<>]*$")
_EXTENSION = re.compile(r";(?:ext|postd)=", re.IGNORECASE)
_WRITTEN_NUMBER = re.compile(r"\(?\+?[\d\s().\-/]+")
_EMAIL_LOCAL = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}")
_EMAIL_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")

# Numbers that many people answer, or none: they say nothing about who calls.
_OF_NOBODY: Final = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
        PhoneNumberType.VOICEMAIL,
    }
)
LONGEST: Final = 1 + 15
"""E.164 section 6.1: fifteen digits. Some numbering plans know longer numbers, which no network connects."""


def normalise(kind: Kind, value: str, region: str = "VN") -> str:
    """Return the one form of an identity, or "" if it identifies nobody. `region` is for phones (ISO 3166, `VN`)."""
    return _NORMAL_FORMS[kind](value, region)


def phone(number: str, region: str = "VN") -> str:
    """Return a number in E.164 (`+84912345678`), or "" if it identifies nobody.

    Takes whatever comes off a wire or out of a file: national, international with `+` or `00` or neither, with spaces,
    dots, dashes and brackets, inside `tel:` or `sip:`, with the prefixes Vietnam used before 2018. A number with an
    extension is a switchboard's and gives "".
    """
    written = _unwrapped(number)
    if not _WRITTEN_NUMBER.fullmatch(written):
        return ""
    digits = _with_new_prefix(re.sub(r"[^\d+]", "", written), region)
    if not digits.startswith("+") and digits.startswith("00"):
        digits = "+" + digits[2:]  # the international prefix of most of the world, and what trunks send in any region
    try:
        parsed = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return ""
    e164 = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    if _VIETNAM_MOBILE.fullmatch(e164):
        return e164
    if (
        len(e164) > LONGEST
        or not phonenumbers.is_valid_number(parsed)
        or phonenumbers.number_type(parsed) in _OF_NOBODY
    ):
        return ""
    return e164


def email(address: str) -> str:
    """Return an address in lower case with its domain in ASCII (RFC 5891), or "" if it is none.

    The local part is folded too: RFC 5321 section 2.4 lets a host tell `An@` from `an@`, and none does.
    """
    bare = unicodedata.normalize("NFC", address).strip()
    if bare.lower().startswith("mailto:"):
        bare = bare[len("mailto:") :].split("?")[0]
    if bracketed := _NAME_ADDR.search(bare):
        bare = bracketed[1]
    local, at, domain = bare.strip().lower().rpartition("@")
    try:
        domain = domain.rstrip(".").encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    whole = f"{local}@{domain}"
    if not at or not _EMAIL_LOCAL.fullmatch(local) or not _EMAIL_DOMAIN.fullmatch(domain):
        return ""
    return whole if len(whole) <= MAX_EMAIL_LENGTH and whole.isprintable() else ""


def opaque(value: str) -> str:
    """Return another system's id without the space around it, or "" if it cannot be one (unprintable, too long)."""
    bare = value.strip()
    return bare if bare.isprintable() and len(bare) <= MAX_VALUE_LENGTH else ""


_NORMAL_FORMS: Final[dict[Kind, Callable[[str, str], str]]] = {
    "phone": phone,
    "email": lambda value, _region: email(value),
    "zalo": lambda value, _region: opaque(value),
    "facebook": lambda value, _region: opaque(value),
    "web": lambda value, _region: opaque(value),
    "external": lambda value, _region: opaque(value),
}


def fold(name: str) -> str:
    """Return a name without case, diacritics and superfluous space: `Nguyễn Văn Đức` and `nguyen van duc` are one."""
    letters = unicodedata.normalize("NFKD", name.replace("đ", "d").replace("Đ", "D"))
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(bare.casefold().split())[:200].rstrip()


def _unwrapped(number: str) -> str:
    """Return the number inside `tel:`, `sip:` and name-addr wrappers (RFC 3966, RFC 3261 section 25.1)."""
    # Pages that mix scripts put invisible direction marks (category Cf) around numbers, and copying takes them along.
    bare = "".join(sign for sign in unicodedata.normalize("NFKC", number) if unicodedata.category(sign) != "Cf").strip()
    if bracketed := _NAME_ADDR.search(bare):
        bare = bracketed[1].strip()
    if scheme := _SCHEME.match(bare):
        bare = unquote(bare[scheme.end() :]).partition("@")[0]
    if _EXTENSION.search(bare):
        return ""
    return bare.partition(";")[0].strip()


def _with_new_prefix(digits: str, region: str) -> str:
    """Return `digits` with the prefix of today if they are an 11-digit Vietnamese mobile number of before 2018."""
    old = _VIETNAM_OLD_MOBILE.fullmatch(digits)
    if old is None or (region != "VN" and old["prefix"] not in ("+84", "0084")):
        return digits
    return f"+84{VIETNAM_2018[old['old']]}{old['rest']}"
