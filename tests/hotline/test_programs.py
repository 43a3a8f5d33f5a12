"""The programs of a story: what is said of one that ends before its part."""

import asyncio

import pytest

from hotline.programs import ProgramFailed, spawn


def test_a_program_that_ends_early_is_not_waited_for() -> None:
    async def story() -> None:
        program = await spawn("a program", "hotline.no_such_program")
        await program.until("ready", 60)

    with pytest.raises(ProgramFailed, match=r"a program ended before `ready`:\n.*No module named"):
        asyncio.run(story())
