from django.apps import AppConfig


class DeploymentsConfig(AppConfig):
    name = "deployments"

    def ready(self) -> None:
        from deployments import handlers, panels, rights

        rights.register()
        handlers.register()
        panels.register()
