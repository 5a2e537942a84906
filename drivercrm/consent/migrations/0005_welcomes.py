"""The one welcome, at most once in a life."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('consent', '0004_one_index_each'),
        ('drivers', '0009_one_index_each'),
    ]

    operations = [
        migrations.CreateModel(
            name='Welcome',
            fields=[
                ('driver', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='welcome', serialize=False, to='drivers.driver')),
                ('message_id', models.UUIDField(help_text='Of the outbox.')),
                ('channel', models.CharField(choices=[('whatsapp', 'WhatsApp'), ('telegram', 'Telegram'), ('email', 'Email'), ('phone', 'Phone')], max_length=8)),
                ('at', models.DateTimeField()),
            ],
            options={
                'db_table': 'welcomes',
                'constraints': [models.CheckConstraint(condition=models.Q(('channel__in', ['whatsapp', 'telegram', 'email', 'phone'])), name='welcome_channel')],
            },
        ),
    ]
