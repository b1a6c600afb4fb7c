"""What a ticket, a turn, a message's delivery, a question and a merge may do: one table each."""

from __future__ import annotations

from portal.core.lifecycle import Lifecycle, transition
from tickets.models import (
    Delivery,
    DeliveryState,
    Merge,
    MergeState,
    Question,
    QuestionState,
    Ticket,
    TicketState,
    Turn,
    TurnState,
)

_T = TicketState
TICKET: Lifecycle[Ticket] = Lifecycle(
    "ticket",
    TicketState,
    [
        transition(
            "assign", [_T.OPEN, _T.NEEDS_PERSON, _T.IN_REVIEW, _T.UNPROVEN, _T.BLOCKED, _T.FAILED], _T.QUEUED, "Assign"
        ),
        transition("review", [_T.IN_REVIEW], _T.QUEUED, "Have it reviewed"),
        transition("answer", [_T.NEEDS_PERSON], _T.QUEUED, "Answer"),
        transition("begin", [_T.QUEUED], _T.RUNNING),
        transition("wait_again", [_T.RUNNING, _T.FAILED, _T.OPEN, _T.QUEUED], _T.QUEUED),
        transition("submit", [_T.RUNNING], _T.IN_REVIEW),
        transition("leave_unproven", [_T.RUNNING], _T.UNPROVEN),
        transition("ask", [_T.RUNNING], _T.NEEDS_PERSON),
        transition("block", [_T.RUNNING], _T.BLOCKED),
        transition("fail", [_T.QUEUED, _T.RUNNING], _T.FAILED),
        transition("stop", [_T.QUEUED, _T.RUNNING], _T.OPEN, "Stop"),
        # a review by another agent ended, whatever it said
        transition("end_review", [_T.QUEUED, _T.RUNNING], _T.IN_REVIEW),
        # its agent was only to read; what it handed in is judged elsewhere
        transition("end_reading", [_T.QUEUED, _T.RUNNING], _T.DONE),
        transition("accept", [_T.IN_REVIEW, _T.UNPROVEN], _T.MERGING, "Accept"),
        transition("land", [_T.MERGING], _T.DONE),
        # the work does not fit the target any more: a conflict, or checks that fail on the result
        transition("send_back", [_T.MERGING], _T.NEEDS_PERSON),
        # the merge itself could not be done: the work is as good as before
        transition("keep_in_review", [_T.MERGING], _T.IN_REVIEW),
        transition("reopen", [_T.DONE], _T.OPEN, "Reopen"),
    ],
    subject=lambda ticket: ticket.subject,
    streams=lambda ticket: (ticket.subject, f"project:{ticket.project_id}"),
    stamp="updated_at",
)

_R = TurnState
TURN: Lifecycle[Turn] = Lifecycle(
    "turn",
    TurnState,
    [
        transition("finish", [_R.RUNNING], _R.DONE),
        transition("ask", [_R.RUNNING], _R.NEEDS_INPUT),
        transition("block", [_R.RUNNING], _R.BLOCKED),
        transition("fail", [_R.RUNNING], _R.FAILED),
        transition("stop", [_R.RUNNING], _R.STOPPED),
    ],
    subject=lambda turn: f"turn:{turn.ticket.key}/{turn.seq}",
    streams=lambda turn: (turn.ticket.subject,),
)

_D = DeliveryState
DELIVERY: Lifecycle[Delivery] = Lifecycle(
    "delivery",
    DeliveryState,
    [
        transition("acknowledge", [_D.TAKEN], _D.ACKNOWLEDGED),
        transition("give_back", [_D.TAKEN], _D.RETURNED),
    ],
    subject=lambda delivery: f"message:{delivery.message.ticket.key}/{delivery.message.number}",
    streams=lambda delivery: (delivery.message.ticket.subject,),
)

_Q = QuestionState
QUESTION: Lifecycle[Question] = Lifecycle(
    "question",
    QuestionState,
    [
        transition("answer", [_Q.OPEN], _Q.ANSWERED, "Answer"),
        # the ticket went on without an answer
        transition("set_aside", [_Q.OPEN], _Q.SET_ASIDE),
    ],
    subject=lambda question: f"question:{question.ticket.key}/{question.name}",
    streams=lambda question: (question.ticket.subject, f"project:{question.ticket.project_id}"),
)

_M = MergeState
MERGE: Lifecycle[Merge] = Lifecycle(
    "merge",
    MergeState,
    [
        transition("land", [_M.QUEUED], _M.MERGED),
        transition("send_back", [_M.QUEUED], _M.SENT_BACK),
        transition("fail", [_M.QUEUED], _M.FAILED),
    ],
    subject=lambda merge: f"merge:{merge.ticket.key}/{merge.pk}",
    streams=lambda merge: (merge.ticket.subject,),
)
