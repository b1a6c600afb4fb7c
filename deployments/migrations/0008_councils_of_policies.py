"""A policy may want that a council says ship of the commit."""

from django.db import migrations, models


class Migration(migrations.Migration):
    # A column with a default: older code runs beside.
    expand = True

    dependencies = [
        ("deployments", "0007_steps_and_health"),
    ]

    operations = [
        migrations.AddField(
            model_name="policy",
            name="council",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
