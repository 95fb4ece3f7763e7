"""Receivers are told once of what is wrong and once of its end, whatever happens on the way."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from pydantic import SecretStr, ValidationError

from elexxion_assets.lake import layout
from elexxion_assets.lake.alerting import LEASE, lake_problems, tell
from elexxion_assets.lake.build import note_refusal, stage
from elexxion_assets.lake.storage import DirectoryStorage, Storage
from elexxion_assets.lake.survey import Memory, survey
from elexxion_assets.publishing.receivers import NotTaken, receivers
from elexxion_assets.quality.alerts import Kind, News, Problem, Problems
from elexxion_assets.settings import Settings
from elexxion_assets_tests.small_lake import SmallLake
from elexxion_assets_tests.toy import THEMES, TOY, csv

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def problem(name: str, words: str = "it is wrong") -> Problem:
    return Problem(key=f"refused:{name}", kind=Kind.REFUSED, title=name, words=words, link="http://ui/assets/x")


def named(*names: str) -> Problems:
    return {problem(name).key: problem(name) for name in names}


class Receiver:
    """Takes news, or is dead."""

    def __init__(self, storage: Storage) -> None:
        self.storage, self.dead = storage, False
        self.got: list[tuple[list[str], list[str]]] = []

    def __call__(self, found: News) -> None:
        if self.dead:
            raise TimeoutError("no answer")
        self.got.append(([p.title for p in found.new], [p.title for p in found.over]))

    def look(self, problems: Problems, at: datetime = NOW) -> str:
        return tell(self.storage, "mail", self, lambda told: problems, at)


@pytest.fixture
def receiver(tmp_path: Path) -> Receiver:
    return Receiver(DirectoryStorage(tmp_path / "lake"))


def test_a_problem_is_told_once_together_with_others_and_once_when_it_is_over(receiver: Receiver) -> None:
    for names in (["a", "b"], ["a", "b"], ["a", "c"], ["a", "c"], [], []):
        receiver.look(named(*names))
    assert receiver.got == [(["a", "b"], []), (["c"], ["b"]), ([], ["a", "c"])]


def test_what_comes_again_is_told_again(receiver: Receiver) -> None:
    for names in (["a"], [], ["a"]):
        receiver.look(named(*names))
    assert receiver.got == [(["a"], []), ([], ["a"]), (["a"], [])]


def test_what_a_dead_receiver_missed_is_told_when_it_is_back(receiver: Receiver) -> None:
    receiver.look(named("old"))
    receiver.dead = True
    assert "the next look tries again: TimeoutError" in receiver.look(named("old", "short"))
    receiver.look(named("long"))
    receiver.dead = False
    receiver.look(named("long"))
    assert receiver.got[1:] == [(["short", "long"], ["short", "old"])]
    assert receiver.look(named("long")) == "mail: nothing new"


def test_two_looks_at_once_send_one_message(receiver: Receiver) -> None:
    said: list[str] = []

    def send(found: News) -> None:
        receiver(found)
        said.append(receiver.look(named("a")))

    tell(receiver.storage, "mail", send, lambda told: named("a"), NOW)
    assert receiver.got == [(["a"], [])]
    assert said == ["mail: a message is being sent already"]


def test_a_message_whose_sender_was_killed_is_sent_again(receiver: Receiver) -> None:
    class Killed(BaseException):
        """As SIGKILL: no handler runs."""

    def send(found: News) -> None:
        raise Killed

    with pytest.raises(Killed):
        tell(receiver.storage, "mail", send, lambda told: named("a"), NOW)
    receiver.look(named("a"), NOW + LEASE - timedelta(seconds=1))
    assert receiver.got == []
    receiver.look({}, NOW + LEASE)
    assert receiver.got == [(["a"], ["a"])]


def test_a_damaged_memory_of_what_was_told_begins_anew(receiver: Receiver) -> None:
    receiver.storage.write(layout.alerts_key("mail"), b'{"told": 3')
    receiver.look(named("a"))
    receiver.look(named("a"))
    assert receiver.got == [(["a"], [])]


def test_the_lake_tells_of_refused_files_and_tables(tmp_path: Path) -> None:
    lake = SmallLake(DirectoryStorage(tmp_path / "lake"), THEMES)
    memory = Memory()

    def found() -> dict[Kind, Problem]:
        looked = survey(lake.storage, lake.ledger, THEMES, memory)
        problems = lake_problems(looked, THEMES, date(2026, 11, 21), "http://ui")
        return {problem.kind: problem for problem in problems.values()}

    lake.drop("no.csv", csv("01001;2022;9"), refuse="yes")
    lake.drop("wrong.csv", csv("01001;2020;5000"))
    with stage(lake.storage, lake.ledger, THEMES, TOY, TOY.tables[0], "2020") as staged:
        note_refusal(lake.storage, staged)
    told = found()
    assert set(told) == {Kind.REFUSED, Kind.CHECK}
    assert (told[Kind.REFUSED].title, told[Kind.REFUSED].words) == ("no.csv", "it was said to refuse this file")
    assert told[Kind.CHECK].words == "sane: 1 of 1"
    assert told[Kind.CHECK].link == "http://ui/assets/toy/silver/facts?view=checks"
    lake.drop("right.csv", csv("01001;2020;5"), release="2021")
    lake.build()
    assert set(found()) == {Kind.REFUSED}


# --- real receivers ---------------------------------------------------------------------------------------------------


class Mailbox:
    """Keeps what an SMTP server is given."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        self.messages.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 OK"


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def mail_settings(port: int, **more: Any) -> Settings:
    return Settings(
        alert_mail_host="127.0.0.1",
        alert_mail_port=port,
        alert_mail_from="lake@example.org",
        alert_mail_to="one@example.org, two@example.org",
        **{"alert_mail_starttls": False, **more},
    )


