from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("deployments", "0003_fill_pipelines")]

    operations = [migrations.RemoveField(model_name="service", name="command")]
