"""Taking the quoted original out of an answer, so that what a person wrote stands alone.

Strangers write these texts: every pattern below sees a few short lines at a time, never the whole.
"""

import re

from mailparser_reply import EmailReplyParser  # type: ignore[import-untyped]

LONGEST = 20_000  # characters that are looked at; an answer stands in the first of them
LONGEST_LINE = 400  # characters of a line that may be a mail program's
LANGUAGES = ["en", "nl", "fr", "de", "es"]  # of the library; Afrikaans, isiZulu and Portuguese are read here

# "Op Ma. 5 Okt. 2026 om 14:03 het Nandi <nandi@example.com> geskryf:", broken over up to four lines
_WROTE = re.compile(
    r"(?:Op|Em|On|El|Le|Am|Il|Ku|Ngo|Nge|A|À)\b.{2,400}?\b(?:geskryf|skryf|skrywe|escreveu|wrote|schreef|escribió"
    r"|écrit|schrieb|scritto|wabhala|ubhale)\b.{0,120}:"
    r"|.{2,200}\bescreveu (?:no dia|em|na|a)\b.{2,80}:",
    re.IGNORECASE,
)
_MOMENT = re.compile(r"\b\d{4}\b|\b\d{1,2}[:h.]\d{2}\b")
_ADDRESS = re.compile(r"[^\s@]@[^\s@]")
_LINE_ABOVE = re.compile(
    r"-{3,} ?(?:Original Message|Original Appointment|Oorspronklike boodskap|Oorspronkelijk bericht"
    r"|Mensagem original|Reply message) ?-{3,}",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"-{3,} ?(?:Forwarded message|Aangestuurde boodskap|Mensagem encaminhada|Doorgestuurd bericht) ?-{3,}"
    r"|Begin forwarded message:|Begin aangestuurde boodskap:",
    re.IGNORECASE,
)
_RULE = re.compile(r"[_-]{10,}")
_FROM = re.compile(r"\*?(?:From|Van|De|Von|Da|Kusuka)[ \t]*\*?:\*?[ \t]*\S.*", re.IGNORECASE)
_OTHER = re.compile(
    r"\*?(?:Sent|To|Cc|Subject|Date|Reply-To|Importance|Gestuur|Verzonden|Aan|Onderwerp|Datum|Afskrif|Belangrikheid"
    r"|Enviad[oa](?: em)?|Para|Assunto|Data|Gesendet|An|Betreff|Envoyé|À|Objet|Asunto|Fecha)[ \t]*\*?:\*?.*",
    re.IGNORECASE,
)
_SENT_FROM = re.compile(
    r"(?:Sent from (?:my|Mail for|Yahoo|Outlook|Samsung|the)|Sent via|Get Outlook for|Gestuur van(?:af|uit)?(?: my)?"
    r"|Kry Outlook vir|Enviad[oa] d[oea] (?:meu|minha)|Obter o Outlook para) .{1,120}",
    re.IGNORECASE,
)


def trim(text: str) -> str:
    """The part that its sender wrote; all of it when nothing would be left. Blank lines around it are dropped."""
    whole = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    lines = whole[:LONGEST].split("\n")
    forwarded = (at for at, line in enumerate(lines) if _FORWARDED.fullmatch(line.strip()[:LONGEST_LINE]))
    return _own_part(lines[: next(forwarded, len(lines))]) or whole


def _own_part(lines: list[str]) -> str:
    kept = _without_ending(_without_quotes(_above_original(lines)))
    text = "\n".join(kept).strip()
    if text and len(max(kept, key=len)) <= LONGEST_LINE:
        text = EmailReplyParser(languages=list(LANGUAGES)).parse_reply(text) or text
    return text.strip()


def _above_original(lines: list[str]) -> list[str]:
    """Without what stands below Outlook's line or block of headers, unless all of it does."""
    for at, line in enumerate(lines):
        if len(line) > LONGEST_LINE or not any(part.strip() for part in lines[:at]):
            continue
        bare = line.lstrip("> \t").rstrip()
        if _LINE_ABOVE.fullmatch(bare):
            return lines[:at]
        if _FROM.fullmatch(bare) and _has_block(lines[at + 1 : at + 8]):
            above = lines[:at]
            while above and (not above[-1].strip() or _RULE.fullmatch(above[-1].strip())):
                above.pop()
            return above or lines
    return lines


def _has_block(below: list[str]) -> bool:
    found = 0
    for line in below:
        bare = line.lstrip("> \t").rstrip()[:LONGEST_LINE]
        if not bare and not found:
            continue
        if not _OTHER.fullmatch(bare):
            break
        found += 1
    return found >= 2


def _without_quotes(lines: list[str]) -> list[str]:
    """Quoted lines go, wherever they stand: people answer above, below and between them."""
    kept: list[str] = []
    at = 0
    while at < len(lines):
        if length := _attribution(lines, at):
            below = next((line for line in lines[at + length :] if line.strip()), "")
            if not below.lstrip().startswith(">") and any(line.strip() for line in kept):
                return kept  # the original is not marked: it is everything below
            at += length
            continue
        if not lines[at].lstrip().startswith(">"):
            kept.append(lines[at])
        at += 1
    return kept


def _attribution(lines: list[str], at: int) -> int:
    """How many lines from here on say who wrote the original and when; none: 0."""
    joined = ""
    for length in range(1, 5):
        if (
            at + length > len(lines)
            or not (line := lines[at + length - 1]).strip()
            or len(line) > LONGEST_LINE
        ):
            return 0
        joined = " ".join([joined, line.lstrip("> \t").rstrip()]).strip()
        if not joined.endswith(":"):
            continue
        if not _MOMENT.search(joined):
            return 0
        if _WROTE.fullmatch(joined):
            return length
        below = next((line for line in lines[at + length : at + length + 3] if line.strip()), "")
        # whatever the language: a moment at its beginning, an address, and the quote right below
        is_above_quote = below.lstrip().startswith(">") and not lines[at].lstrip().startswith(">")
        return length if is_above_quote and _MOMENT.search(lines[at]) and _ADDRESS.search(joined) else 0
    return 0


def _without_ending(lines: list[str]) -> list[str]:
    """Without the signature below `-- ` and the line that a phone adds, unless nothing else is there."""
    for at, line in enumerate(lines):
        if line.rstrip("\n") in {"--", "-- "} and any(part.strip() for part in lines[:at]):
            lines = lines[:at]
            break
    while lines and (not lines[-1].strip() or _SENT_FROM.fullmatch(lines[-1].strip()[:LONGEST_LINE])):
        lines = lines[:-1]
    return lines
