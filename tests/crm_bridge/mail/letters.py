"""E-mails as clients write them."""

from crm_bridge.mail.message import Mail, parse

NOON = 1_794_805_200.0
"""2026-11-16 12:00 in Vietnam: when the letters are received."""
WRITTEN = "Mon, 16 Nov 2026 11:59:00 +0700"


def letter(body: str | bytes = "Xin chào\r\n", **fields: str) -> bytes:
    """Return a message; `From_` and the like are fields, in which _ stands for -, and "" leaves one out."""
    named = {
        "From": "An <an@example.vn>",
        "Date": WRITTEN,
        "Message-ID": "<1@example.vn>",
        "Subject": "Đơn hàng 7",
        "Content-Type": "text/plain; charset=utf-8",
    } | {name.rstrip("_").replace("_", "-"): value for name, value in fields.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
    return head.encode() + b"\r\n" + (body.encode() if isinstance(body, str) else body)


def read(body: str | bytes = "Xin chào\r\n", trusted: tuple[str, ...] = (), /, **fields: str) -> Mail:
    return parse(letter(body, **fields), received_at=NOON, trusted=trusted, own=("help@shop.vn",))


def parts(kind: str, *inner: str, boundary: str = "b1") -> tuple[str, str]:
    """Return the Content-Type and the body of a multipart; each of `inner` has its fields."""
    body = "".join(f"--{boundary}\r\n{each}\r\n" for each in inner) + f"--{boundary}--\r\n"
    return f'multipart/{kind}; boundary="{boundary}"', body
