"""YAML and JSON as Kubernetes' tools read them, held against what the installed Helm reads."""

from __future__ import annotations

import json
import random
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_helm import RealHelm, needs_helm

from localloop.kube.documents import DocumentError, read_documents, write_document
from localloop.kube.yaml_scalars import key_text

# -- against Helm ---------------------------------------------------------------------------------

WORDS = ["yes", "no", "on", "off", "y", "n", "true", "false", "null", "~", "nan", "inf", "t", "f"]
NEARLY_NUMBERS = """\
    tRUE nUll yES .nan .NaN .NAN .inf -.Inf +.INF << = . .. - _1 @a %a `a & * ! | > ? -a :a
    0 00 07 08 010 0644 0o17 0O17 0o8 0x1F 0XfF 0x 0x_1 0_7 0b101 0B11 -0b11 +0b1 0b-1 0b+1 0b2
    +1 -1 1_000 1__0 1_ 12e03 1e3 1E3 1e+3 1e-3 1. .5 -.5 +.5 1.5.1 .5e3 .5_0 1.5e -0 -0.0 0.0
    1e400 -1e400 1e-400 .1e999 1_0.5_0 685.230_15e+03 1e15 1e21 1e22 3.4e38 3.5e38 16777217
    100000 1000000 0.0001 0.00001 0.1 123456789012345678901234567890 07777777777777777777777777
    9223372036854775807 9223372036854775808 +9223372036854775808 -9223372036854775808
    -9223372036854775809 18446744073709551615 18446744073709551616 0x8000000000000000
    0xFFFFFFFFFFFFFFFFF 12:30 190:20:30 190:20:30.15 1:0 2026-01-01 2026-1-1
    2001-12-14t21:59:43.10-05:00 http://a:80/b a#b a,b é 日本 🚀"""
SCALARS = [
    *(form for word in WORDS for form in (word, word.upper(), word.title())),
    *NEARLY_NUMBERS.split(),
    *("", "0 ", "a b", "1 2", "a: b", "- a", "2001-12-14 21:59:43.10"),
]
TYPES = ["str", "int", "float", "bool", "null", "binary", "timestamp"]
TAGS = ["", *(f"!!{name} " for name in TYPES), "!own "]
PLACES = ["v: {}\n", "v: [{}]\n", "v: {{a: {}}}\n", "v:\n- {}\n", "v: '{}'\n", 'v: "{}"\n']
KEYS = ["{}: v\n", "a: {{{}: v}}\n", "? {}\n: v\n", "'{}': v\n"]
DOCUMENTS = [
    b"a: &x {b: 1}\nc: *x\nd: {<<: *x, b: 2}\n",
    b"a: &x {b: 1}\nd: {b: 2, <<: *x}\n",
    b"a: &x {b: 1, c: 3}\ne: &y {b: 2}\nd: {<<: [*x, *y]}\n",
    b"a: &x [1]\nd: {<<: *x}\n",
    b"d: {<<: 1}\n",
    b"d: {<<: {a: 1}, '<<': {b: 2}}\n",
    b"d: {<<: [{a: 1}, {b: 2}]}\n",
    b"a: &x 12\nb: *x\n*x : c\n",
    b"a: &x yes\nb: [*x, *x]\n",
    b"a: &x [*x]\n",
    b"a: &x {b: *x}\n",
    b"a: *x\n",
    b"a: 1\na: 2\n",
    b"{[a]: b}\n",
    b"{{a: 1}: b}\n",
    b"? |\n  long\n: b\n",
    b"a: |\n  x\n  y\n",
    b"a: >-\n  x\n  y\n\n  z\n",
    b"a: |+\n  x\n\n",
    b"a: 'it''s'\nb: \"\\t\\x41\\u00e9\\U0001F680\\_\\N\\L\"\n",
    b'a: "\\ud83d\\ude80"\n',
    b'a: "\\ud83d"\n',
    b"a: !!binary aGVsbG8=\n",
    b"a: !!binary '%%'\n",
    b"a: !!binary /w==\n",
    b"a: !!set {b, c}\nd: !!map {e: 1}\nf: !x [1]\ng: !!seq [1]\n",
    b"a:\n\tb: 1\n",
    b"a: {\n\tb: 1\n}\n",
    b"a: [b, c,]\nd: {e: 1,}\n",
    b"a: [b: c]\n",
    b"a: {b, c: }\n",
    b"{a: 1, b: {c: [1, 2.0, 3e0]}}\n",
    b"# only a comment\na: 1 # more\n",
    b"a: 1\n...\n",
    b"---\na: 1\n",
    b"metadata:\n  name: a\n data: {}\n",
    b"a: [\n",
    b"a: \"x\n",
    b"a: \x01\n",
    b"a: \x7f\n",
    b"a: \xff\n",
    b"a: \xc2\x85b\n",
    b"a: {b:c}\nd: {'e':f}\ng: [http://x:1/y]\n",
    b"a: 1\r\nb: 2\r\n",
    b"a: b: c\n",
    b"a: 'b' c\n",
    b"- a\nb: 1\n",
    b"a: &x\nb: *x\n",
    b"a:\nb: ~\n",
    b"a: !!int 'x'\n",
    b"a: !!int '0x1f'\n",
    b"a: !!float 3\n",
    b"a: !!null ''\n",
]  # fmt: skip


