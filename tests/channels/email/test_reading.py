"""What a mail is: an answer, an automatic answer, a bounce, a complaint; and what stands in it."""

import random
import string
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivercrm.channels.email.adapter import Provider, Tagging
from drivercrm.channels.email.inbound import CUT, Kept, unwrap, wrap
from drivercrm.channels.email.settings import Settings
from drivercrm.channels.provider import (
    Choice,
    Event,
    Failure,
    Inbound,
    NotReached,
    Preference,
    Receipt,
    ReceiptKind,
    Said,
    Unknown,
)
from tests.channels.email.conftest import ACCOUNT, NOW, OUR_ID, PAYLOADS, Parse

pytestmark = pytest.mark.one_database
OURS = "m.0198b1c4d6e87a3f9b2c1d0e4f5a6b7c@drivers.example.com"
ALL = sorted(path.name for path in PAYLOADS.glob("*.eml"))


def said(event: Event) -> Inbound:
    assert isinstance(event, Inbound)
    return event


def parse_text(mail: str | bytes, account: Settings = ACCOUNT) -> Event:
    raw = mail.encode() if isinstance(mail, str) else mail
    [event] = Provider(account).parse(raw, NOW)
    return event


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gmail_reply_english", "Yes, I am in. When do I start?"),
        ("gmail_reply_afrikaans", "Goeiemôre, ek wil graag deelneem."),
        ("gmail_reply_portuguese", "Sim, quero participar."),
        ("gmail_reply_isizulu", "Yebo, ngiyavuma."),
        ("outlook_reply_english", "My phone is an old Samsung – will the app work?"),
        ("outlook_reply_afrikaans", "Die skakel werk nie by my nie.\n\nGroete\nAnnelie"),
        ("apple_reply_stop", "Stop"),
        ("bottom_posting", "It did. The camera permission is missing."),
        ("interleaved", "Yes.\nNo."),
        ("html_only", "I have two questions:\n- What phone?\n- What data & airtime?\nbad good"),
        ("subject_only", "STOP"),
        ("broken_charset", "Größe – café"),
        ("broken_headers", "Still a message."),
        ("latin1_said_utf8", "Môre"),
        ("cut_multipart", "The beginning"),
        ("attachments", "Here is my licence.\n\nPS: the photo follows."),
        ("forwarded_bounce", "Why did this come back?"),
        ("no_message_id", "I have no id."),
    ],
)
def test_what_a_person_wrote(name: str, text: str, parse: Parse) -> None:
    event = said(parse(name))

    assert event.said is Said.TEXT
    assert event.text == text
    assert text.partition("\n")[0] in event.full_text


@pytest.mark.parametrize(
    "name",
    [
        "gmail_reply_english",
        "gmail_reply_afrikaans",
        "outlook_reply_english",
        "apple_reply_stop",
        "html_only",
    ],
)
def test_the_whole_text_is_kept_and_the_trimmed_one_holds_no_word_of_ours(name: str, parse: Parse) -> None:
    event = said(parse(name))

    assert "STOP" in event.full_text
    assert "STOP" not in event.text


def test_a_forwarded_mail_is_shown_whole(parse: Parse) -> None:
    event = said(parse("forwarded"))

    assert event.text == event.full_text
    assert "Your account is waiting for approval." in event.text


def test_an_answer_names_what_it_answers_the_surest_first(parse: Parse) -> None:
    gmail, outlook = said(parse("gmail_reply_english")), said(parse("outlook_reply_english"))
    thunderbird, broken = said(parse("bottom_posting")), said(parse("broken_headers"))

    assert gmail.reply_token == outlook.reply_token == "k3tq9vwm2xhz7aqb"
    assert gmail.quotes == (OURS,)
    # a relay had put its own id on our mail: the references still hold ours
    assert outlook.quotes == ("010f0199b1d0@eu-west-1.amazonses.com", OURS)
    assert thunderbird.quotes == (OURS, "other@example.org")
    assert broken.quotes == (OURS,)
    assert thunderbird.reply_token == ""


