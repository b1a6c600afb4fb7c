"""The chain of a finding: from the document that states it to each place where its fix stands, or does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from deployments import chain_answers, chain_links
from deployments.chain_answers import MISSING, NOT_LIVE, Answer, on_its_way
from deployments.chain_facts import Known
from deployments.chain_links import ChainLink
from reviews.models import Finding
from reviews.standing import LIVE, OPEN, PRESENT, VERIFIED, Standing, standing_of

# what a chain has room for in one line, and notes under it
IN_A_LINE: Final = 4
NOTES: Final = 2


@dataclass(frozen=True, slots=True)
class Chain:
    """``more`` is how many places there are beyond those shown."""

    finding: Finding
    standing: Standing
    answers: list[Answer]
    more: int
    near: list[ChainLink]
    far: list[ChainLink]

    @property
    def links(self) -> list[ChainLink]:
        return [*self.near, *self.far]

    @property
    def strip(self) -> list[ChainLink]:
        """The links in one line: one for each place, as far as there is room."""
        releases = [link for link in self.near if link.kind == "Release"]
        near = [link for link in self.near if link.kind != "Release"] + releases[-1:]
        return near + [_in_the_line(answer, self.named(answer)) for answer in self.answers[:IN_A_LINE]]

    @property
    def unseen(self) -> int:
        return max(len(self.answers) - IN_A_LINE, 0) + self.more

    @property
    def cuts(self) -> list[Answer]:
        """The places, the last first, where a rollback would cut the chain."""
        return [answer for answer in reversed(self.answers) if answer.cut][:NOTES]

    @property
    def missed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.word == NOT_LIVE]

    @property
    def tone(self) -> str:
        """How the answer looks: good where the fix is live wherever it could be."""
        if self.standing.word in {LIVE, VERIFIED} and not self.missed:
            return "good"
        return "warn" if self.standing.word not in {"", OPEN} else ""

    @property
    def said(self) -> str:
        """The answer in a few words."""
        word = self.standing.word
        if word not in {PRESENT, LIVE, VERIFIED}:
            return self.standing.sentence or f"{self.finding.get_state_display()}: nobody means to fix it"
        if self.missed:
            where = ", ".join(self.named(answer) for answer in self.missed[:3])
            more = f" and {len(self.missed) - 3} more" if len(self.missed) > 3 else ""
            last = self.answers[-1]
            if last.word == NOT_LIVE:
                return f"Fixed, not live in {where}{more}"
            return f"{last.word.capitalize()} in {self.named(last)}, not in {where}{more}"
        if not self.answers:
            return "Fixed; the project has no place to be live in"
        verified = all(answer.word == VERIFIED for answer in self.answers)
        return "Verified live" if verified else "Live"

    def named(self, answer: Answer) -> str:
        """The environment, with the service where the project has several."""
        several = len({other.service for other in self.answers}) > 1
        return answer.place if several else answer.environment


def _in_the_line(answer: Answer, named: str) -> ChainLink:
    if answer.word == NOT_LIVE:
        return ChainLink("Health", "pulse", "not yet", named, MISSING, "")
    assert answer.deployment is not None
    icon = "pulse" if answer.word == VERIFIED else "ship"
    return ChainLink("Deployment", icon, named, f"Deployment {answer.deployment.pk}", answer.proof, "")


def chain_of(finding: Finding) -> Chain:
    """The chain as it is now, in a constant number of queries.

    ``finding`` comes with its series, project and ticket.
    """
    known = Known(finding)
    answers, more = chain_answers.answers(known)
    far = [link for answer in answers for link in chain_links.of_answer(known, answer)]
    return Chain(finding, standing_of(finding), answers, more, chain_links.near(known), far)


# In words -------------------------------------------------------------------------


def as_text(chain: Chain) -> str:
    """The chain as somebody pastes it into a message: one line a link."""
    finding = chain.finding
    named = f"{finding.reference}: " if finding.reference else ""
    lines = [f"{named}{finding.title}", f"{chain.said}.", "", "Is this fix live, and how do we know?"]
    lines += [f"- {answer.place}: {_told(answer)}" for answer in chain.answers] or ["- the project has no places yet"]
    if chain.more:
        lines.append(f"- {chain.more} more places are not listed here")
    lines += ["", "Chain:"]
    lines += [f"- {_line(link)}" for link in chain.links]
    return "\n".join(" ".join(line.split()) if line else "" for line in lines) + "\n"


def _told(answer: Answer) -> str:
    said = f"{answer.word}, {answer.sentence}" if answer.word != NOT_LIVE else f"not live. {answer.sentence}"
    return " ".join(filter(None, [said, on_its_way(answer.waiting), answer.rollback]))


def _line(link: ChainLink) -> str:
    at = f" ({link.at:%Y-%m-%d %H:%M} UTC)" if link.at else ""
    return f"{link.proof.capitalize()}: {link.sentence}{f' — {link.by}' if link.by else ''}{at}"
