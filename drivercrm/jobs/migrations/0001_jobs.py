from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Tick',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('line', models.CharField(max_length=200, unique=True)),
                ('last_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'job_ticks',
            },
        ),
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('task', models.CharField(max_length=100)),
                ('args', models.JSONField(default=dict)),
                ('queue', models.CharField(max_length=50)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('dead', 'Dead')], default='waiting', max_length=10)),
                ('due_at', models.DateTimeField(null=True)),
                ('died_at', models.DateTimeField(null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('max_attempts', models.PositiveSmallIntegerField()),
                ('fence', models.PositiveBigIntegerField(default=0)),
                ('unique_key', models.CharField(max_length=200, null=True, unique=True)),
                ('order_key', models.CharField(max_length=200, null=True)),
                ('error_class', models.CharField(blank=True, max_length=200)),
                ('error', models.CharField(blank=True, max_length=500)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'db_table': 'jobs',
                'indexes': [models.Index(fields=['due_at', 'id'], name='jobs_due'), models.Index(condition=models.Q(('order_key__isnull', False)), fields=['order_key', 'id'], name='jobs_order')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'running', 'dead'])), name='jobs_state_known'), models.CheckConstraint(condition=models.Q(models.Q(('died_at__isnull', False), ('due_at', None), ('state', 'dead')), models.Q(models.Q(('state', 'dead'), _negated=True), ('died_at', None), ('due_at__isnull', False)), _connector='OR'), name='jobs_dead_is_never_due'), models.UniqueConstraint(condition=models.Q(('state', 'running')), fields=('order_key',), name='jobs_one_running_per_order_key')],
            },
        ),
    ]
