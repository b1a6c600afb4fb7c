from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "portal.core"
    label = "core"
    verbose_name = "Installation"

    def ready(self) -> None:
        from portal.core import redaction
        from portal.core.guard import commands

        redaction.install()
        commands.install()
