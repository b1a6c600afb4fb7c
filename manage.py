#!/usr/bin/env python
"""The command line: Django's, behind the schema guard."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    from portal.core.guard import guard_command

    guard_command(sys.argv)
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
