from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "portal.core"
    label = "core"
    verbose_name = "Installation"

    def ready(self) -> None:
        from django.conf import settings

        from portal.core import failpoints, redaction
        from portal.core.guard import commands

        redaction.install()
        failpoints.know(settings.FAILPOINTS_DIR)
        commands.install()
