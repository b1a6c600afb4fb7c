"""The pages that see all apps, the admin site, the commands that run an installation."""
