"""The engine under real processes: Celery workers, a broker and beats that are killed, stopped and started."""