def corpus() -> list[bytes]:
    scalars = [place.format(text) for place, text in product((*PLACES, *KEYS), SCALARS)]
    tagged = [f"v: {tag}{text}\n" for tag, text in product(TAGS, SCALARS)]
    return [text.encode() for text in (*scalars, *tagged)] + DOCUMENTS


# What go-yaml alone reads: a colon at the end of a word in a list or map on one line.
ONLY_GO = [b"v: [a:]\n", b"v: {a: a:}\n"]


def as_helm(text: bytes) -> Any:
    """What our reader makes of a text, as Helm's templates show it (Go's numbers are floats)."""
    try:
        found = next(read_documents(text), (1, {}))[1]
    except DocumentError:
        return "refused"
    if not isinstance(found, dict):
        return "refused"  # fromYaml wants a map
    return json.loads(json.dumps(found), parse_int=float)


@needs_helm
def test_a_generated_corpus_is_read_as_helm_reads_it(tmp_path: Path, seed: int) -> None:
    texts = corpus() + random_texts(random.Random(seed), 2000)
    read = RealHelm(tmp_path / "chart").texts(texts)
    wrong = [
        (text, ours, helms)
        for text, helms in zip(texts, read, strict=True)
        if (ours := as_helm(text)) != json.loads(json.dumps(helms), parse_int=float)
    ]
    assert not wrong, f"{len(wrong)} of {len(texts)}, SEED={seed}: {wrong[:20]}"


