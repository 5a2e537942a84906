"""Everything that messages need beside the history: accounts, outbox, receipts, raw bodies, texts, threads."""

import django.db.models.deletion
import drivercrm.core.clock
import drivercrm.core.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('communications', '0002_one_index_each'),
        ('drivers', '0009_one_index_each'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CannedReply',
            fields=[
                ('id', models.UUIDField(default=drivercrm.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('title', models.CharField(max_length=80, unique=True)),
                ('body', models.TextField()),
                ('created_by', models.CharField(max_length=80)),
                ('created_at', models.DateTimeField(default=drivercrm.core.clock.now)),
            ],
            options={
                'db_table': 'canned_replies',
            },
        ),
        migrations.CreateModel(
            name='Note',
            fields=[
                ('id', models.UUIDField(default=drivercrm.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('text', models.TextField()),
                ('created_by', models.CharField(max_length=80)),
                ('created_at', models.DateTimeField(default=drivercrm.core.clock.now)),
            ],
            options={
                'db_table': 'thread_notes',
            },
        ),
        migrations.CreateModel(
            name='OutboxMessage',
            fields=[
                ('id', models.UUIDField(default=drivercrm.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('channel', models.CharField(choices=[('whatsapp', 'WhatsApp'), ('telegram', 'Telegram'), ('email', 'Email'), ('phone', 'Phone')], max_length=8)),
                ('channel_because', models.CharField(blank=True, default='', max_length=200)),
                ('message_type', models.CharField(choices=[('welcome', 'Welcome'), ('onboarding', 'Onboarding'), ('reminder', 'Reminder'), ('support', 'Support'), ('update', 'Update')], max_length=10)),
                ('purpose', models.CharField(choices=[('service', 'Service'), ('marketing', 'Marketing')], max_length=9)),
                ('ground', models.CharField(choices=[('answer', 'answer'), ('ticket', 'ticket'), ('consent', 'consent'), ('welcome', 'welcome'), ('confirmation', 'confirmation')], max_length=12)),
                ('is_by_person', models.BooleanField(default=False, help_text='A person wrote it to this driver alone.')),
                ('is_unasked', models.BooleanField(default=False, help_text='Bulk, scheduled or automatic: waits for quiet hours to end.')),
                ('is_first', models.BooleanField(default=False, help_text="Left outside the driver's window: counts towards the messaging limit.")),
                ('subject', models.CharField(blank=True, default='', max_length=300)),
                ('body', models.TextField(blank=True, default='')),
                ('values', models.JSONField(default=dict, help_text="Of the template's variables.")),
                ('files', models.JSONField(default=list, help_text='Ids of stored files.')),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('held', 'Held'), ('sending', 'Sending'), ('in_doubt', 'In doubt'), ('cancelled', 'Cancelled'), ('accepted', 'Accepted'), ('refused', 'Refused')], default='queued', max_length=9)),
                ('due_at', models.DateTimeField(default=drivercrm.core.clock.now, help_text='Not before this moment.')),
                ('reason', models.CharField(blank=True, default='', help_text='Why held, cancelled or refused.', max_length=40)),
                ('reason_words', models.CharField(blank=True, default='', max_length=500)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('fence', models.PositiveIntegerField(default=0, help_text='Grows with every claim.')),
                ('address_kind', models.CharField(blank=True, default='', max_length=20)),
                ('address', models.CharField(blank=True, default='', max_length=254)),
                ('sending_at', models.DateTimeField(null=True)),
                ('first_tried_at', models.DateTimeField(null=True)),
                ('settled_at', models.DateTimeField(null=True)),
                ('provider_id', models.CharField(blank=True, default='', max_length=255)),
                ('is_sandbox', models.BooleanField(default=False, help_text='Shown in the thread, and nowhere else.')),
                ('created_by', models.CharField(max_length=80)),
                ('created_at', models.DateTimeField(default=drivercrm.core.clock.now)),
                ('cause', models.CharField(max_length=120, null=True, unique=True)),
            ],
            options={
                'db_table': 'outbox',
            },
        ),
        migrations.CreateModel(
            name='RawBody',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('digest', models.CharField(help_text='SHA-256 of the body: the same again is the same.', max_length=64)),
                ('body', models.BinaryField()),
                ('received_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('done', 'Done'), ('failed', 'Failed')], default='waiting', max_length=7)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('trouble', models.CharField(blank=True, default='', max_length=200)),
                ('events', models.PositiveIntegerField(default=0)),
            ],
            options={
                'db_table': 'raw_bodies',
            },
        ),
        migrations.CreateModel(
            name='StoredFile',
            fields=[
                ('id', models.UUIDField(default=drivercrm.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('stored', 'Stored'), ('failed', 'Failed')], default='pending', max_length=7)),
                ('name', models.CharField(blank=True, default='', max_length=200)),
                ('media_type', models.CharField(blank=True, default='', help_text='By its content.', max_length=120)),
                ('size', models.PositiveBigIntegerField(null=True)),
                ('digest', models.CharField(blank=True, default='', help_text='SHA-256, hexadecimal.', max_length=64)),
                ('remote', models.JSONField(default=dict, help_text='Where the provider has it.')),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('trouble', models.CharField(blank=True, default='', max_length=300)),
                ('created_by', models.CharField(max_length=80)),
                ('created_at', models.DateTimeField(default=drivercrm.core.clock.now)),
            ],
            options={
                'db_table': 'stored_files',
            },
        ),
        migrations.CreateModel(
            name='Thread',
            fields=[
                ('driver', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='thread', serialize=False, to='drivers.driver')),
                ('last_at', models.DateTimeField(help_text='The latest message, call or note.')),
                ('last_inbound_at', models.DateTimeField(null=True)),
                ('unread_count', models.PositiveIntegerField(default=0)),
                ('waiting_since', models.DateTimeField(help_text='The oldest message that nobody has answered.', null=True)),
                ('failed_at', models.DateTimeField(help_text='The latest of ours failed or is in doubt.', null=True)),
                ('holds_automation', models.BooleanField(default=False, help_text='A message contains a stop word: somebody must look.')),
                ('snoozed_until', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'threads',
            },
        ),
        migrations.CreateModel(
            name='UnmatchedMessage',
            fields=[
                ('id', models.UUIDField(default=drivercrm.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=320)),
                ('sender_key', models.CharField(help_text="The surest address: one person's messages share it.", max_length=300)),
                ('addresses', models.JSONField(default=list, help_text='(kind, value), the surest first.')),
                ('name', models.CharField(blank=True, default='', max_length=200)),
                ('at', models.DateTimeField()),
                ('text', models.TextField(blank=True, default='')),
                ('event', models.JSONField(default=dict, help_text='All of it, to be received once it is known whose it is.')),
                ('why', models.CharField(blank=True, default='', max_length=200)),
                ('recorded_at', models.DateTimeField(default=drivercrm.core.clock.now)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('linked', 'Linked'), ('dismissed', 'Dismissed')], default='waiting', max_length=9)),
                ('settled_by', models.CharField(blank=True, default='', max_length=80)),
                ('settled_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'unmatched_messages',
            },
        ),
        migrations.AddField(
            model_name='communication',
            name='answers',
            field=models.ForeignKey(help_text='Inbound: the message of ours that it replies to. Outbound: the latest of theirs that it answers.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='answered_by', to='communications.communication'),
        ),
        migrations.AddField(
            model_name='communication',
            name='failure',
            field=models.CharField(blank=True, default='', max_length=20),
        ),
        migrations.AddField(
            model_name='communication',
            name='failure_code',
            field=models.CharField(blank=True, default='', max_length=20),
        ),
        migrations.AddField(
            model_name='communication',
            name='failure_words',
            field=models.CharField(blank=True, default='', max_length=500),
        ),
        migrations.AddField(
            model_name='communication',
            name='is_by_person',
            field=models.BooleanField(default=False, help_text='Outbound: a person wrote it to this driver.'),
        ),
        migrations.AddField(
            model_name='communication',
            name='is_handled',
            field=models.BooleanField(default=False, help_text='Inbound: automation has dealt with it fully.'),
        ),
        migrations.AddField(
            model_name='communication',
            name='kind',
            field=models.CharField(choices=[('text', 'Text'), ('file', 'File'), ('button', 'Button'), ('location', 'Location'), ('contact', 'Contact'), ('reaction', 'Reaction'), ('edit', 'Edited message'), ('revoked', 'Deleted message'), ('automatic', 'Automatic answer'), ('other', 'Other')], default='text', max_length=9),
        ),
        migrations.AddField(
            model_name='communication',
            name='provider_id',
            field=models.CharField(blank=True, default='', max_length=255),
        ),
        migrations.AddField(
            model_name='communication',
            name='quoted_text',
            field=models.TextField(blank=True, default='', help_text='Mail: with the quoted original.'),
        ),
        migrations.AddField(
            model_name='communication',
            name='quotes',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='quoted_by', to='communications.communication'),
        ),
        migrations.CreateModel(
            name='ChannelAccount',
            fields=[
                ('id', models.UUIDField(default=drivercrm.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('channel', models.CharField(choices=[('whatsapp', 'WhatsApp'), ('telegram', 'Telegram'), ('email', 'Email'), ('phone', 'Phone')], max_length=8)),
                ('provider', models.CharField(choices=[('sandbox', 'Sandbox'), ('cloud', 'WhatsApp Cloud API'), ('wati', 'WATI'), ('bot', 'Telegram bot'), ('mail', 'Mailbox'), ('esp', 'Mail service')], max_length=8)),
                ('name', models.CharField(blank=True, default='', max_length=120)),
                ('address', models.CharField(blank=True, default='', max_length=254)),
                ('sealed_settings', models.TextField(blank=True, default='')),
                ('state', models.CharField(choices=[('connected', 'Connected'), ('halted', 'Halted'), ('disconnected', 'Disconnected')], default='connected', max_length=12)),
                ('halted_because', models.CharField(blank=True, default='', max_length=300)),
                ('halted_at', models.DateTimeField(null=True)),
                ('next_slot_at', models.DateTimeField(help_text='When the next message may leave: its rate, or a pause that the provider asked for.', null=True)),
                ('is_test_mode', models.BooleanField(default=False)),
                ('test_addresses', models.JSONField(default=list, help_text='Where messages may go in test mode.')),
                ('hook_token', models.CharField(max_length=64, unique=True)),
                ('poll_cursor', models.CharField(blank=True, default='', max_length=120)),
                ('last_heard_at', models.DateTimeField(help_text='The latest genuine webhook or poll.', null=True)),
                ('last_forged_at', models.DateTimeField(help_text='The latest webhook with a wrong signature.', null=True)),
                ('messaging_limit', models.PositiveIntegerField(help_text='New people in 24 hours.', null=True)),
                ('quality', models.CharField(blank=True, default='', max_length=20)),
                ('created_by', models.CharField(max_length=80)),
                ('created_at', models.DateTimeField(default=drivercrm.core.clock.now)),
            ],
            options={
                'db_table': 'channel_accounts',
                'constraints': [models.CheckConstraint(condition=models.Q(('channel__in', ['whatsapp', 'telegram', 'email', 'phone'])), name='account_channel'), models.CheckConstraint(condition=models.Q(('provider__in', ['sandbox', 'cloud', 'wati', 'bot', 'mail', 'esp'])), name='account_provider'), models.CheckConstraint(condition=models.Q(('state__in', ['connected', 'halted', 'disconnected'])), name='account_state'), models.UniqueConstraint(condition=models.Q(('state', 'disconnected'), _negated=True), fields=('channel',), name='account_one_per_channel')],
            },
        ),
        migrations.AddField(
            model_name='communication',
            name='account',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='communications.channelaccount'),
        ),
        migrations.CreateModel(
            name='DeliveryEvent',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=320)),
                ('provider_id', models.CharField(blank=True, default='', max_length=255)),
                ('other_id', models.CharField(blank=True, default='', help_text='By which answers quote the message, where it differs.', max_length=255)),
                ('our_id', models.UUIDField(null=True)),
                ('kind', models.CharField(choices=[('sent', 'Sent'), ('delivered', 'Delivered'), ('read', 'Read'), ('failed', 'Failed')], max_length=9)),
                ('at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(default=drivercrm.core.clock.now)),
                ('failure', models.CharField(blank=True, default='', max_length=20)),
                ('failure_code', models.CharField(blank=True, default='', max_length=20)),
                ('failure_words', models.CharField(blank=True, default='', max_length=500)),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='communications.channelaccount')),
                ('communication', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='communications.communication')),
            ],
            options={
                'db_table': 'delivery_events',
            },
        ),
        migrations.CreateModel(
            name='MessageTemplate',
            fields=[
                ('id', models.UUIDField(default=drivercrm.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=80)),
                ('channel', models.CharField(choices=[('whatsapp', 'WhatsApp'), ('telegram', 'Telegram'), ('email', 'Email'), ('phone', 'Phone')], max_length=8)),
                ('language', models.CharField(default='en', max_length=20)),
                ('version', models.PositiveIntegerField(default=1)),
                ('is_current', models.BooleanField(default=True)),
                ('message_type', models.CharField(choices=[('welcome', 'Welcome'), ('onboarding', 'Onboarding'), ('reminder', 'Reminder'), ('support', 'Support'), ('update', 'Update')], max_length=10)),
                ('purpose', models.CharField(choices=[('service', 'Service'), ('marketing', 'Marketing')], max_length=9)),
                ('subject', models.CharField(blank=True, default='', max_length=300)),
                ('body', models.TextField()),
                ('buttons', models.JSONField(default=list, help_text='Quick replies: their words.')),
                ('approval', models.CharField(choices=[('none', 'Not needed'), ('draft', 'Not submitted'), ('pending', 'Waiting for approval'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('paused', 'Paused'), ('disabled', 'Disabled')], default='none', max_length=8)),
                ('approval_reason', models.CharField(blank=True, default='', max_length=300)),
                ('category', models.CharField(blank=True, default='', help_text="The provider's.", max_length=20)),
                ('quality', models.CharField(blank=True, default='', max_length=20)),
                ('provider_name', models.CharField(blank=True, default='', max_length=512)),
                ('created_by', models.CharField(max_length=80)),
                ('created_at', models.DateTimeField(default=drivercrm.core.clock.now)),
            ],
            options={
                'db_table': 'message_templates',
                'constraints': [models.UniqueConstraint(fields=('name', 'channel', 'language', 'version'), name='template_version_once'), models.UniqueConstraint(condition=models.Q(('is_current', True)), fields=('name', 'channel', 'language'), name='template_one_current'), models.CheckConstraint(condition=models.Q(('channel__in', ['whatsapp', 'telegram', 'email', 'phone'])), name='template_channel'), models.CheckConstraint(condition=models.Q(('message_type__in', ['welcome', 'onboarding', 'reminder', 'support', 'update'])), name='template_type'), models.CheckConstraint(condition=models.Q(('purpose__in', ['service', 'marketing'])), name='template_purpose'), models.CheckConstraint(condition=models.Q(('approval__in', ['none', 'draft', 'pending', 'approved', 'rejected', 'paused', 'disabled'])), name='template_approval')],
            },
        ),
        migrations.AddField(
            model_name='communication',
            name='template',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='communications.messagetemplate'),
        ),
        migrations.AddIndex(
            model_name='communication',
            index=models.Index(condition=models.Q(('replied_at__isnull', True)), fields=['driver', 'channel', '-sent_at'], name='communication_unanswered'),
        ),
        migrations.AddConstraint(
            model_name='communication',
            constraint=models.UniqueConstraint(condition=models.Q(('provider_id', ''), _negated=True), fields=('account', 'provider_id'), name='communication_once_per_account'),
        ),
        migrations.AddConstraint(
            model_name='communication',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['text', 'file', 'button', 'location', 'contact', 'reaction', 'edit', 'revoked', 'automatic', 'other'])), name='communication_kind'),
        ),
        migrations.AddField(
            model_name='note',
            name='driver',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='thread_notes', to='drivers.driver'),
        ),
        migrations.AddField(
            model_name='outboxmessage',
            name='account',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='communications.channelaccount'),
        ),
        migrations.AddField(
            model_name='outboxmessage',
            name='again_of',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='communications.outboxmessage'),
        ),
        migrations.AddField(
            model_name='outboxmessage',
            name='driver',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='outbox', to='drivers.driver'),
        ),
        migrations.AddField(
            model_name='outboxmessage',
            name='quotes',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='communications.communication'),
        ),
        migrations.AddField(
            model_name='outboxmessage',
            name='template',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='communications.messagetemplate'),
        ),
        migrations.AddField(
            model_name='rawbody',
            name='account',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='communications.channelaccount'),
        ),
        migrations.AddField(
            model_name='storedfile',
            name='communication',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='files', to='communications.communication'),
        ),
        migrations.AddField(
            model_name='thread',
            name='owner',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='threads', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='unmatchedmessage',
            name='account',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='communications.channelaccount'),
        ),
        migrations.AddField(
            model_name='unmatchedmessage',
            name='driver',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='drivers.driver'),
        ),
        migrations.AddIndex(
            model_name='deliveryevent',
            index=models.Index(condition=models.Q(('communication__isnull', True)), fields=['account', 'provider_id'], name='delivery_event_waiting'),
        ),
        migrations.AddIndex(
            model_name='deliveryevent',
            index=models.Index(condition=models.Q(('other_id', ''), _negated=True), fields=['account', 'other_id'], name='delivery_event_other'),
        ),
        migrations.AddIndex(
            model_name='deliveryevent',
            index=models.Index(condition=models.Q(('communication__isnull', True), ('our_id__isnull', False)), fields=['our_id'], name='delivery_event_waiting_ours'),
        ),
        migrations.AddConstraint(
            model_name='deliveryevent',
            constraint=models.UniqueConstraint(fields=('account', 'key'), name='delivery_event_once'),
        ),
        migrations.AddConstraint(
            model_name='deliveryevent',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['sent', 'delivered', 'read', 'failed'])), name='delivery_event_kind'),
        ),
        migrations.AddIndex(
            model_name='outboxmessage',
            index=models.Index(condition=models.Q(('state__in', ['queued', 'held'])), fields=['channel', 'due_at', 'id'], name='outbox_due'),
        ),
        migrations.AddIndex(
            model_name='outboxmessage',
            index=models.Index(condition=models.Q(('state', 'sending')), fields=['sending_at'], name='outbox_sending'),
        ),
        migrations.AddIndex(
            model_name='outboxmessage',
            index=models.Index(condition=models.Q(('state', 'in_doubt')), fields=['id'], name='outbox_in_doubt'),
        ),
        migrations.AddIndex(
            model_name='outboxmessage',
            index=models.Index(fields=['driver', '-id'], name='outbox_of_driver'),
        ),
        migrations.AddIndex(
            model_name='outboxmessage',
            index=models.Index(condition=models.Q(('provider_id', ''), _negated=True), fields=['account', 'provider_id'], name='outbox_of_provider'),
        ),
        migrations.AddConstraint(
            model_name='outboxmessage',
            constraint=models.CheckConstraint(condition=models.Q(('channel__in', ['whatsapp', 'telegram', 'email', 'phone'])), name='outbox_channel'),
        ),
        migrations.AddConstraint(
            model_name='outboxmessage',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'held', 'sending', 'in_doubt', 'cancelled', 'accepted', 'refused'])), name='outbox_state'),
        ),
        migrations.AddConstraint(
            model_name='outboxmessage',
            constraint=models.CheckConstraint(condition=models.Q(('message_type__in', ['welcome', 'onboarding', 'reminder', 'support', 'update'])), name='outbox_type'),
        ),
        migrations.AddConstraint(
            model_name='outboxmessage',
            constraint=models.CheckConstraint(condition=models.Q(('purpose__in', ['service', 'marketing'])), name='outbox_purpose'),
        ),
        migrations.AddConstraint(
            model_name='outboxmessage',
            constraint=models.CheckConstraint(condition=models.Q(('ground__in', ['answer', 'ticket', 'consent', 'welcome', 'confirmation'])), name='outbox_ground'),
        ),
        migrations.AddConstraint(
            model_name='outboxmessage',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'sending')), fields=('driver', 'channel'), name='outbox_one_sending_per_driver'),
        ),
        migrations.AddIndex(
            model_name='rawbody',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['id'], name='raw_body_waiting'),
        ),
        migrations.AddIndex(
            model_name='rawbody',
            index=models.Index(fields=['received_at'], name='raw_body_old'),
        ),
        migrations.AddConstraint(
            model_name='rawbody',
            constraint=models.UniqueConstraint(fields=('account', 'digest'), name='raw_body_once'),
        ),
        migrations.AddConstraint(
            model_name='rawbody',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'done', 'failed'])), name='raw_body_state'),
        ),
        migrations.AddIndex(
            model_name='storedfile',
            index=models.Index(condition=models.Q(('state', 'pending')), fields=['created_at'], name='stored_file_pending'),
        ),
        migrations.AddConstraint(
            model_name='storedfile',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'stored', 'failed'])), name='stored_file_state'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(fields=['-last_at', 'driver'], name='thread_newest'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(fields=['owner', '-last_at', 'driver'], name='thread_of_owner'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(condition=models.Q(('waiting_since__isnull', False)), fields=['waiting_since', 'driver'], name='thread_waiting'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(condition=models.Q(('unread_count__gt', 0)), fields=['-last_at', 'driver'], name='thread_unread'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['-failed_at', 'driver'], name='thread_failed'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(condition=models.Q(('snoozed_until__isnull', False)), fields=['snoozed_until', 'driver'], name='thread_snoozed'),
        ),
        migrations.AddIndex(
            model_name='unmatchedmessage',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['sender_key', 'at'], name='unmatched_waiting'),
        ),
        migrations.AddConstraint(
            model_name='unmatchedmessage',
            constraint=models.UniqueConstraint(fields=('account', 'key'), name='unmatched_once'),
        ),
        migrations.AddConstraint(
            model_name='unmatchedmessage',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'linked', 'dismissed'])), name='unmatched_state'),
        ),
    ]
