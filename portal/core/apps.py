from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "portal.core"
    label = "core"
    verbose_name = "Installation"

    def ready(self) -> None:
        from django.conf import settings
        from django.core import checks

        from portal.core import failpoints, redaction
        from portal.core.guard import beside, commands, habits
        from portal.core.models import WebProcess

        redaction.install()
        failpoints.know(settings.FAILPOINTS_DIR)
        commands.install()
        beside.register(WebProcess)
        checks.register(habits.check, "migrations", deploy=True)
