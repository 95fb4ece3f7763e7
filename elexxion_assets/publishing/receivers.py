"""Hands news to the receivers that the settings name: a mail server, a webhook. Each is given ten seconds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from elexxion_assets.quality.alerts import News
from elexxion_assets.settings import Settings

TIMEOUT = 10
"""Seconds that a receiver has to answer a step of the exchange."""


class NotTaken(Exception):
    """A receiver that did not take the news."""


def receivers(settings: Settings) -> dict[str, Callable[[News], None]]:
    """By name, how to hand news to the receivers that the settings name."""
    found: dict[str, Callable[[News], None]] = {}
    if settings.alert_mail_host is not None:
        found["mail"] = partial(send_mail, settings)
    if settings.alert_webhook is not None:
        found["webhook"] = partial(post, settings.alert_webhook.get_secret_value())
    return found


def send_mail(settings: Settings, found: News) -> None:
    """Sends the news by SMTP, encrypted unless the settings say otherwise.

    Raises:
        OSError: the server cannot be reached, or its certificate is not to be trusted.
        smtplib.SMTPException: it did not take the message.
    """
    import smtplib
    import ssl
    from email.message import EmailMessage

    message = EmailMessage()
    message["Subject"] = found.subject
    message["From"], message["To"] = settings.alert_mail_from, settings.alert_mail_to
    message["Auto-Submitted"] = "auto-generated"  # no answer of a robot is wanted
    message.set_content(found.text)
    with smtplib.SMTP(str(settings.alert_mail_host), settings.alert_mail_port, timeout=TIMEOUT) as server:
        if settings.alert_mail_starttls:
            server.starttls(context=ssl.create_default_context())
        if settings.alert_mail_user is not None and settings.alert_mail_password is not None:
            server.login(settings.alert_mail_user, settings.alert_mail_password.get_secret_value())
        server.send_message(message)


def post(address: str, found: News) -> None:
    """Posts the news as JSON, with the `text` that Slack and its like show.

    Raises:
        httpx.HTTPError: the receiver cannot be reached.
        NotTaken: it answered something else than that it took the message.
    """
    import httpx

    # What the receiver has to say beyond its status is not read.
    with httpx.stream("POST", address, json=found.as_json(), timeout=TIMEOUT) as answer:
        if not answer.is_success:
            raise NotTaken(f"it answered {answer.status_code}")