def test_the_server_knows_better_than_the_sender_whom_a_mail_was_for() -> None:
    event = said(
        parse_text(
            "Delivered-To: crm+r-right@drivers.example.com\nTo: crm+r-wrong@drivers.example.com\n"
            "From: a@example.org\nMessage-ID: <1@example.org>\n\nHello\n"
        )
    )
    noted = said(
        parse_text(
            "Received: from x by y with LMTP id 1 for <CRM+r-Noted@drivers.example.com>; Mon, 5 Oct 2026 14:00 +0200\n"
            "From: a@example.org\nMessage-ID: <1@example.org>\n\nHello\n"
        )
    )

    assert event.reply_token == "right"
    assert noted.reply_token == "Noted"


def test_a_catch_all_domain_carries_the_token_alone() -> None:
    account = Settings("h", 25, "crm@drivers.example.com", tagging=Tagging.CATCH_ALL)

    event = said(parse_text("From: a@example.org\nTo: r-tok@drivers.example.com\n\nHello", account))

    assert event.reply_token == "tok"


def test_who_wrote(parse: Parse) -> None:
    sender = said(parse("gmail_reply_portuguese")).sender
    broken = said(parse("broken_charset")).sender

    assert (sender.addresses[0].value, sender.name) == ("joao@example.org", "João Machava")
    assert (broken.addresses[0].value, broken.name) == ("j@example.org", "Jörg Müller")
    assert said(parse("broken_headers")).sender.addresses[0].value == "ayanda@example.org"


def test_an_address_hidden_in_an_encoded_name_is_a_name() -> None:
    event = said(parse_text("From: =?utf-8?q?boss=40drivers=2Eexample=2Ecom?= <real@example.org>\n\nx"))

    assert [address.value for address in event.sender.addresses] == ["real@example.org"]


def test_a_mail_without_a_sender_is_kept() -> None:
    assert said(parse_text("From: nobody\nMessage-ID: <1@x>\n\nHello")).sender.addresses == ()


@pytest.mark.parametrize(
    "name",
    ["auto_gmail_vacation", "auto_outlook_oof", "auto_x_autorespond", "auto_x_auto_response", "auto_precedence",
     "auto_list", "auto_read_receipt", "bounce_backscatter", "complaint_foreign"],
)  # fmt: skip
def test_what_no_person_wrote_is_automatic(name: str, parse: Parse) -> None:
    assert said(parse(name)).said is Said.AUTOMATIC


@pytest.mark.parametrize(
    "mark",
    [
        "X-Auto-Response-Suppress: All",
        "Auto-Submitted: no",
        "Precedence: first-class",
        "Return-Path: <a@x.example>",
    ],
)
def test_what_people_send_with_such_headers_is_theirs(mark: str) -> None:
    assert said(parse_text(f"{mark}\nFrom: a@example.org\n\nHello")).said is Said.TEXT


@pytest.mark.parametrize(
    "mark",
    ["Auto-Submitted: auto-replied (vacation)", "X-Failed-Recipients: a@b.example", "Precedence: JUNK",
     "From: Postmaster@example.org", "From: MAILER-DAEMON@example.org", "Return-Path: < >"],
)  # fmt: skip
def test_every_mark_counts(mark: str) -> None:
    assert said(parse_text(f"{mark}\nTo: crm@drivers.example.com\n\nHello")).said is Said.AUTOMATIC


def test_an_automatic_answer_still_says_which_mail_it_is_about(parse: Parse) -> None:
    assert said(parse("auto_gmail_vacation")).quotes == (OURS,)


