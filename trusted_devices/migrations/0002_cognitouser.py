import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trusted_devices', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
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
    ]
