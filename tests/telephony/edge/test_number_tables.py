"""Numbers are read without a file once their tables are there."""

import subprocess
import sys

# In a process of its own: elsewhere the tables of other tests' numbers are loaded already.
WITHOUT_A_FILE = """
import resource
import phonenumbers
from phonenumbers.shortnumberinfo import is_emergency_number
from telephony.edge import number_tables
number_tables.load()
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
for number in ("0912345678", "+4930123456", "+12125550123", "+80012345678"):
    phonenumbers.number_type(phonenumbers.parse(number, "VN"))
print(is_emergency_number("112", "DE"))
"""


def test_numbers_of_every_country_are_read_when_no_file_can_be_opened() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_FILE], capture_output=True, text=True, check=False, timeout=25
    )
    assert done.stdout == "True\n", done.stderr
