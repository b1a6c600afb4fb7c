"""What is asked before something is done to jobs or queues: always why."""

from __future__ import annotations

from typing import Final

from django import forms

from tickets.fields import HIGHEST_ID, Form, Lines

# as much as a job and a pause keep of it
REASON_CHARS: Final = 300


def reason(label: str) -> Lines:
    return Lines(limit=REASON_CHARS, label=label, widget=forms.Textarea(attrs={"rows": 2, "class": "in"}))


class CancelForm(Form):
    name = "cancel"
    reason = reason("Why it is cancelled")


class RequeueForm(Form):
    name = "requeue"
    reason = reason("Why it goes again")


class PauseForm(Form):
    name = "pause"
    reason = reason("Why it is paused")


class ResumeForm(Form):
    name = "resume"
    reason = reason("Why it goes on")


class AllForm(Form):
    """For all that match; ``after`` is the job that an earlier press ended with."""

    name = "all"
    after = forms.IntegerField(min_value=0, max_value=HIGHEST_ID, required=False, widget=forms.HiddenInput)
    reason = reason("Why")
