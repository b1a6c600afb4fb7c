"""Parts of a finding that the author set at the finding's own level: `## H-01 ...`, then `## Impact`, `## Fix`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reviews.importing import decoys
from reviews.importing.document import Section
from reviews.importing.titles import TitleParts, plain
from reviews.importing.vocabulary import label_meaning

# One known part may be chance; two in a row, or one that comes again under the next finding, are a form.
MIN_PARTS = 2


def adopt(sections: Sequence[Section], parts: Mapping[int, TitleParts]) -> None:
    """Put headings that name parts of a finding under the heading with a ref before them, where both are siblings."""
    for section in sections:
        heads = [child for child in section.children if parts[child.index].ref is not None]
        if heads:
            _adopt(section, {head.index for head in heads})


def _adopt(parent: Section, heads: set[int]) -> None:
    kept: list[Section] = []
    run: list[Section] = []
    head: Section | None = None
    for child in parent.children:
        if head is not None and child.index not in heads and child.level == head.level:
            run.append(child)
            continue
        kept.extend(_settle(head, run, between=child.index in heads))
        run, head = [], child if child.index in heads else None
        kept.append(child)
    kept.extend(_settle(head, run, between=False))
    parent.children[:] = kept


def _settle(head: Section | None, run: Sequence[Section], *, between: bool) -> Sequence[Section]:
    """What stays beside the head: after the last finding, whatever follows the last part with a known name."""
    if head is None:
        return run
    known = [at for at, section in enumerate(run) if label_meaning(plain(section.title)) is not None]
    if len(known) < MIN_PARTS:
        return run
    last = known[-1] + 1
    while between and last < len(run) and not _closes(run[last]):
        last += 1
    for section in run[:last]:
        section.parent = head
        head.children.append(section)
        head.end = section.end
    return run[last:]


def _closes(section: Section) -> bool:
    return (
        decoys.decoy_heading(section.title) is not None
        or decoys.recap_heading(section.title)
        or decoys.plan_heading(section.title)
        or len(section.children) > 0
    )