@pytest.mark.parametrize(
    ("name", "failure", "code", "address"),
    [
        ("bounce_postfix_unknown_user", Failure.UNREACHABLE, "5.1.1", "sipho@example.org"),
        ("bounce_gmail_full", Failure.NOT_NOW, "5.2.2", "zanele@example.org"),
        ("bounce_exchange_policy", Failure.CONTENT, "5.7.1", "nandi@example.org"),
        ("bounce_exim_words_only", Failure.UNREACHABLE, "5.1.1", "musa@example.org"),
    ],
)
def test_a_bounce_of_ours_is_a_failed_receipt(
    name: str, failure: Failure, code: str, address: str, parse: Parse
) -> None:
    event = parse(name)

    assert isinstance(event, Receipt)
    assert (event.kind, event.our_id, event.provider_id) == (ReceiptKind.FAILED, OUR_ID, OURS)
    assert (event.failure, event.code) == (failure, code)
    assert [one.value for one in event.addresses] == [address]
    assert event.at == NOW


@pytest.mark.parametrize("name", ["bounce_delayed", "complaint_forged_signature"])
def test_a_report_that_changes_nothing_is_kept_as_unknown(name: str, parse: Parse) -> None:
    assert isinstance(parse(name), Unknown)


@pytest.mark.parametrize(
    ("action", "status"),
    [("delayed", "4.4.1"), ("failed", "4.4.7"), ("delivered", "2.0.0"), ("relayed", "2.0.0")],
)
def test_only_a_final_failure_is_one(action: str, status: str) -> None:
    mail = (PAYLOADS / "bounce_postfix_unknown_user.eml").read_text()
    mail = mail.replace("Action: failed", f"Action: {action}").replace("Status: 5.1.1", f"Status: {status}")

    assert isinstance(parse_text(mail), Unknown)


def test_a_bounce_is_known_by_the_address_that_it_came_to_alone() -> None:
    mail = (PAYLOADS / "bounce_postfix_unknown_user.eml").read_text().replace(f"Message-ID: <{OURS}>", "X: y")

    event = parse_text(mail)

    assert isinstance(event, Receipt)
    assert event.our_id == OUR_ID


@pytest.mark.parametrize("name", ["complaint_abuse", "complaint_redacted"])
def test_a_complaint_of_ours_is_a_choice(name: str, parse: Parse) -> None:
    event = parse(name)

    assert isinstance(event, Preference)
    assert event.choice is Choice.COMPLAINED
    assert event.provider_id == OURS
    known = [address.value for address in event.sender.addresses]
    assert known == (["sipho@example.org"] if name == "complaint_abuse" else [])


def test_our_own_mail_that_comes_back_is_no_answer() -> None:
    event = parse_text(f"From: Driver CRM <crm@drivers.example.com>\nMessage-ID: <{OURS}>\n\nHello")

    assert isinstance(event, Unknown)


def test_files_come_with_their_names_and_their_content(parse: Parse) -> None:
    files = said(parse("attachments")).files

    assert [(file.id, file.name, file.media_type) for file in files] == [
        ("sig-1@example.org", "signature.png", "image/png"),
        ("part-2", "rybewys König.pdf", "application/pdf"),
        ("part-3", "passwd", "text/plain"),
    ]
    assert [file.content for file in files] == [b"\x89PNG\r\n\x1a\n", b"%PDF-1.4\n", b"not for reading"]
    assert all(len(file.sha256) == 64 for file in files)


def test_a_photo_alone_is_a_file(parse: Parse) -> None:
    event = said(parse("photo_only"))

    assert (event.said, event.text) == (Said.FILE, "")
    assert [file.name for file in event.files] == ["IMG_2041.jpg"]


def test_a_file_above_the_limit_is_named_without_its_content() -> None:
    account = Provider(Settings("h", 25, "crm@drivers.example.com", most_attachment=8))
    [event] = account.parse((PAYLOADS / "attachments.eml").read_bytes(), NOW)

    small, large, _ = said(event).files

    assert (large.size, large.content) == (9, None)
    assert account.fetch(small, 8).content == b"\x89PNG\r\n\x1a\n"
    for file, most in [(large, 100), (small, 7)]:
        with pytest.raises(NotReached) as caught:
            account.fetch(file, most)
        assert caught.value.failure is Failure.CONTENT


