"""What a ticket, a turn and the delivery of a message may do: one table each."""

from __future__ import annotations

from portal.core.lifecycle import Lifecycle, transition
from tickets.models import Delivery, DeliveryState, Ticket, TicketState, Turn, TurnState

_T = TicketState
TICKET: Lifecycle[Ticket] = Lifecycle(
    "ticket",
    TicketState,
    [
        transition(
            "assign", [_T.OPEN, _T.NEEDS_PERSON, _T.IN_REVIEW, _T.UNPROVEN, _T.BLOCKED, _T.FAILED], _T.QUEUED, "Assign"
        ),
        transition("begin", [_T.QUEUED], _T.RUNNING),
        transition("wait_again", [_T.RUNNING, _T.FAILED, _T.OPEN, _T.QUEUED], _T.QUEUED),
        transition("submit", [_T.RUNNING], _T.IN_REVIEW),
        transition("leave_unproven", [_T.RUNNING], _T.UNPROVEN),
        transition("ask", [_T.RUNNING], _T.NEEDS_PERSON),
        transition("block", [_T.RUNNING], _T.BLOCKED),
        transition("fail", [_T.QUEUED, _T.RUNNING], _T.FAILED),
        transition("stop", [_T.QUEUED, _T.RUNNING], _T.OPEN, "Stop"),
        transition("accept", [_T.IN_REVIEW, _T.UNPROVEN], _T.DONE, "Accept"),
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
