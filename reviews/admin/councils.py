"""Councils, their members and votes: to be looked at, closed, made void, asked again."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from portal.core.adminsite import Record, Rows
from portal.core.deeds import Deed
from reviews.admin.reading import LINES_SHOWN, written
from reviews.councils import answering, asking, voting
from reviews.models import Council, CouncilState, Member, MemberState, ReviewState, Vote
from reviews.transitions import COUNCIL, MEMBER
from reviews.wording import applied
from tickets.admin.asking import Button, Nothing, Why


def close(council: Council, asked: dict[str, Any], request: HttpRequest) -> str:
    voting.close(council, expected_version=asked["expected_version"])
    return f"Closed. {council.detail}"


def void(council: Council, asked: dict[str, Any], request: HttpRequest) -> str:
    voting.void(council, reason=asked["reason"], expected_version=asked["expected_version"])
    return f"{str(council).capitalize()} is void: no verdict goes by it."


def again(member: Member, asked: dict[str, Any], request: HttpRequest) -> str:
    asking.ask_again(member, expected_version=asked["expected_version"])
    return f"{member} was asked again."


def take_in(member: Member, asked: dict[str, Any], request: HttpRequest) -> str:
    by: Any = request.user
    return f"Imported: {applied(answering.of_member(member, by=by))}."


def can_be_asked(member: Member) -> bool:
    told = member.agent_id is not None and member.state in {MemberState.FAILED, MemberState.ANSWERED}
    return told and member.council.state == CouncilState.OPEN


def can_be_taken_in(member: Member) -> bool:
    return member.review is not None and member.review.state in {ReviewState.PLANNED, ReviewState.RECEIVED}


class MemberRows(Rows):
    model = Member
    verbose_name_plural = "members"
    fields = ("label", "standing_state", "ticket", "review", "problem")
    readonly_fields = fields
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).select_related("ticket", "review__series", "council")
        return rows.defer("review__content", "review__reading", "review__read_text")


@admin.register(Council)
class CouncilPage(Record):
    list_display = ("__str__", "series", "about", "asked", "commit", "standing_state", "outcome", "asked_label")
    list_filter = ("state", "outcome", "about", "series__project")
    list_select_related = ("series__project",)
    search_fields = ("=id", "commit", "asked", "series__name")
    ordering = ("-id",)
    inlines = (MemberRows,)
    deeds = (
        Deed("close", COUNCIL.transitions["close"].label, Nothing, close, lambda row: row.state == CouncilState.OPEN),
        Deed(
            "void",
            COUNCIL.transitions["void"].label,
            Why,
            void,
            lambda row: row.state in COUNCIL.transitions["void"].sources,
            danger=True,
        ),
    )
    shown: ClassVar[dict[str, str]] = {"state": "standing_state", "authors": "made_by", "instructions": "told"}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(self.shown.get(name, name) for name in super().get_fields(request, obj))

    def standing(self, row: Council) -> str:
        return row.detail

    @admin.display(description="Who made it")
    def made_by(self, row: Council) -> str:
        said = [str(author.get("why", "")) for author in row.authors[:LINES_SHOWN]]
        return written(said, max(0, len(row.authors) - LINES_SHOWN))

    @admin.display(description="What they were asked")
    def told(self, row: Council) -> str:
        return format_html('<div class="as-written"><bdi>{}</bdi></div>', row.instructions)


@admin.register(Member)
class MemberPage(Record):
    list_display = ("label", "council", "standing_state", "ticket", "review")
    list_filter = ("state", "council__series__project")
    list_select_related = ("council__series__project", "ticket", "review__series")
    search_fields = ("=council__id", "label")
    ordering = ("-id",)
    deeds = (
        Deed("ask_again", MEMBER.transitions["ask_again"].label, Nothing, again, can_be_asked),
        Deed("import", "Import its document", Button, take_in, can_be_taken_in),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple("standing_state" if name == "state" else name for name in super().get_fields(request, obj))

    def standing(self, row: Member) -> str:
        return row.problem

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = (
            super().get_queryset(request).select_related("council__series__project", "agent", "user", "review__series")
        )
        return rows.defer("review__content", "review__reading", "review__read_text")


@admin.register(Vote)
class VotePage(Record):
    list_display = ("member", "ballot", "council", "at")
    list_filter = ("ballot",)
    list_select_related = ("member__council",)
    search_fields = ("=member__council__id", "member__label")
    ordering = ("-id",)

    def council(self, row: Vote) -> str:
        return str(row.member.council)
