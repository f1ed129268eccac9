import datetime
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
import re
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('trusted_devices', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='FailedAttempts',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('failures', models.PositiveIntegerField(db_default=0, default=0, editable=False)),
                ('last_failed_at', models.DateTimeField(db_index=True, editable=False)),
            ],
        ),
        migrations.CreateModel(
            name='SpentToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('expires_at', models.DateTimeField(db_index=True, editable=False)),
            ],
        ),
        migrations.CreateModel(
            name='UserPool',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('pool_id', models.CharField(max_length=55, unique=True, validators=[django.core.validators.RegexValidator(re.compile('\\A[A-Za-z0-9-]{1,18}_[0-9a-zA-Z]{1,36}\\Z'))], verbose_name='user pool id')),
                ('name', models.CharField(max_length=128, verbose_name='name')),
                ('device_group_key', models.CharField(editable=False, max_length=16, unique=True)),
                ('tracking', models.CharField(db_default='opt_in', default='opt_in', max_length=8, verbose_name='device tracking')),
                ('challenge_required_on_new_device', models.BooleanField(db_default=True, default=True, help_text='Only new devices are asked for MFA (Cognito: ChallengeRequiredOnNewDevice).', verbose_name='remembered devices skip MFA')),
                ('trust_period', models.DurationField(blank=True, help_text="For how long a remembered device skips MFA, as “60 00:00:00”. Empty: the site's default.", null=True, validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=1), message='Must be more than nothing and at most 400 days.'), django.core.validators.MaxValueValidator(datetime.timedelta(days=400), message='Must be more than nothing and at most 400 days.')], verbose_name='trust period')),
                ('mfa', models.CharField(db_default='OPTIONAL', default='OPTIONAL', max_length=8, verbose_name='MFA')),
                ('software_token_mfa', models.BooleanField(db_default=True, default=True, verbose_name='codes from authenticator apps')),
                ('email_mfa', models.BooleanField(db_default=False, default=False, verbose_name='codes by e-mail')),
                ('sms_mfa', models.BooleanField(db_default=False, default=False, verbose_name='codes by text message')),
                ('email_alias', models.BooleanField(db_default=False, default=False, help_text="Works for addresses that only one user has, and that are nobody else's user name.", verbose_name='sign-in by e-mail address')),
                ('srp_seed', models.CharField(editable=False, max_length=64)),
                ('keep_srp_verifiers', models.BooleanField(db_default=True, default=True, help_text="USER_SRP_AUTH needs one, made from the password when it is set or typed in. It is stored encrypted; whoever also has the SECRET_KEY can guess passwords against it much faster than against Django's hashes.", verbose_name='keep SRP verifiers')),
                ('required_attributes', models.JSONField(blank=True, db_default=[], default=list, help_text='Users who have to set a new password are asked for those that they lack.', verbose_name='required attributes')),
                ('refresh_without_device', models.BooleanField(db_default=False, default=False, help_text='Refresh tokens work without a device key as long as the device was never confirmed.', verbose_name='refresh for unconfirmed devices')),
                ('threat_protection', models.BooleanField(db_default=True, default=True, help_text='Clients may read sign-in events and give feedback.', verbose_name='authentication events')),
                ('deletion_protection', models.BooleanField(db_default=False, default=False, verbose_name='protected from deletion')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False, verbose_name='created')),
                ('modified_at', models.DateTimeField(auto_now=True, verbose_name='modified')),
            ],
            options={
                'verbose_name': 'user pool',
                'verbose_name_plural': 'user pools',
            },
        ),
        migrations.CreateModel(
            name='AuthEventFeedback',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('value', models.CharField(max_length=8)),
                ('provider', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now)),
                ('event', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='trusted_devices.deviceevent')),
            ],
        ),
        migrations.CreateModel(
            name='PoolUser',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sub', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('preferred_mfa', models.CharField(blank=True, db_default='', default='', max_length=20)),
                ('mfa_enabled', models.JSONField(db_default={}, default=dict)),
                ('phone_number', models.CharField(blank=True, db_default='', default='', max_length=32, verbose_name='phone number')),
                ('must_change_password', models.BooleanField(db_default=False, default=False, help_text='The next sign-in through this pool goes on only once the user has set a new password.', verbose_name='new password at the next sign-in')),
                ('modified_at', models.DateTimeField(editable=False, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('pool', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='users', to='trusted_devices_cognito_idp.userpool')),
            ],
            options={
                'verbose_name': 'user of a pool',
                'verbose_name_plural': 'users of pools',
            },
        ),
        migrations.CreateModel(
            name='SrpCredential',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sealed_verifiers', models.TextField(editable=False)),
                ('password_stamp', models.CharField(editable=False, max_length=64)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False)),
                ('pool_user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='srp_credential', to='trusted_devices_cognito_idp.pooluser')),
            ],
        ),
        migrations.CreateModel(
            name='AccessKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('access_key_id', models.CharField(editable=False, max_length=32, unique=True, verbose_name='access key id')),
                ('sealed_secret', models.TextField(editable=False)),
                ('name', models.CharField(help_text='Who uses it, and what for.', max_length=128, verbose_name='name')),
                ('operations', models.JSONField(blank=True, db_default=[], default=list, help_text='A list of names such as ["AdminListDevices"], where “*” stands for anything: ["AdminList*"].', verbose_name='operations')),
                ('all_pools', models.BooleanField(db_default=False, default=False, help_text='Good for every pool, also those to come, and for making new ones.', verbose_name='all user pools')),
                ('is_active', models.BooleanField(db_default=True, default=True, verbose_name='active')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False, verbose_name='created')),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('pools', models.ManyToManyField(blank=True, help_text='The pools that the key is good for. Once the last of them is deleted, it is good for none.', related_name='access_keys', to='trusted_devices_cognito_idp.userpool', verbose_name='user pools')),
            ],
            options={
                'verbose_name': 'access key',
                'verbose_name_plural': 'access keys',
            },
        ),
        migrations.CreateModel(
            name='UserPoolClient',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('client_id', models.CharField(editable=False, max_length=128, unique=True, verbose_name='client id')),
                ('name', models.CharField(max_length=128, verbose_name='name')),
                ('sealed_secret', models.TextField(blank=True, db_default='', default='', editable=False)),
                ('auth_flows', models.JSONField(db_default=[], default=list, help_text='A list such as ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"].', verbose_name='sign-in flows')),
                ('access_token_validity', models.DurationField(db_default=datetime.timedelta(seconds=3600), default=datetime.timedelta(seconds=3600), validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=300), message='Must be from 5 minutes to 1 day.'), django.core.validators.MaxValueValidator(datetime.timedelta(days=1), message='Must be from 5 minutes to 1 day.')], verbose_name='access tokens last')),
                ('id_token_validity', models.DurationField(db_default=datetime.timedelta(seconds=3600), default=datetime.timedelta(seconds=3600), validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=300), message='Must be from 5 minutes to 1 day.'), django.core.validators.MaxValueValidator(datetime.timedelta(days=1), message='Must be from 5 minutes to 1 day.')], verbose_name='ID tokens last')),
                ('refresh_token_validity', models.DurationField(db_default=datetime.timedelta(days=30), default=datetime.timedelta(days=30), validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=3600), message='Must be from 1 hour to 10 years.'), django.core.validators.MaxValueValidator(datetime.timedelta(days=3650), message='Must be from 1 hour to 10 years.')], verbose_name='refresh tokens last')),
                ('token_units', models.JSONField(db_default={}, default=dict, editable=False)),
                ('auth_session_validity', models.PositiveSmallIntegerField(db_default=3, default=3, validators=[django.core.validators.MinValueValidator(3), django.core.validators.MaxValueValidator(15)], verbose_name='minutes for a sign-in')),
                ('prevent_user_existence_errors', models.BooleanField(db_default=True, default=True, verbose_name='never tell who exists')),
                ('enable_token_revocation', models.BooleanField(db_default=True, default=True, verbose_name='tokens can be revoked')),
                ('propagate_context', models.BooleanField(db_default=False, default=False, help_text='Log the network address that a client with a secret names (UserContextData).', verbose_name="believe the client's address")),
                ('rotate_refresh_tokens', models.BooleanField(db_default=False, default=False, verbose_name='rotate refresh tokens')),
                ('rotation_grace', models.PositiveSmallIntegerField(db_default=0, default=0, validators=[django.core.validators.MaxValueValidator(60)], verbose_name='seconds that a rotated token still works')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False, verbose_name='created')),
                ('modified_at', models.DateTimeField(auto_now=True, verbose_name='modified')),
                ('pool', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='clients', to='trusted_devices_cognito_idp.userpool', verbose_name='user pool')),
            ],
            options={
                'verbose_name': 'app client',
                'verbose_name_plural': 'app clients',
            },
        ),
        migrations.CreateModel(
            name='RefreshToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('origin_jti', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('digest', models.CharField(editable=False, max_length=64)),
                ('generation', models.PositiveIntegerField(db_default=0, default=0, editable=False)),
                ('rotated_at', models.DateTimeField(editable=False, null=True)),
                ('device_key', models.CharField(blank=True, db_default='', default='', editable=False, max_length=55)),
                ('device_confirmed', models.BooleanField(db_default=False, default=False, editable=False)),
                ('event_id', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('auth_time', models.DateTimeField(editable=False)),
                ('expires_at', models.DateTimeField(db_index=True, editable=False)),
                ('revoked_at', models.DateTimeField(editable=False, null=True)),
                ('mfa_kind', models.CharField(blank=True, db_default='', default='', editable=False, max_length=32)),
                ('mfa_factor', models.CharField(blank=True, db_default='', default='', editable=False, max_length=255)),
                ('mfa_at', models.DateTimeField(editable=False, null=True)),
                ('credential_stamp', models.CharField(db_default='', default='', editable=False, max_length=129)),
                ('pool_user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='refresh_tokens', to='trusted_devices_cognito_idp.pooluser')),
                ('app_client', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='trusted_devices_cognito_idp.userpoolclient')),
            ],
        ),
        migrations.CreateModel(
            name='PendingDeviceProof',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('device_key', models.CharField(editable=False, max_length=55)),
                ('sign_in', models.CharField(editable=False, max_length=32)),
                ('origin', models.CharField(editable=False, max_length=64)),
                ('state', models.JSONField(db_default={}, default=dict, editable=False)),
                ('expires_at', models.DateTimeField(db_index=True, editable=False)),
                ('used_at', models.DateTimeField(editable=False, null=True)),
                ('pool_user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='trusted_devices_cognito_idp.pooluser')),
                ('app_client', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='trusted_devices_cognito_idp.userpoolclient')),
            ],
        ),
        migrations.CreateModel(
            name='SigningKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token_use', models.CharField(editable=False, max_length=8)),
                ('kid', models.CharField(editable=False, max_length=64, unique=True)),
                ('sealed_private_key', models.TextField(editable=False)),
                ('public_jwk', models.JSONField(editable=False)),
                ('signs_from', models.DateTimeField(editable=False)),
                ('published_until', models.DateTimeField(editable=False, null=True)),
                ('pool', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='signing_keys', to='trusted_devices_cognito_idp.userpool')),
            ],
            options={
                'indexes': [models.Index(fields=['pool', 'token_use', 'signs_from'], name='td_idp_signing_key')],
            },
        ),
        migrations.AddConstraint(
            model_name='pooluser',
            constraint=models.UniqueConstraint(fields=('pool', 'user'), name='td_idp_pool_user'),
        ),
        migrations.AddIndex(
            model_name='refreshtoken',
            index=models.Index(fields=['pool_user', 'revoked_at'], name='td_idp_token_user'),
        ),
        migrations.AddIndex(
            model_name='pendingdeviceproof',
            index=models.Index(fields=['device_key'], name='td_idp_device_proof'),
        ),
    ]
