"""Files of a ticket: listed, sent, fetched, removed."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from ninja import Field, Query, Schema
from pydantic import ValidationError

from portal.api.doors import Unfit, operation
from portal.api.operations.tickets import ticket_by_key
from portal.api.parsing import loads
from portal.api.shapes import Paged, Reason, Strict, decoded, moment, page
from portal.core import limits
from portal.core.access import Role, within
from portal.core.doors import Found
from tickets import attachments, downloads
from tickets.models import Attachment


class AttachmentOut(Schema):
    id: int
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    uploader: str
    # the number of the message that it came with
    message: int | None
    created_at: str


class Attachments(Schema):
    items: list[AttachmentOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class FileIn(Strict):
    name: str = Field(min_length=1, max_length=1000)
    content_base64: str


class Attached(Schema):
    attachment: AttachmentOut
    new: bool


class RemoveIn(Strict):
    reason: Reason


FORMS = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            },
            "application/json": {"schema": FileIn.model_json_schema()},
        },
    }
}


def find_attachment(key: str, number: int) -> Found | None:
    found = ticket_by_key(key)
    rows = Attachment.objects.filter(ticket=found.object, removed_at=None) if found and number < 2**63 else None
    row = rows.select_related("message", "ticket").filter(pk=number).first() if rows is not None else None
    return Found(row, found.scope) if found and row else None


def shown(attachment: Attachment) -> dict[str, Any]:
    return {
        "id": attachment.pk,
        "name": attachment.name,
        "media_type": attachment.media_type,
        "size_bytes": attachment.size_bytes,
        "sha256": attachment.digest,
        "uploader": attachment.uploader_label,
        "message": attachment.message.number if attachment.message else None,
        "created_at": moment(attachment.created_at),
    }


@operation(
    "get",
    "/tickets/{key}/attachments",
    "api.attachments",
    within(Role.VIEWER),
    find=ticket_by_key,
    query=Paged,
    response=Attachments,
)
def listed(request: HttpRequest, key: str, asked: Query[Paged]) -> dict[str, Any]:
    """The files of a ticket, newest first."""
    rows = Attachment.objects.filter(ticket=request.found, removed_at=None)  # type: ignore[attr-defined]
    return page(rows.select_related("message"), asked, shown)


@operation(
    "post",
    "/tickets/{key}/attachments",
    "api.attachment.attach",
    within(Role.OPERATOR),
    find=ticket_by_key,
    response=Attached,
    openapi_extra=FORMS,
)
def attach(request: HttpRequest, key: str) -> dict[str, Any]:
    """Attach a file: the part ``file`` of a form, or base64 in JSON. The same bytes again are the same attachment."""
    found, made = attachments.receive(request.found, _file(request), uploader=request.user)  # type: ignore[attr-defined,arg-type]
    return {"attachment": shown(found), "new": made}


def _file(request: HttpRequest) -> UploadedFile[Any]:
    if request.content_type == "multipart/form-data":
        try:
            files = request.FILES.getlist("file")
        except MultiPartParserError as error:
            raise Unfit("file", f"The form cannot be read: {error}") from None
        if len(files) != 1 or len(request.FILES) != 1 or request.POST:
            raise Unfit("file", "Send one file, as the part named file, and nothing else.")
        return files[0]
    if request.content_type != "application/json":
        raise Unfit("", "Send multipart/form-data, or application/json.", 415)
    try:
        sent = FileIn.model_validate(loads(request.body))
    except ValidationError as error:
        first = error.errors()[0]
        raise Unfit(".".join(str(part) for part in first["loc"]), str(first["msg"])) from None
    content = decoded("content_base64", sent.content_base64, limits.value("ATTACHMENT_MAX_BYTES"))
    return SimpleUploadedFile(sent.name, content, content_type="application/octet-stream")


@operation(
    "get",
    "/tickets/{key}/attachments/{int:number}",
    "api.attachment",
    within(Role.VIEWER),
    find=find_attachment,
)
def fetch(request: HttpRequest, key: str, number: int) -> downloads.Download:
    """The bytes of a file, to keep: no browser shows them as what they say they are."""
    attachment: Attachment = request.found  # type: ignore[attr-defined]
    return downloads.of(attachment, attachments.open_file(attachment))


@operation(
    "post",
    "/tickets/{key}/attachments/{int:number}/remove",
    "api.attachment.remove",
    within(Role.OPERATOR),
    find=find_attachment,
    response=AttachmentOut,
)
def remove(request: HttpRequest, key: str, number: int, body: RemoveIn) -> dict[str, Any]:
    """Take the bytes away; that there was a file, and why it is gone, stays in the history."""
    return shown(attachments.remove(request.found, reason=body.reason))  # type: ignore[attr-defined]
