from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    name = "reviews"

    def ready(self) -> None:
        from reviews import handlers, panels, rights

        rights.register()
        handlers.register()
        panels.register()
