"""The forms of a secret that are masked: plain, escaped, quoted or encoded.

Reversed, encrypted, compressed or letter-by-letter output is not recognized.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from runbook.core.output.secret_parts import leaves_of, lines_of

MIN_MASKED = 4
"""Minimum length to mask at all: shorter masks would make the output unreadable."""

MIN_ENCODED = 6
"""Minimum length to mask other forms; shorter secrets are masked only in plain form."""

MAX_ENCODED = 64
"""How many values of a structured secret are masked in encoded forms, too."""

MAX_RARE = 16 * 1024
"""Maximum length to mask base32 and the rarer forms, which take seconds for a megabyte."""

BASE64_WIDTHS = (64, 76)
"""Line lengths used by openssl and base64."""

HEX_WIDTH = 60
"""The line length used by `xxd -p`."""

LINE_ENDS = (b"\n", b"\r\n")
"""Line endings that commands may add when they print a secret."""

_SAME_EVERYWHERE = re.compile(r"[A-Za-z0-9_.-]+")
"""Text that is written the same in every language."""
_ZSH_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r"})
_ZSH_CONTROLS = str.maketrans({"\n": "$'\\n'", "\t": "$'\\t'", "\r": "$'\\r'"})
_ZSH_SPECIAL = re.compile(r"""(["#$&'()*;<>?[\\\]^`{|} ])""")
_BASH_SPECIAL = re.compile(r"""([!"$&'()*,;<>?[\\\]^`{|} ]|(?<=[=:])~)""")
_SPECIAL_IN_QUOTES = re.compile(r'(["\\$`])')
_BASE32_GROUP = 5
"""Bytes that base32 encodes together."""
_GO_ESCAPES = str.maketrans({"&": "\\u0026", "<": "\\u003c", ">": "\\u003e"})


class _Written(dict[int, str]):
    """A table for `translate` that writes every character in one form."""

    def __init__(self, form: str) -> None:
        super().__init__((code, form.format(code)) for code in range(128))
        self._form = form

    def __missing__(self, code: int) -> str:
        return self._form.format(code)


_HTML_NUMBERS = (_Written("&#{};"), _Written("&#x{:x};"), _Written("&#x{:X};"))


def unmaskable(secret: str) -> bool:
    """Whether a non-empty value is too short to be masked, which deserves a warning."""
    return bool(secret) and len(secret.strip()) < MIN_MASKED


def forms(secret: str) -> frozenset[str]:
    """All masked forms of the secret; empty if it is empty or too short.

    Surrounding whitespace is ignored, as scripts and files add and drop it. The values and lines of
    a structured secret are masked like separate secrets, lines in written forms only.
    """
    whole = _as_decoded(secret).strip()
    if len(whole) < MIN_MASKED:
        return frozenset()
    found = set(_value_forms(whole, encoded=True))
    leaves = dict.fromkeys(_as_decoded(leaf).strip() for leaf in leaves_of(whole))
    for number, leaf in enumerate(leaves):
        if len(leaf) >= MIN_MASKED:
            found.update(_value_forms(leaf, encoded=number < MAX_ENCODED))
    return frozenset(found)


def _as_decoded(secret: str) -> str:
    """The secret as a tolerant UTF-8 decoder shows it, in case its bytes are invalid UTF-8."""
    try:
        return secret.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return secret.encode("utf-8", "replace").decode("utf-8")


def _value_forms(value: str, *, encoded: bool) -> Iterator[str]:
    lines = lines_of(value)
    encoded = encoded and len(value) >= MIN_ENCODED
    for spelling in {value, "\n".join(lines), "\r\n".join(lines), " ".join(lines)}:
        yield from _written_forms(spelling)
        if encoded:
            yield from _encoded_forms(spelling.encode())
    if encoded and len(value) <= MAX_RARE:
        yield from _rarer_forms(value)
    for line in lines if len(lines) > 1 else ():
        if len(line.strip()) >= MIN_MASKED:
            yield from _written_forms(line.strip())


def _written_forms(text: str) -> Iterator[str]:
    yield text
    if len(text) < MIN_ENCODED or _SAME_EVERYWHERE.fullmatch(text):
        return
    yield from _url_forms(text)
    yield from _json_forms(text)
    yield from _shell_forms(text)
    yield from _html_forms(text)
    yield repr(text)[1:-1]
    yield ascii(text)[1:-1]
    yield repr(text.encode())[2:-1]


def _url_forms(text: str) -> Iterator[str]:
    for upper in (
        quote(text, safe=""),
        quote(text, safe="/"),
        quote(text, safe="!~*'()"),  # encodeURIComponent of JavaScript
        quote_plus(text, safe=""),
        quote_plus(text, safe="/"),
    ):
        yield upper
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), upper)


