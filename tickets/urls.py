"""Addresses of projects and tickets."""

from __future__ import annotations

from django.urls import path

from tickets import (
    attachment_views,
    list_views,
    project_views,
    prompt_views,
    question_views,
    taking_views,
    turn_views,
    views,
)

urlpatterns = [
    path("tickets/", list_views.tickets, name="tickets"),
    path("tickets/fragment/", list_views.tickets_fragment, name="tickets_fragment"),
    path("tickets/agents/", list_views.agents, name="ticket_agents"),
    path("tickets/export.csv", list_views.export, name="tickets_export"),
    path("tickets/new/", list_views.new, name="ticket_new"),
    path("tickets/<str:key>/", views.ticket, name="ticket"),
    path("tickets/<str:key>/fragment/", views.ticket_fragment, name="ticket_fragment"),
    path("tickets/<str:key>/rail/", views.ticket_rail, name="ticket_rail"),
    path("tickets/<str:key>/history/", views.ticket_history, name="ticket_history"),
    path("tickets/<str:key>/prompt/", prompt_views.prompt, name="ticket_prompt"),
    path("tickets/<str:key>/edit/", views.edit, name="ticket_edit"),
    path("tickets/<str:key>/messages/", views.post_message, name="ticket_message"),
    path("tickets/<str:key>/messages/<int:message_number>/withdraw/", views.withdraw_message, name="message_withdraw"),
    path("tickets/<str:key>/questions/<int:seq>/answer/", question_views.answer, name="question_answer"),
    path("tickets/<str:key>/questions/<int:seq>/<int:n>/answer/", question_views.answer, name="question_answer"),
    path("tickets/<str:key>/take/", taking_views.take, name="ticket_take"),
    path("tickets/<str:key>/hand-back/", taking_views.hand_back, name="ticket_hand_back"),
    path("tickets/<str:key>/assign/", views.assign, name="ticket_assign"),
    path("tickets/<str:key>/review/", views.review, name="ticket_review"),
    path("tickets/<str:key>/stop/", views.stop, name="ticket_stop"),
    path("tickets/<str:key>/accept/", views.accept, name="ticket_accept"),
    path("tickets/<str:key>/reopen/", views.reopen, name="ticket_reopen"),
    path("tickets/<str:key>/files/", attachment_views.files, name="ticket_files"),
    path("tickets/<str:key>/files/fragment/", attachment_views.files_fragment, name="ticket_files_fragment"),
    path("tickets/<str:key>/files/attach/", attachment_views.attach, name="attach"),
    path("tickets/<str:key>/files/<int:number>/", attachment_views.attachment, name="attachment"),
    path("tickets/<str:key>/files/<int:number>/remove/", attachment_views.attachment_remove, name="attachment_remove"),
    path("tickets/<str:key>/turns/<int:seq>/output.txt", turn_views.turn_output, name="turn_output"),
    path("tickets/<str:key>/turns/<int:seq>/output/", turn_views.turn_output_fragment, name="turn_output_fragment"),
    path("tickets/<str:key>/turns/<int:seq>/transcript/", turn_views.turn_transcript, name="turn_transcript"),
    path("tickets/<str:key>/diff/", turn_views.diff, name="ticket_diff"),
    path("tickets/<str:key>/diff.txt", turn_views.diff_text, name="ticket_diff_text"),
    path("projects/", project_views.project_list, name="projects"),
    path("projects/new/", project_views.new, name="project_new"),
    path("projects/<str:key>/", project_views.project, name="project"),
    path("projects/<str:key>/fragment/", project_views.project_fragment, name="project_fragment"),
    path("projects/<str:key>/settings/", project_views.settings, name="project_settings"),
    path("projects/<str:key>/policy/", project_views.policy, name="project_policy"),
    path("projects/<str:key>/members/", project_views.let_in, name="project_let_in"),
    path("projects/<str:key>/members/leave/", project_views.take_out, name="project_take_out"),
]
