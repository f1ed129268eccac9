"""Reading back what the file-based e-mail backend wrote."""

import os

from django.core.mail import EmailMultiAlternatives, get_connection

from demo_site import mailbox


def send(folder, *subjects):
    connection = get_connection("django.core.mail.backends.filebased.EmailBackend", file_path=folder)
    mails = []
    for subject in subjects:
        mail = EmailMultiAlternatives(subject, f"About {subject}: Größe\n", "demo@example.com", ["maria@example.com"])
        mail.attach_alternative(f"<p>About {subject}</p>", "text/html")
        mails.append(mail)
    connection.send_messages(mails)


def test_there_are_no_mails_before_the_first_one(tmp_path):
    assert mailbox.latest(tmp_path / "mail") == []


def test_a_mail_is_read_back_as_text(tmp_path):
    send(tmp_path, "a new device")
    (mail,) = mailbox.latest(tmp_path)
    assert (mail.subject, mail.to, mail.text) == (
        "a new device",
        "maria@example.com",
        "About a new device: Größe",
    )
    assert mail.sent_at is not None


def test_the_newest_mail_comes_first_and_old_ones_are_left_out(tmp_path):
    send(tmp_path, "first", "second")
    (earlier,) = tmp_path.iterdir()
    os.utime(earlier, (1, 1))
    send(tmp_path, "third")
    assert [mail.subject for mail in mailbox.latest(tmp_path)] == ["third", "second", "first"]
    assert [mail.subject for mail in mailbox.latest(tmp_path, count=2)] == ["third", "second"]


def test_a_file_that_is_no_mail_does_no_harm(tmp_path):
    (tmp_path / "broken.log").write_bytes(b"\xff\xfe no headers here")
    (mail,) = mailbox.latest(tmp_path)
    assert mail.subject == ""