def _json_forms(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        escaped = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield escaped
        yield escaped.translate(_GO_ESCAPES)
        yield escaped.replace("/", "\\/")
        yield json.dumps(escaped, ensure_ascii=ascii_only)[1:-1]  # JSON in a string of JSON


def _shell_forms(text: str) -> Iterator[str]:
    quoted = shlex.quote(text)
    yield quoted[1:-1] if quoted != text else text
    yield text.replace("'", "'\\''")
    yield text.translate(_ZSH_ESCAPES)  # inside $'...'
    yield text.translate(_ZSH_ESCAPES).replace("!", "\\!")  # also by ${(qqqq)NAME}
    yield _SPECIAL_IN_QUOTES.sub(r"\\\1", text)  # inside "...", as by export -p
    yield _BASH_SPECIAL.sub(r"\\\1", text)  # printf %q
    yield _ZSH_SPECIAL.sub(r"\\\1", text).translate(_ZSH_CONTROLS)  # the same, in zsh
    yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", text)  # escaping more than necessary


def _html_forms(text: str) -> Iterator[str]:
    yield html.escape(text, quote=False)
    escaped = html.escape(text)
    for apostrophe in ("&#x27;", "&#39;", "&apos;"):
        yield escaped.replace("&#x27;", apostrophe)
    yield escaped.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _encoded_forms(data: bytes) -> Iterator[str]:
    digits = data.hex()
    yield digits
    yield digits.upper()
    yield _in_lines(digits, HEX_WIDTH)
    for shift in range(3):
        cores = (_base64_core(data, shift), *_base64_ends(data, shift))
        for standard in cores:
            yield standard
            yield standard.replace("+", "-").replace("/", "_")
        for width in BASE64_WIDTHS if shift == 0 else ():
            yield from (_in_lines(core, width) for core in cores)
    if len(data) <= MAX_RARE:
        yield from _base32_forms(data)


def _rarer_forms(text: str) -> Iterator[str]:
    """Forms that are masked for a text as it was given, not with other line endings."""
    data = text.encode()
    for separator in ":", " ", "-":
        parted = data.hex(separator)
        yield from (parted, parted.upper())
    yield "\\x" + data.hex(":").replace(":", "\\x")
    yield "0x" + data.hex(":").replace(":", ", 0x")
    for form in _HTML_NUMBERS:
        yield text.translate(form)
    for shift in range(3):
        once = _base64_core(data, shift).encode("ascii")
        yield from (_base64_core(once, again) for again in range(3))
    for end in (b"", LINE_ENDS[0]):
        once = base64.b64encode(data + end)
        lines = _in_lines(once.decode("ascii"), BASE64_WIDTHS[-1]).encode("ascii")
        for inner in {once, lines, lines + LINE_ENDS[0]}:
            twice = base64.b64encode(inner).decode("ascii")
            yield twice
            yield _in_lines(twice, BASE64_WIDTHS[-1])


def _in_lines(text: str, width: int) -> str:
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


def _base64_core(data: bytes, shift: int) -> str:
    """The base64 characters that depend on `data` alone, with `shift` bytes before it."""
    encoded = base64.b64encode(bytes(shift) + data).decode("ascii")
    first = (shift * 8 + 5) // 6
    return encoded[first : (shift + len(data)) * 8 // 6]


def _base64_ends(data: bytes, shift: int) -> Iterator[str]:
    """The same for text that ends after `data`, maybe with a line ending, including padding."""
    first = (shift * 8 + 5) // 6
    for end in (b"", *LINE_ENDS):
        yield base64.b64encode(bytes(shift) + data + end).decode("ascii")[first:]


def _base32_forms(data: bytes) -> Iterator[str]:
    """Base32 of a longer text that contains `data`, and of `data` alone."""
    for shift in range(5):
        encoded = base64.b32encode(bytes(shift) + data).decode("ascii")
        yield encoded[(shift * 8 + 4) // 5 : (shift + len(data)) * 8 // 5]
    # Encoding takes time, and the ends make a difference only in the last group.
    whole = len(data) // _BASE32_GROUP * _BASE32_GROUP
    start = base64.b32encode(data[:whole])
    for end in (b"", *LINE_ENDS):
        word = (start + base64.b32encode(data[whole:] + end)).decode("ascii")
        yield word
        yield _in_lines(word, BASE64_WIDTHS[-1])