def test_html_is_shown_without_what_could_do_harm() -> None:
    account = Provider(ACCOUNT)
    body = (PAYLOADS / "html_only.eml").read_bytes()

    shown = account.html(body)
    with_picture = account.html(body, {"logo@example.org": "/files/1"})

    for bad in (
        "script",
        "alert",
        "onload",
        "style",
        "javascript",
        "<form",
        "<input",
        "tracker.example.net",
        "cid:",
    ):
        assert bad not in shown
    assert (
        '<a href="https://example.org/ok" target="_blank" rel="noopener noreferrer nofollow">good</a>'
        in shown
    )
    assert '<img src="/files/1" alt="logo">' in with_picture
    assert "tracker" not in with_picture
    assert account.html((PAYLOADS / "gmail_reply_afrikaans.eml").read_bytes()) == ""


def test_the_moment_is_the_mail_servers_not_the_senders() -> None:
    raw = (PAYLOADS / "gmail_reply_english.eml").read_bytes()
    taken = datetime(2026, 10, 5, 14, 21, 30, tzinfo=timezone(timedelta(hours=2)))

    [wrapped] = Provider(ACCOUNT).parse(wrap(Kept(raw, taken, "7:12")), NOW)
    [bare] = Provider(ACCOUNT).parse(raw, NOW)

    assert said(wrapped).at == datetime(2026, 10, 5, 12, 21, 30, tzinfo=UTC)
    assert said(bare).at == NOW
    assert said(wrapped).key == said(bare).key


def test_a_mail_that_was_too_large_says_so() -> None:
    raw = (PAYLOADS / "cut_multipart.eml").read_bytes()

    [event] = Provider(ACCOUNT).parse(wrap(Kept(raw, NOW, "7:12", is_cut=True)), NOW)

    assert said(event).text == f"The beginning\n\n{CUT}"


def test_the_same_mail_has_the_same_key_and_another_with_its_id_has_not() -> None:
    mail = (PAYLOADS / "gmail_reply_english.eml").read_bytes()
    by_another_way = b"Received: from elsewhere\r\n" + mail.replace(b"\n", b"\r\n") + b"\r\n"
    other = mail.replace(b"Yes, I am in", b"No, I am out")

    keys = [said(parse_text(one)).key for one in (mail, by_another_way, other)]

    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


def test_keys_of_all_mails_differ(parse: Parse) -> None:
    keys = [parse(name.removesuffix(".eml")).key for name in ALL]

    assert len(set(keys)) == len(ALL)
    assert all(len(key) < 100 for key in keys)


def test_an_empty_body_is_unknown() -> None:
    assert isinstance(parse_text(b""), Unknown)
    assert isinstance(parse_text(wrap(Kept(b"", NOW, "1:2"))), Unknown)


def test_a_mail_within_a_mail_without_end_is_still_shown() -> None:
    deep = b"From: a@example.org\nMessage-ID: <deep@example.org>\nMIME-Version: 1.0\n" + b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (depth, depth) for depth in range(3000)
    )

    event = said(parse_text(deep + b"Content-Type: text/plain\n\nHello"))

    assert event.sender.addresses[0].value == "a@example.org"


def every_text(event: Event) -> list[str]:
    texts: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, tuple | list):
            for one in value:
                walk(one)
        elif hasattr(value, "__dict__") and not isinstance(value, type):
            for one in vars(value).values():
                walk(one)

    walk(event)
    return texts


def check_sound(body: bytes) -> None:
    first, again = Provider(ACCOUNT).parse(body, NOW), Provider(ACCOUNT).parse(body, NOW)
    assert [event.key for event in first] == [event.key for event in again]
    assert len(first) == 1
    for text in every_text(first[0]):
        text.encode()  # no half characters
        assert "\x00" not in text
    if isinstance(first[0], Inbound | Receipt | Preference):
        assert first[0].at.tzinfo is not None
    Provider(ACCOUNT).html(body)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_an_event(body: bytes) -> None:
    check_sound(body)


