"""A proposal that some lines are a finding, or a note that they look like one and are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reviews.importing.document import Block, Row, Section
from reviews.importing.fields import Field
from reviews.importing.model import LeftOut
from reviews.importing.regions import Region
from reviews.importing.titles import TitleParts

# What a candidate was read from decides how far it reaches and what may stand inside it.
Shape = Literal["heading", "item", "row", "paragraph"]
# 1: listed as a finding. 2: listed in a plan or recap. 3: a warning among check marks. A later tier counts only when
# nothing surer is found.
Tier = Literal[1, 2, 3]


@dataclass(frozen=True, slots=True)
class Candidate:
    """`weight` is how sure a recogniser is; the strongest proposal for the same lines wins."""

    shape: Shape
    parts: TitleParts
    region: Region
    section: Section
    line_start: int
    line_end: int
    reason: str
    weight: float
    tier: Tier = 1
    block: Block | None = None
    row: Row | None = None
    fields: tuple[Field, ...] = ()
    cells: tuple[tuple[str, str], ...] = ()
    title: str = ""
    alternative_title: str = ""

    def cell(self, meaning: str) -> str | None:
        return next((value for name, value in self.cells if name == meaning and value), None)


Proposal = Candidate | LeftOut


def tier_of(region: Region) -> Tier:
    return 2 if region.kind in ("plan", "recap") else 1
