"""Lines and values of a structured secret are masked like secrets of their own."""

import json

import pytest

from runbook.core.output.mask import MASK, Masker
from runbook.core.output.secret_parts import leaves_of

KEYS = """\
# of the router
user: admin1
password: "abc12"
pin: 47118812 # the door's
flow: [tok-99, tok-77]
- item-1
  - name: nested
export DB_PASS=s3cr3t
debug: true
note: {"inner": "deep-1"}
"""


@pytest.mark.parametrize(
    ("secret", "leaves"),
    [
        (json.dumps({"pin": 47118812, "pass": "abc12", "n": 12, "t": True}), {"47118812", "abc12"}),
        (json.dumps([{"a": ["one", {"b": "two"}]}, None]), {"one", "two"}),
        (json.dumps({"a": json.dumps({"b": "inner"})}), {'{"b": "inner"}', "inner"}),
        ("[1234.50, -9876, 1e3, 123.4]", {"1234.50", "1234.5", "-9876", "123.4"}),
        (json.dumps({"env": "A=one\nB=two"}), {"A=one\nB=two", "one", "two"}),
        ("{user: admin1, password: abc12}", {"admin1", "abc12"}),
        ("password: abc12", {"abc12"}),
        ("- a dash", {"a dash"}),
        ("plain-secret", set()),
        ("two words", set()),
    ],
)
def test_the_values_of_a_structured_secret(secret, leaves):
    assert set(leaves_of(secret)) == leaves


def test_the_values_of_several_lines():
    leaves = {"admin1", "abc12", "47118812", "tok-99", "tok-77", "item-1", "nested", "s3cr3t"}
    assert leaves | {"deep-1"} <= set(leaves_of(KEYS))
    assert "true" not in leaves_of(KEYS)


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ('{"pin": 47118812, "password": "abc12"}', "47118812 abc12", f"{MASK} {MASK}"),
        ('{"pin": 4711, "n": 123, "a": "abc"}', "4711 123 abc", f"{MASK} 123 abc"),
        ("code1\nabc\ncode2", "code1, abc, code2", f"{MASK}, abc, {MASK}"),
        ("user: me\npassword: abc12\n", "me abc12", f"me {MASK}"),
        ('{"a": "line-one\\nabcd"}', "line-one abcd", MASK),
        ('{"a": "with \\"quotes\\""}', json.dumps('with "quotes"'), f'"{MASK}"'),
    ],
)
def test_parts_are_masked_by_the_same_thresholds_as_a_whole_secret(secret, text, shown):
    assert Masker([secret]).mask_text(text) == shown


def test_a_large_structured_secret_is_bounded():
    secret = "\n".join(f"key{number}: value-{number}" for number in range(2000))
    masker = Masker([secret])
    assert masker.mask_text("value-1999 of key0: value-0") == f"{MASK} of {MASK}"