@needs_helm
def test_values_reach_helm_as_they_are(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    values = {
        "texts": ["".join(character(source) for _ in range(8)) for _ in range(2000)],
        "keys": {character(source): number for number in range(2000)},
        "words": dict.fromkeys(SCALARS, SCALARS),
        "numbers": [0, -1, 1.5, 1e-7, 1e300, 2**53, True, False, {}, []],
        "title": "Ship it 🚀",
    }
    assert RealHelm(tmp_path / "chart").values(write_document(values)) == values


@pytest.mark.parametrize("text", ONLY_GO)
def test_only_go_reads_a_colon_at_the_end_of_a_word_in_brackets(text: bytes) -> None:
    with pytest.raises(DocumentError, match="line 1: not valid YAML"):
        list(read_documents(text))


def random_texts(source: random.Random, count: int) -> list[bytes]:
    """Scalars that nearly are numbers, and characters of all planes."""
    found = []
    for _ in range(count // 2):
        text = "".join(source.choices("0123456789abcdefxobeE_+-.:", k=source.randint(1, 7)))
        found.append(f"v: {text}\n".encode())
    for _ in range(count - len(found)):
        text = "".join(character(source) for _ in range(source.randint(1, 4)))
        found.append(f"v: {json.dumps(text, ensure_ascii=False)}\n".encode())
    return found


def character(source: random.Random) -> str:
    """A character of any plane, without the surrogates."""
    plane = source.choice([0, 0, 0, 0, 1, 2, 3, 14, 15, 16])
    code = source.randrange(plane << 16, (plane + 1) << 16)
    if plane == 0 and source.random() < 0.7:
        code = source.choice([*range(1, 0x100), 0x2028, 0x2029, 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF])
    return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)


# -- documents ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        ("---\n", []),
        ("# nothing\n---\n---\nnull\n---\n~\n", []),
        ("a: 1\n---\n# none\n---\nb: 2\n", [(1, {"a": 1}), (5, {"b": 2})]),
        ("--- {a: 1}\n--- text\n--- [1]\n", [(1, {"a": 1}), (2, "text"), (3, [1])]),
        ("%YAML 1.1\n---\na: 1\n...\n", [(3, {"a": 1})]),
        ('{"a": "\\ud83d\\ude80"}\n\n {"b": 1}', [(1, {"a": "🚀"}), (3, {"b": 1})]),
        ('{\n\t"a": [1.0, 1e3]\n}', [(1, {"a": [1, 1000]})]),
        ('{"a": ["\\ud83d", {"\\ude80": 1}]}', [(1, {"a": ["\ufffd", {"\ufffd": 1}]})]),
        ("{a: 1}", [(1, {"a": 1})]),
        ("\ufeffa: 1", [(1, {"a": 1})]),
    ],
)
def test_documents(text: str, wanted: list[tuple[int, Any]]) -> None:
    assert list(read_documents(text)) == wanted
    assert list(read_documents(text.encode())) == wanted


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (b"metadata:\n  name: a\n data: {}\n", 3, "did not find expected key"),
        (b"a: 1\n---\nb: [\n", 3, "did not find expected node content"),
        (b"a: 'b\n\n", 2, "unexpected end of stream (while scanning a quoted scalar from line 1)"),
        (b"a: 1\nb: \xe9t\xe9\n", 2, "not UTF-8"),
        (b"a: 1\n\nb: \x02\n", 3, "control characters are not allowed"),
        (b"a: 1\nb: *c\n", 2, "found undefined alias"),
        (b"a:\n  - &b [*b]\n", 2, "an anchor contains itself"),
        (b"a:\n  ? [1]\n  : b\n", 2, "a key cannot be a list or a map"),
        (b"a: 1\n~: b\n", 2, "a key cannot be null"),
        (b"a: 1\nb: .nan\n", 2, ".nan is no number in JSON"),
        (b"a: 1\nb: !!int x\n", 2, "'x' is not of the type !!int"),
        (b"[" * 100_000, 1, "exceeded maximum nesting depth"),
        (b"a: &x {<<: 1}\n", 1, "<< needs a map, or a list of maps"),
        ("a: \ud83d".encode("utf-8", "surrogatepass"), 1, "not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: bytes, line: int, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        list(read_documents(text))
    assert caught.value.line == line
    assert problem in caught.value.problem


def test_aliases_of_aliases_end() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(DocumentError, match="too many aliases"):
        list(read_documents("\n".join(lines)))


def test_an_alias_is_a_value_of_its_own() -> None:
    ((_, found),) = read_documents("a: &x {b: []}\nc: *x\n")
    found["a"]["b"].append(1)
    assert found["c"] == {"b": []}


# -- laws -----------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: number % 1 != 0)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)  # fmt: skip


@given(st.dictionaries(st.text(), json_values))
def test_law_what_was_written_is_read_as_json_and_as_yaml(value: dict[str, Any]) -> None:
    text = write_document(value)
    assert list(read_documents(text)) == [(1, value)]
    assert [found for _, found in read_documents(f"---\n{text}\n")] == [value]
    assert json.loads(text) == value


@given(st.binary() | st.text().map(lambda text: text.encode()))
def test_law_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        for line, value in read_documents(data):
            assert line >= 1
            write_document(value)
    except DocumentError as error:
        assert error.line >= 1


@given(st.text(st.sampled_from(":-?[]{}&*!|>'\"%@#, \n\tab01.<~"), max_size=40))
def test_law_any_yaml_is_read_or_refused(text: str) -> None:
    test_law_any_bytes_are_read_or_refused.hypothesis.inner_test(text.encode())  # type: ignore[attr-defined]


@given(st.floats(width=32) | st.floats())
def test_law_a_number_is_a_key_by_its_shortest_form(number: float) -> None:
    assert float(key_text(number).replace(".inf", "inf").replace(".nan", "nan")) is not None