NAMES = (
    "From To Subject Message-ID In-Reply-To References Content-Type Content-Disposition Content-Transfer-Encoding"
    " Date Return-Path Delivered-To Auto-Submitted Content-ID"
).split()
VALUES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b"multipart/mixed; boundary=x", b"multipart/report; report-type=delivery-status; boundary=x",
         b"message/delivery-status", b"message/feedback-report", b"message/rfc822", b"text/html; charset=utf-7",
         b"text/plain; charset=\x00", b"multipart/alternative; boundary=", b"attachment; filename*0*=x''%ff",
         b"base64", b"quoted-printable", b"x-uuencode", b"=?utf-8?b?=?=", b"<>", b"@", b"<@>", b"a@b, <c@d", b"(((((",
         b"text/plain; charset=idna", b"inline; filename*=bogus'x'%41", b"=?x?q?=00=FF?= <a@b.example>",
         b"crm+b-0198b1c4d6e87a3f9b2c1d0e4f5a6b7c@drivers.example.com"]
    ),
)  # fmt: skip


FIELDS = st.tuples(st.sampled_from(NAMES), VALUES)


@settings(max_examples=300, deadline=None)
@given(
    headers=st.lists(FIELDS, max_size=8),
    parts=st.lists(st.tuples(st.lists(FIELDS, max_size=3), st.binary(max_size=60)), max_size=4),
)
def test_any_mail_is_an_event(
    headers: list[tuple[str, bytes]], parts: list[tuple[list[tuple[str, bytes]], bytes]]
) -> None:
    def head(fields: list[tuple[str, bytes]]) -> bytes:
        return b"".join(name.encode() + b": " + value + b"\n" for name, value in fields) + b"\n"

    check_sound(
        head(headers) + b"".join(b"--x\n" + head(fields) + body + b"\n" for fields, body in parts) + b"--x--"
    )


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ALL), st.randoms(use_true_random=False))
def test_damaged_mails_are_events(name: str, chance: random.Random) -> None:
    raw = bytearray((PAYLOADS / name).read_bytes())
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(raw))
        match chance.randrange(4):
            case 0:
                raw[at] = chance.randrange(256)
            case 1:
                del raw[at : at + chance.randint(1, 200)]
            case 2:
                raw[at:at] = bytes(chance.randrange(256) for _ in range(10))
            case _:
                other = (PAYLOADS / chance.choice(ALL)).read_bytes()
                raw[at:at] = other[: chance.randint(1, 500)]
        if not raw:
            break

    check_sound(bytes(raw))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.datetimes(timezones=st.just(UTC)), st.booleans())
def test_what_is_wrapped_comes_out_again(raw: bytes, at: datetime, is_cut: bool) -> None:
    kept = Kept(raw, at, "7:12", is_cut)

    assert unwrap(wrap(kept)) == kept


@pytest.mark.parametrize(
    "line",
    [
        b'{"imap":\n',
        b'{"imap":{}}\nx',
        b'{"imap":{"at":"now","place":1,"is_cut":0}}\nx',
        b'{"imap":' + b"[" * 9000,
    ],
)
def test_a_broken_line_of_ours_is_part_of_the_mail(line: bytes) -> None:
    assert unwrap(line) == Kept(line)
    check_sound(line)


def test_a_hundred_mails_of_noise_take_no_time() -> None:
    noise = "".join(random.Random(7).choices(string.ascii_letters + " >:\n@<", k=300_000))
    started = datetime.now(UTC)

    said(parse_text(f"From: a@example.org\n\n{noise}"))
    said(parse_text(f"From: a@example.org\nContent-Type: text/html\n\n{'<div>' * 60_000}{noise}"))
    said(parse_text(f"From: {'a@b,' * 20_000}\nTo: {'(' * 50_000}\nReferences: {'<a@b> ' * 20_000}\n\nHello"))

    assert (datetime.now(UTC) - started).total_seconds() < 20  # hours, without the limits
