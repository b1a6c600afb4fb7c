"""A process that attaches files until it is ended, and prints each one's row and hash once it is acknowledged.

``python -m tests.portal.site.busy_writer TICKET``
"""

from __future__ import annotations

import itertools
import os
import sys

import django


def main(number: int) -> None:
    django.setup()
    from django.core.files.uploadedfile import SimpleUploadedFile

    from tickets import attachments
    from tickets.models import Ticket

    ticket = Ticket.objects.get(pk=number)
    for n in itertools.count():
        content = f"file {n} ".encode() + os.urandom(3000)
        made, _ = attachments.receive(ticket, SimpleUploadedFile(f"{n}.bin", content), uploader=None)
        print(made.pk, made.digest, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
