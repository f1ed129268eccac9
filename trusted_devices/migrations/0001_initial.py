import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SessionToEnd',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session_digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('sealed_session_key', models.TextField(editable=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'verbose_name': 'session to end',
                'verbose_name_plural': 'sessions to end',
            },
        ),
        migrations.CreateModel(
            name='CognitoUser',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sub', models.CharField(editable=False, max_length=128, unique=True)),
                ('username', models.CharField(editable=False, max_length=128, null=True, unique=True, verbose_name='name in the user pool')),
                ('synced_at', models.DateTimeField(db_index=True, editable=False, null=True, verbose_name='compared')),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='cognito_user', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'user of the user pool',
                'verbose_name_plural': 'users of the user pool',
            },
        ),
        migrations.CreateModel(
            name='Device',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('device_key', models.CharField(editable=False, max_length=55, unique=True, verbose_name='device key')),
                ('device_group_key', models.CharField(editable=False, max_length=16, verbose_name='device group key')),
                ('name', models.CharField(blank=True, db_default='', default='', max_length=1024, verbose_name='name')),
                ('binding', models.CharField(db_default='cookie', default='cookie', editable=False, max_length=16, verbose_name='binding')),
                ('status', models.CharField(db_default='not_remembered', default='not_remembered', editable=False, max_length=16, verbose_name='status')),
                ('status_reason', models.CharField(db_default='confirmed', default='confirmed', editable=False, max_length=32, verbose_name='why')),
                ('status_changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False, verbose_name='status since')),
                ('confirmed_at', models.DateTimeField(editable=False, null=True, verbose_name='confirmed')),
                ('trust_granted_at', models.DateTimeField(editable=False, null=True, verbose_name='trusted since')),
                ('trust_period', models.DurationField(editable=False, null=True, verbose_name='chosen period')),
                ('trust_expires_at', models.DateTimeField(editable=False, null=True, verbose_name='trusted until')),
                ('mfa_factor', models.CharField(blank=True, db_default='', default='', editable=False, max_length=255, verbose_name='earned by')),
                ('secret_digest', models.CharField(blank=True, db_default='', default='', editable=False, max_length=64)),
                ('next_secret_digest', models.CharField(blank=True, db_default='', default='', editable=False, max_length=64)),
                ('secret_generation', models.PositiveIntegerField(db_default=0, default=0, editable=False)),
                ('rotation_nonce', models.BinaryField(db_default=b'', default=bytes)),
                ('rotated_at', models.DateTimeField(editable=False, null=True)),
                ('srp_salt', models.BinaryField(null=True)),
                ('srp_verifier', models.BinaryField(null=True)),
                ('credential_stamp', models.CharField(blank=True, db_default='', default='', editable=False, max_length=129)),
                ('grant_id', models.CharField(editable=False, max_length=64, null=True, unique=True)),
                ('last_authenticated_at', models.DateTimeField(editable=False, null=True, verbose_name='last used')),
                ('last_ip', models.GenericIPAddressField(editable=False, null=True, verbose_name='last network address')),
                ('user_agent', models.CharField(blank=True, db_default='', default='', editable=False, max_length=512, verbose_name='user agent')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False, verbose_name='first seen')),
                ('modified_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False, verbose_name='modified')),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='trusted_devices', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'device',
                'verbose_name_plural': 'devices',
            },
        ),
        migrations.CreateModel(
            name='DeviceEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('device_key', models.CharField(blank=True, db_default='', default='', max_length=55, verbose_name='device key')),
                ('action', models.CharField(max_length=32, verbose_name='action')),
                ('reason', models.CharField(blank=True, db_default='', default='', max_length=32, verbose_name='reason')),
                ('note', models.CharField(blank=True, db_default='', default='', max_length=255, verbose_name='note')),
                ('ip_address', models.GenericIPAddressField(null=True, verbose_name='network address')),
                ('user_agent', models.CharField(blank=True, db_default='', default='', max_length=512, verbose_name='user agent')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, verbose_name='when')),
                ('actor', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('device', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='events', to='trusted_devices.device', verbose_name='device')),
                ('user', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='trusted_device_events', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'activity',
                'verbose_name_plural': 'activity log',
            },
        ),
        migrations.CreateModel(
            name='DeviceSession',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session_digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('sealed_session_key', models.TextField(editable=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False, verbose_name='signed in')),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to='trusted_devices.device', verbose_name='device')),
            ],
            options={
                'verbose_name': 'device session',
                'verbose_name_plural': 'device sessions',
            },
        ),
        migrations.AddIndex(
            model_name='device',
            index=models.Index(fields=['user', 'status'], name='td_device_user_status'),
        ),
        migrations.AddIndex(
            model_name='device',
            index=models.Index(condition=models.Q(('status', 'remembered')), fields=['status', 'trust_expires_at'], name='td_device_due'),
        ),
        migrations.AddIndex(
            model_name='device',
            index=models.Index(condition=models.Q(('status', 'not_remembered')), fields=['status', 'modified_at'], name='td_device_dead'),
        ),
        migrations.AddIndex(
            model_name='deviceevent',
            index=models.Index(fields=['user', '-created_at'], name='td_event_user_time'),
        ),
        migrations.AddIndex(
            model_name='deviceevent',
            index=models.Index(fields=['device', '-created_at'], name='td_event_device_time'),
        ),
        migrations.AddIndex(
            model_name='deviceevent',
            index=models.Index(fields=['action', 'created_at'], name='td_event_action_time'),
        ),
        migrations.AddIndex(
            model_name='deviceevent',
            index=models.Index(fields=['created_at'], name='td_event_time'),
        ),
        migrations.AddIndex(
            model_name='deviceevent',
            index=models.Index(fields=['device_key'], name='td_event_device_key'),
        ),
        migrations.AddIndex(
            model_name='devicesession',
            index=models.Index(fields=['created_at'], name='td_session_time'),
        ),
    ]
