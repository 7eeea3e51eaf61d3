"""Archives that must be refused, each with its reason."""

import io
import stat
import struct
import zipfile

MANIFEST = ("toolkit.yaml", b"slug: lab\nname: Lab\nversion: 9.0.0\n")


def zipped(*files, change=None):
    """An archive of (name, content) or (ZipInfo, content); `change` edits its bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files:
            made.writestr(name, content)
    data = buffer.getvalue()
    return change(data) if change else data


def info(name, mode, *, extra=b""):
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    made.create_system = 3
    made.extra = extra
    return made


def named(new):
    """A file with a name as it is: zipfile itself would clean it."""
    placeholder = b"a" * len(new)
    entry = (placeholder.decode(), b"x")
    return zipped(MANIFEST, entry, change=lambda data: data.replace(placeholder, new))


def special(mode, name="special.md", more=()):
    return zipped(MANIFEST, (info(name, mode), b"/etc/passwd"), *more)


def hard_link():
    """PKWARE's field for Unix, whose last part names the file that is linked to."""
    target = b"/etc/passwd"
    field = struct.pack("<HHLLHH", 0x000D, 12 + len(target), 0, 0, 0, 0) + target
    return zipped(MANIFEST, (info("hard.md", stat.S_IFREG | 0o644, extra=field), b""))


def named_alike(*names):
    return zipped(MANIFEST, *((name, b"x") for name in names))


def not_utf8():
    """A name that isn't the UTF-8 it claims to be."""
    accented = "caf\u00e9.md"
    data = zipped(MANIFEST, (accented, b"x"))
    return data.replace(accented.encode(), accented.encode()[:-4] + b"\xff.md")


def nested():
    """An archive of zeros, stored, in an archive: it's small only on the outside."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_STORED) as made:
        made.writestr("zeros", bytes(2 * 1024 * 1024))
    return zipped(MANIFEST, ("inner.zip", inner.getvalue()))


def many(count=10_001):
    """A directory of many entries, all of which are the same file."""
    data = zipped(MANIFEST)
    end = data.rindex(b"PK\x05\x06")
    first = data.index(b"PK\x01\x02")
    directory = data[first:end] * count
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), first, 0)
    return data[:first] + directory + tail


def lying(change):
    stored = zipfile.ZipInfo("stored.md")
    return zipped(MANIFEST, (stored, b"hello"), change=change)


def overlapping(data):
    """Let the second entry of the directory be the first file's bytes."""
    second = data.rindex(b"PK\x01\x02")
    return data[: second + 42] + struct.pack("<L", 0) + data[second + 46 :]


def flagged(flag):
    """Set a flag of the first file in the directory."""

    def change(data):
        first = data.index(b"PK\x01\x02")
        return data[: first + 8] + bytes([flag]) + data[first + 9 :]

    return change


def claiming(size):
    """Claim another unpacked size for the last file."""

    def change(data):
        last = data.rindex(b"PK\x01\x02")
        return data[: last + 24] + struct.pack("<L", size) + data[last + 28 :]

    return change


def bzipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr(*MANIFEST)
        made.writestr("packed.md", b"x", zipfile.ZIP_BZIP2)
    return buffer.getvalue()


