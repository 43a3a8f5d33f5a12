"""`hotline demo`: the story (`story`), its cast of processes (`cast`), and the verdict on it (`checks`)."""

from hotline.demo.story import run

__all__ = ["run"]
