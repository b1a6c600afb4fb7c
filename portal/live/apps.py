from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "portal.live"
    label = "live"
    verbose_name = "Live"

    def ready(self) -> None:
        from portal.core import unit
        from portal.live.publishing import publish

        unit.register_publisher(publish)