HOSTILE = News(new=[problem("x\r\nBcc: evil@example.org\r\n\r\n<!channel> \u202e\udcff.csv", "é" * 2000)])


def test_mail_reaches_a_real_server_and_file_names_forge_nothing() -> None:
    box, logins = Mailbox(), []

    def login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        logins.append((data.login, data.password))
        return AuthResult(success=True)

    server = Controller(box, hostname="127.0.0.1", port=free_port(), authenticator=login, auth_require_tls=False)
    server.start()
    try:
        send = receivers(mail_settings(server.port, alert_mail_user="lake", alert_mail_password=SecretStr("secret")))[
            "mail"
        ]
        send(HOSTILE)
        send(News(over=[problem("a.csv")]))
    finally:
        server.stop()
    assert logins == [(b"lake", b"secret")] * 2
    [(to, first), (_, second)] = box.messages
    assert to == ["one@example.org", "two@example.org"]
    assert (first["Subject"], first["Bcc"]) == ("Elexxion: 1 new problem", None)
    text = first.get_content()
    assert "- x Bcc: evil@example.org <!channel> ⟨U+202E⟩⟨U+DCFF⟩.csv: ééé" in text
    assert "http://ui/assets/x" in text
    assert second["Subject"] == "Elexxion: 1 recovered"
    assert "Recovered (1):\n- a.csv: it is wrong" in second.get_content().replace("\r", "")


def test_mail_and_password_go_encrypted_to_a_server_whose_certificate_is_trusted_and_to_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, encrypted = Mailbox(), []

    def login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        encrypted.append(session.ssl is not None)
        return AuthResult(success=True)

    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = Controller(
        box, hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=True, authenticator=login
    )
    server.start()
    try:
        secrets = {"alert_mail_user": "lake", "alert_mail_password": SecretStr("secret")}
        send = receivers(mail_settings(server.port, alert_mail_starttls=True, **secrets))["mail"]
        with pytest.raises(ssl.SSLCertVerificationError):
            send(HOSTILE)
        assert (encrypted, box.messages) == ([], [])
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        send(HOSTILE)
    finally:
        server.stop()
    assert encrypted == [True]
    assert [to for to, _ in box.messages] == [["one@example.org", "two@example.org"]]


def test_a_server_without_encryption_is_not_given_the_password() -> None:
    server = Controller(Mailbox(), hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        send = receivers(mail_settings(server.port, alert_mail_starttls=True))["mail"]
        with pytest.raises(Exception, match="STARTTLS"):
            send(HOSTILE)
    finally:
        server.stop()


@pytest.fixture
def hook() -> Iterator[tuple[str, list[bytes], list[int]]]:
    """A webhook: its address, what it was given, the statuses that it answers next."""
    got: list[bytes] = []
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/services/T0/secret", got, statuses
        server.shutdown()


def test_a_webhook_gets_json_with_the_text_that_slack_shows(hook: tuple[str, list[bytes], list[int]]) -> None:
    address, got, statuses = hook
    send = receivers(Settings(alert_webhook=SecretStr(address)))["webhook"]
    send(HOSTILE)
    told = json.loads(got[0])
    assert "&lt;!channel&gt;" in told["text"]
    assert "<" not in told["text"]
    assert told["problems"][0]["kind"] == "file refused"
    assert told["recovered"] == []
    statuses += [500, 302]
    for _ in range(2):
        with pytest.raises(NotTaken):
            send(HOSTILE)


def test_a_failing_webhook_is_tried_again_and_its_address_is_not_told(
    hook: tuple[str, list[bytes], list[int]], tmp_path: Path
) -> None:
    address, got, statuses = hook
    storage = DirectoryStorage(tmp_path / "lake")
    send = receivers(Settings(alert_webhook=SecretStr(address)))["webhook"]
    statuses += [503]
    said = [tell(storage, "webhook", send, lambda told: named("a"), NOW) for _ in range(3)]
    assert said[0].endswith("tries again: NotTaken: it answered 503")
    assert said[1:] == ["webhook: 1 new problem", "webhook: nothing new"]
    assert len(got) == 2
    nobody = receivers(Settings(alert_webhook=SecretStr(f"http://127.0.0.1:{free_port()}/services/secret")))["webhook"]
    words = tell(storage, "other", nobody, lambda told: named("a"), NOW)
    assert "could not be told" in words
    assert "secret" not in words


def test_settings_of_mail_are_complete_or_refused() -> None:
    assert receivers(Settings()) == {}
    with pytest.raises(ValidationError, match="ELEXXION_ALERT_MAIL_FROM is required"):
        Settings(alert_mail_host="mail.example.org")
    with pytest.raises(ValidationError, match="must begin with https"):
        Settings(alert_webhook=SecretStr("ftp://example.org"))
