from django.apps import AppConfig


class WorkersConfig(AppConfig):
    name = "workers"
    verbose_name = "Workers"

    def ready(self) -> None:
        from django.db.models import Q

        from portal.core.guard import beside

        # transitions: declared for the docs, also in a process that moves no job
        from workers import forgetting, leftovers, streams, transitions  # noqa: F401
        from workers.agents import trials
        from workers.models import Worker

        beside.register(Worker, Q(state=Worker.State.ALIVE))
        forgetting.register()
        leftovers.register()
        streams.register()
        trials.register()
