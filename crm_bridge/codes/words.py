"""What the message with a code says. Pure."""

from collections.abc import Mapping
from typing import Final

HIDDEN: Final = "••••••"
"""What stands for the digits wherever somebody else might read them."""
SUBJECT: Final[Mapping[str, str]] = {"vi": "Mã xác minh", "en": "Your code"}
KEYED: Final[Mapping[str, str]] = {
    "vi": (
        "Mã xác minh của quý khách là {code}, có hiệu lực trong {minutes} phút. "
        "Chỉ bấm mã này trên điện thoại, trong cuộc gọi mà chính quý khách gọi đến chúng tôi, và không cho ai biết. "
        "Nếu quý khách không gọi chúng tôi, xin bỏ qua tin nhắn này."
    ),
    "en": (
        "Your code is {code}, good for {minutes} minutes. "
        "Key it in on your phone, in the call that you are making to us, and tell it to nobody. "
        "If you are not calling us, ignore this message."
    ),
}
SPOKEN: Final[Mapping[str, str]] = {
    "vi": (
        "Mã xác minh của quý khách là {code}, có hiệu lực trong {minutes} phút. "
        "Chỉ đọc mã này cho nhân viên của chúng tôi, trong cuộc gọi mà quý khách đang nói, và không cho ai khác biết. "
        "Nếu quý khách không nói chuyện với chúng tôi, xin bỏ qua tin nhắn này."
    ),
    "en": (
        "Your code is {code}, good for {minutes} minutes. "
        "Tell it to our agent in the call that you are in, and to nobody else. "
        "If you are not talking with us, ignore this message."
    ),
}


def text_of(digits: str, valid_s: float, *, spoken: bool) -> dict[str, str]:
    """Return the message by language. `spoken`: an agent asks for the code, else it is keyed in."""
    minutes = max(1, round(valid_s / 60))
    return {name: text.format(code=digits, minutes=minutes) for name, text in (SPOKEN if spoken else KEYED).items()}