HOSTILE = {
    "leads up": (lambda: named(b"../up.md"), "bad_name"),
    "leads up later": (lambda: named(b"a/../../b.md"), "bad_name"),
    "ends up": (lambda: named(b"folder/.."), "bad_name"),
    "absolute": (lambda: named(b"/etc/cron.d/x"), "bad_name"),
    "drive": (lambda: named(b"C:/x.md"), "bad_name"),
    "drive, backslash": (lambda: named(b"C:\\x.md"), "bad_name"),
    "network share": (lambda: named(b"\\\\host\\share"), "bad_name"),
    "backslashes": (lambda: named(b"a\\..\\..\\b.md"), "bad_name"),
    "null character": (lambda: named(b"abc\x00.md.sh"), "bad_name"),
    "line break": (lambda: named(b"a\nbcd.md"), "bad_name"),
    "escape sequence": (lambda: named(b"a\x1b[2J.md"), "bad_name"),
    "two slashes": (lambda: named(b"a//bc.md"), "bad_name"),
    "here": (lambda: named(b"./abc.md"), "bad_name"),
    "hidden file": (lambda: named(b".ssh/key"), "bad_name"),
    "our own folders": (lambda: named(b".previous/x/y"), "bad_name"),
    "no name": (lambda: named(b"/"), "bad_name"),
    "deep": (lambda: named(b"a/" * 20 + b"b.md"), "bad_name"),
    "long in all": (lambda: named((b"n" * 200 + b"/") * 10 + b"b.md"), "bad_name"),
    "long": (lambda: named(b"n" * 300), "bad_name"),
    "turned name": (lambda: named_alike("a\u202eb.md"), "bad_name"),
    "device of Windows": (lambda: named_alike("lib/Con.md"), "bad_name"),
    "dot at the end": (lambda: named_alike("lib./a.py"), "bad_name"),
    "not UTF-8": (not_utf8, "not_a_zip"),
    "bytecode": (lambda: named_alike("lib/__pycache__/a.cpython-311.pyc"), "generated_file"),
    "bytecode, loose": (lambda: named_alike("lib/a.PYC"), "generated_file"),
    "modules of Node": (lambda: named_alike("lib/node_modules/a.py"), "generated_file"),
    "history": (lambda: named_alike("Job.history"), "generated_file"),
    "symbolic link": (lambda: special(stat.S_IFLNK | 0o777), "special_file"),
    "file behind a link": (
        lambda: special(stat.S_IFLNK | 0o777, "link", [("link/x", b"x")]),
        "special_file",
    ),
    "hard link": (hard_link, "special_file"),
    "pipe": (lambda: special(stat.S_IFIFO | 0o644), "special_file"),
    "socket": (lambda: special(stat.S_IFSOCK | 0o644), "special_file"),
    "block device": (lambda: special(stat.S_IFBLK | 0o644), "special_file"),
    "character device": (lambda: special(stat.S_IFCHR | 0o644), "special_file"),
    "set user ID": (lambda: special(stat.S_IFREG | stat.S_ISUID | 0o755), "special_file"),
    "set group ID": (lambda: special(stat.S_IFREG | stat.S_ISGID | 0o755), "special_file"),
    "file that is a folder": (lambda: special(stat.S_IFDIR | 0o755), "special_file"),
    "twice": (lambda: named_alike("Job.md", "Job.md"), "duplicate"),
    "twice, one letter": (lambda: named_alike("x", "x"), "duplicate"),
    "case": (lambda: named_alike("Job.md", "job.md"), "duplicate"),
    "case, folded": (lambda: named_alike("Stra\u00dfe.md", "STRASSE.md"), "duplicate"),
    "Unicode form": (lambda: named_alike("caf\u00e9.md", "cafe\u0301.md"), "duplicate"),
    "case of a folder": (lambda: named_alike("lib/a.py", "LIB/b.py"), "duplicate"),
    "file and folder": (lambda: named_alike("lib", "lib/a.py"), "duplicate"),
    "second manifest": (lambda: named_alike("TOOLKIT.yaml"), "duplicate"),
    "zeros": (lambda: zipped(("zeros", bytes(2 * 1024 * 1024)), MANIFEST), "bomb"),
    "nested": (nested, "bomb"),
    "many entries": (many, "too_many_files"),
    "overlap": (lambda: lying(overlapping), "overlap"),
    "encrypted": (lambda: lying(flagged(0x01)), "encrypted"),
    "strongly encrypted": (lambda: lying(flagged(0x41)), "encrypted"),
    "smaller than it is": (lambda: lying(claiming(1)), "not_a_zip"),
    "larger than it is": (lambda: lying(claiming(100)), "bad_size"),
    "cut short": (lambda: lying(lambda data: data[: len(data) // 2]), "not_a_zip"),
    "without its end": (lambda: lying(lambda data: data[:-22]), "not_a_zip"),
    "wrong checksum": (lambda: lying(lambda data: data.replace(b"hello", b"HELLO")), "not_a_zip"),
    "two names": (lambda: lying(lambda data: data.replace(b"stored", b"st0red", 1)), "not_a_zip"),
    "empty": (lambda: b"", "not_a_zip"),
    "another format": (lambda: b"\x1f\x8b\x08" + bytes(100), "not_a_zip"),
    "another compression": (bzipped, "compression"),
    "no manifest": (lambda: zipped(("Job.md", b"x")), "no_manifest"),
    "manifest too deep": (lambda: zipped(("a/b/toolkit.yaml", b"")), "no_manifest"),
    "two folders": (lambda: zipped(("a/toolkit.yaml", b""), ("b.md", b"")), "no_manifest"),
}
"""By what is wrong: how to make it, and why it's refused."""
