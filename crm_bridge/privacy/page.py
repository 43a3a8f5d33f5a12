"""The page of an export that people read, in Vietnamese and English. It loads nothing from anywhere."""

from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any, Final

from telephony.clock import iso

Rows = Sequence[Mapping[str, Any]]

STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin-bottom:1rem}"
    "td,th{border:1px solid #ccc;padding:.3rem .5rem;text-align:left;vertical-align:top}"
    "audio{width:100%}"
)
# (table, title, columns and their heads)
SECTIONS: Final[Sequence[tuple[str, str, Sequence[tuple[str, str]]]]] = (
    (
        "customers",
        "Hồ sơ / Profiles",
        (
            ("name", "Họ tên / Name"),
            ("language", "Ngôn ngữ / Language"),
            ("tags", "Nhãn / Tags"),
            ("created_at", "Từ / Since"),
        ),
    ),
    (
        "identities",
        "Định danh / Identities",
        (
            ("kind", "Loại / Kind"),
            ("value", "Giá trị / Value"),
            ("source", "Nguồn / Source"),
            ("created_at", "Từ / Since"),
        ),
    ),
    (
        "consents",
        "Sự đồng ý / Consents",
        (
            ("purpose", "Mục đích / Purpose"),
            ("state", "Trạng thái / State"),
            ("at", "Lúc / At"),
            ("notice", "Nội dung thông báo / Notice"),
        ),
    ),
    (
        "cases",
        "Vụ việc / Cases",
        (
            ("subject", "Nội dung / Subject"),
            ("state", "Trạng thái / State"),
            ("opened_at", "Mở / Opened"),
            ("closed_at", "Đóng / Closed"),
        ),
    ),
    (
        "customer_facts",
        "Đơn hàng, nhu cầu, khảo sát / Orders, needs, surveys",
        (
            ("kind", "Loại / Kind"),
            ("key", "Số / Number"),
            ("said", "Nội dung / What"),
            ("at", "Lúc / At"),
            ("channel", "Kênh / Channel"),
        ),
    ),
    (
        "interactions",
        "Lịch sử liên hệ / Timeline",
        (
            ("occurred_at", "Lúc / At"),
            ("channel", "Kênh / Channel"),
            ("direction", "Chiều / Direction"),
            ("subject", "Chủ đề / Subject"),
            ("text", "Nội dung / Text"),
            ("note", "Ghi chú / Note"),
        ),
    ),
    (
        "calls",
        "Cuộc gọi / Calls",
        (
            ("started_at", "Bắt đầu / Began"),
            ("ended_at", "Kết thúc / Ended"),
            ("direction", "Chiều / Direction"),
            ("ani", "Số gọi / From"),
            ("dnis", "Số được gọi / To"),
            ("queue", "Hàng đợi / Queue"),
            ("agent", "Nhân viên / Agent"),
        ),
    ),
    (
        "privacy_requests",
        "Yêu cầu / Requests",
        (
            ("kind", "Loại / Kind"),
            ("received_at", "Nhận / Received"),
            ("due_at", "Hạn / Due"),
            ("outcome", "Kết quả / Outcome"),
        ),
    ),
)


def page(data: Mapping[str, Rows], made_at: float, files: Collection[str]) -> str:
    """Return the page; `files` are the names in the archive that it may lead to."""
    sections = "".join(_section(title, heads, data.get(table, ())) for table, title, heads in SECTIONS)
    return (
        '<!DOCTYPE html>\n<html lang="vi"><head><meta charset="utf-8">'
        f"<title>Dữ liệu cá nhân / Personal data</title><style>{STYLE}</style></head><body>"
        "<h1>Dữ liệu cá nhân / Personal data</h1>"
        f"<p>Lập lúc / Made at {escape(iso(made_at))}. Toàn bộ, cho máy đọc / All of it, for programs: "
        '<a href="data.json">data.json</a></p>'
        f"{sections}{_recordings(data, files)}</body></html>\n"
    )


def _section(title: str, heads: Sequence[tuple[str, str]], rows: Rows) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for _, name in heads)
    body = "".join("<tr>" + "".join(f"<td>{_cell(row[column])}</td>" for column, _ in heads) + "</tr>" for row in rows)
    return f"<h2>{escape(title)}</h2><table><tr>{head}</tr>{body}</table>"


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        value = ", ".join(f"{name}: {_words(each)}" for name, each in value.items() if each is not None)
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return escape("" if value is None else str(value)).replace("\n", "<br>")


def _recordings(data: Mapping[str, Rows], files: Collection[str]) -> str:
    words = {row["recording_id"]: str(row["text"]) for row in data.get("transcripts", ())}
    parts = [_recording(row, words.get(row["id"], ""), files) for row in data.get("recordings", ())]
    return "<h2>Ghi âm / Recordings</h2>" + "".join(parts) if parts else ""


def _recording(row: Mapping[str, Any], words: str, files: Collection[str]) -> str:
    name = f"recordings/{row['id']}.wav"
    sound = f'<audio controls preload="none" src="{escape(name)}"></audio>' if name in files else ""
    return f"<h3>{escape(str(row['started_at']))}</h3>{sound}<p>{_cell(words)}</p>"
