from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "portal.site"
    label = "portal_site"
    verbose_name = "Site"

    def ready(self) -> None:
        from portal.core.access import OWN
        from portal.live import streams
        from portal.site import digest, forgetting
        from portal.site.keeping import jobs

        digest.register()
        forgetting.register()
        jobs.register()
        streams.register("user", OWN, lambda name: name, label="Notifications")
