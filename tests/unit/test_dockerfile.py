"""What a Dockerfile reads, case by case."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localloop.inputs.docker_syntax import DockerfileError
from localloop.inputs.dockerfile import Analysis, analyse


def read(text: str, **more: Any) -> Analysis:
    return analyse(text, **more)


SOURCES = [
    ("FROM x\nCOPY a b /d/", ["a", "b"]),
    ("FROM x\nCOPY . /", [""]),
    ("FROM x\nCOPY /a /", ["a"]),
    ("FROM x\nCOPY ../a /", ["a"]),
    ("FROM x\nCOPY ./a/ ./b/../c /d/", ["a", "c"]),
    ('FROM x\nCOPY ["a b", "/d"]', ["a b"]),
    ("FROM x\nCOPY --chown=1:1 --link a /", ["a"]),
    ("from x\ncopy a /", ["a"]),
    ("FROM x\nCOPY a \\\n  b \\\n # comment\n\n  /d/", ["a", "b"]),
    ("FROM x\n# COPY a /\nRUN echo COPY b", []),
    ("FROM x\nADD a.tar /", ["a.tar"]),
    ("FROM x\nADD https://e.invalid/x a /d/", ["a"]),
    ("FROM x\nRUN --mount=type=bind,source=lib,target=/l make", ["lib"]),
    ("FROM x\nRUN --mount=source=lib,target=/l make", ["lib"]),
    ("FROM x\nRUN --mount=type=bind,target=/l make", [""]),
    ("FROM x\nRUN --mount=type=cache,target=/l \\\n  --mount=type=bind,src=m,dst=/m make", ["m"]),
    ("FROM x\nRUN --mount=type=secret,id=s make", []),
    ("FROM x\nCOPY <<EOF /f\nCOPY nothing /\nEOF\nCOPY a /", ["a"]),
    ("FROM x\nRUN <<-'E O'\n\techo\n\tE O\nCOPY a /", ["a"]),
    ("FROM x\nRUN <<A cat <<B\nA\nB\nCOPY a /", ["a"]),
    ("FROM x\nRUN echo '<<EOF' $((1<<2))\nCOPY a /", ["a"]),
    ("# escape=`\nFROM x\nCOPY a `\n b /", ["a", "b"]),
    ("\ufeffFROM x\r\nCOPY a /\r\n", ["a"]),
    ("FROM x AS one\nCOPY a /\nFROM y\nCOPY b /", ["b"]),
    ("FROM x AS one\nCOPY a /\nFROM one\nCOPY b /", ["a", "b"]),
    ("FROM x AS one\nCOPY a /\nFROM y\nCOPY --from=One /p /p", ["a"]),
    ("FROM x\nCOPY a /\nFROM y\nCOPY --from=0 /p /p", ["a"]),
    ("FROM x AS one\nCOPY a /\nFROM y\nRUN --mount=from=one,target=/p true", ["a"]),
    ("FROM x\nCOPY crates/*/Cargo.toml /", ["crates/*/Cargo.toml"]),
    ("FROM x\nRUN a &&\\\n  b\nCOPY a /", ["a"]),
    ("FROM x\nRUN echo \\\\\nCOPY a /", ["a"]),
    ("FROM x\nCOPY --parents a/b/c /", ["a"]),  # the modes of a and a/b are copied too
    ("FROM x\nCOPY --exclude=*.md a /", ["a"]),
    # A name that ends in .git, or once counted as an address, is an ordinary path.
    ("FROM x\nADD deps.git /d/", ["deps.git"]),
    ("FROM x\nADD ./deps.git#main lib/deps.git /d/", ["deps.git#main", "lib/deps.git"]),
    ("FROM x\nADD e.invalid/a/b.git /d/", ["e.invalid/a/b.git"]),
    ("FROM x\nADD github.com/a/b.git /d/", ["github.com/a/b.git"]),
    ("FROM x\nADD git@home /d/", ["git@home"]),
    ("FROM x\nADD ./git@e.invalid:a/b.git /d/", ["git@e.invalid:a/b.git"]),
]


@pytest.mark.parametrize(("text", "sources"), SOURCES)
def test_sources(text: str, sources: list[str]) -> None:
    found = read(text)
    assert found.reasons == ()
    assert found.sources == tuple(sorted(sources))


# Where Python sees the end of a line and BuildKit does not.
NO_LINE_ENDS = ["\f", "\v", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\r"]


@pytest.mark.parametrize("char", NO_LINE_ENDS, ids=ascii)
def test_lines_end_where_buildkit_ends_them(char: str) -> None:
    assert read(f"FROM x\nCOPY a /\n# old:{char}FROM scratch").sources == ("a",)
    assert read(f"FROM x\nRUN echo{char}COPY b /\nCOPY a /").sources == ("a",)
    assert read(f"FROM x\nRUN <<EOF\nx{char}EOF\nCOPY b /\nEOF\nCOPY a /").sources == ("a",)
    assert read(f"FROM x\nCOPY a \\\n# c{char}b /d\nc /d/").sources == ("a", "c")


@pytest.mark.parametrize("char", "\t\v\f\r ")
def test_words_are_split_as_buildkit_does(char: str) -> None:
    assert read(f"FROM{char}x\nCOPY{char}a{char}b{char}/d/").sources == ("a", "b")


@pytest.mark.parametrize("char", ["\x1c", "\x1f", "\x85", "\xa0", "\u2028", "\u3000"], ids=ascii)
def test_other_unicode_spaces_are_part_of_the_name(char: str) -> None:
    assert read(f"FROM x\nCOPY a{char}b /d/").sources == (f"a{char}b",)
    assert read(f"FROM y{char}z").images == (f"y{char}z",)


def test_lines_may_end_in_crlf() -> None:
    assert read("FROM x\r\nRUN <<EOF\r\nEOF\r\nCOPY a \\\r\n b /d/\r\n").sources == ("a", "b")


WHOLE = [
    "FROM x\nONBUILD COPY a /",
    "FROM x\nARG S\nCOPY $S /",
    "FROM x\nCOPY ${S:-a}/b /",  # the base image may set S
    "FROM x\nARG S=a\nARG S=$T\nCOPY $S /",
    "FROM x\nARG S=a T=$S\nCOPY $T /",
    "FROM x\nARG S='$a'\nCOPY $S /",
    "FROM x\nCOPY $TARGETARCH /",
    "FROM x\nARG BUILDARCH\nCOPY $BUILDARCH /",
    "ARG S=$BUILDARCH\nFROM x\nARG S\nCOPY $S /",
    "FROM x\nARG S=a\nENV $S=b\nCOPY $S /",
    'FROM x\nCOPY a" /',
    "FROM x\nCOPY a",
    "FROM x\nRUN --mount=type=bind,source=$S,target=/l make",
    "FROM x\nCOPY --from=$S /a /",
    "FROM $NOTHING\nCOPY a /",
    "FROM x\nFORM y",
    "FROM x\nRUN <<EOF\nnever ends",
    "COPY a /",
    "",
    "# syntax=example.invalid/other:1\nFROM x\nCOPY a /",
]


VARIABLES = [
    ("ARG V=a\nCOPY $V/b /", ["given/b"]),
    ("ARG V=a\nCOPY ${V}/b /", ["given/b"]),
    ("ARG V\nCOPY $V /", ["given"]),
    ("ARG G=a\nCOPY $G /", ["given"]),
    ("ENV W=a\nCOPY ${W}/b /", ["a/b"]),
    ('ENV W a b\nCOPY ["$W", "/"]', ["a b"]),
    ('ARG W="a"\nENV X=$W Y="${W}b"\nCOPY $X "$Y/c" /', ["a", "ab/c"]),
    ("ENV W=a\nARG W=b\nCOPY $W /", ["b"]),
    ("ARG W=b\nENV W=a\nCOPY $W /", ["a"]),
    ("ENV G=a\nCOPY $G /", ["a"]),
    ("ENV W=a\nCOPY $W /\nENV W=b", ["a"]),
    ("ENV W=a\nARG W\nCOPY $W /", ["a"]),
    ("ENV W=a\nENV W=b X=$W\nCOPY $X /", ["a"]),
    ("ARG GLOBAL\nCOPY $GLOBAL /", ["everywhere"]),
    ("ARG GLOBAL=here\nCOPY $GLOBAL /", ["here"]),
    ("ARG W=\nCOPY a$W ${W:-b} c${W:+d} /", ["a", "b", "c"]),
    ("ARG TARGETARCH\nCOPY bin/${TARGETARCH}/app /app", ["bin/arm64/app"]),
    ("ARG TARGETOS TARGETARCH\nCOPY $TARGETOS/$TARGETARCH /", ["linux/arm64"]),
    ("ARG W=a\nRUN --mount=type=bind,source=$W/x,target=/x true", ["a/x"]),
    ("ARG W=https://example.org/x\nADD $W /", []),
]


@pytest.mark.parametrize(("text", "sources"), VARIABLES)
def test_variables_in_sources(text: str, sources: list[str]) -> None:
    text = f"ARG GLOBAL=everywhere\nFROM x\n{text}"
    found = read(text, build_args={"V": "given", "G": "given"}, platform="linux/arm64")
    assert (found.reasons, found.sources) == ((), tuple(sources))


def test_a_stage_inherits_variables() -> None:
    text = "FROM x AS a\nARG V=a\nENV W=$V\nFROM a AS b\nENV X=$W\nFROM b\nCOPY $V $W/w $X/x /"
    assert read(text).sources == ("a", "a/w", "a/x")
    assert read(text, needs=["a"]).sources is None
    assert read("FROM x AS a\nENV V=a\nFROM x\nCOPY $V /").sources is None


def test_an_argument_that_only_the_builder_knows_counts_as_anything() -> None:
    found = read("FROM x\nARG V=a\nCOPY $V /", hidden_args=["V"])
    assert found.sources is None
    assert found.reasons == ("line 3: $V cannot be resolved",)


@pytest.mark.parametrize("text", WHOLE)
def test_whole_context(text: str) -> None:
    found = read(text)
    assert found.sources is None
    assert found.reasons


@pytest.mark.parametrize(
    "text",
    ["# syntax=docker/dockerfile:1\nFROM x", "# syntax = docker.io/docker/dockerfile\nFROM x"],
)
def test_known_frontends(text: str) -> None:
    assert read(text).sources == ()


def test_unreachable_onbuild_does_not_count() -> None:
    assert read("FROM x AS a\nONBUILD COPY a /\nFROM y\nCOPY b /").sources == ("b",)


IMAGES = [
    ("FROM x", {}, ["x"]),
    ("FROM scratch", {}, []),
    ("ARG V=1\nFROM x:$V", {}, ["x:1"]),
    ("ARG V=1\nFROM x:${V}-slim", {"V": "2"}, ["x:2-slim"]),
    ("ARG A=1\nARG B=x:${A}\nFROM $B", {}, ["x:1"]),
    ("FROM x:${V:-3}", {}, ["x:3"]),
    ("FROM --platform=$BUILDPLATFORM x AS b\nFROM y\nCOPY --from=b / /", {}, ["x", "y"]),
    ("FROM x AS unused\nFROM y", {}, ["y"]),
    ("FROM y\nCOPY --from=z:1 /a /a", {}, ["y", "z:1"]),
    ("FROM y\nRUN --mount=type=bind,from=z,target=/z true", {}, ["y", "z"]),
    ("FROM x-$TARGETARCH", {}, ["x-arm64"]),
    ("FROM x AS x\nFROM x", {}, ["x"]),
    ("ARG V=1\nARG V=2\nFROM x:$V", {}, ["x:2"]),
    ("FROM x:${V:-3}", {"V": "4"}, ["x:3"]),  # not declared before FROM, so not visible there
    ("ARG V\nFROM x:${V:+set}", {"V": "4"}, ["x:set"]),
    ("FROM x@sha256:" + "a" * 64, {}, ["x@sha256:" + "a" * 64]),
]


@pytest.mark.parametrize(("text", "args", "images"), IMAGES)
def test_images(text: str, args: dict[str, str], images: list[str]) -> None:
    assert read(text, build_args=args, platform="linux/arm64").images == tuple(images)


@pytest.mark.parametrize("form", ["x:$V", "x:${V}", "x:${V:-3}", "x:${V-3}", "x:${V:+3}"])
def test_base_image_by_an_argument_that_only_the_builder_knows(form: str) -> None:
    found = read(f"ARG V=1\nFROM {form}\nCOPY a /", hidden_args=["V"])
    assert found.images == ()
    assert found.untracked == (f"FROM {form}",)
    assert found.sources is None


@pytest.mark.parametrize(
    "form", ["x:$BUILDARCH", "x:${BUILDARCH:-amd64}", "x:${TARGETARCH:-amd64}"]
)
def test_base_image_by_an_automatic_argument_that_is_not_known(form: str) -> None:
    assert read(f"FROM {form}").untracked == (f"FROM {form}",)


def test_an_unresolved_argument_elsewhere_does_no_harm() -> None:
    found = read("ARG V=1\nFROM x\nARG V\nRUN echo $V", hidden_args=["V"])
    assert (found.images, found.untracked) == (("x",), ())


@pytest.mark.parametrize("base", ["app", "app:latest", "App"])
def test_a_named_context_takes_precedence_over_a_stage_and_an_image(base: str) -> None:
    found = read(f"FROM y AS app\nCOPY a /\nFROM {base}\nCOPY b /", needs=["app"])
    assert (found.needs, found.images, found.sources) == (("app",), (), ("b",))


def test_needs_are_not_external_images() -> None:
    found = read("FROM base\nCOPY --from=tools /a /", needs=["base", "tools", "unused"])
    assert (found.images, found.needs) == ((), ("base", "tools"))


def test_target() -> None:
    text = "FROM x AS One\nCOPY a /\nFROM y AS two\nCOPY b /"
    assert read(text, target="one").sources == ("a",)
    assert read(text, target="0").sources == ("a",)
    assert read(text).sources == ("b",)
    with pytest.raises(DockerfileError, match=r"no stage 'tow' \(stages: one, two\)"):
        read(text, target="tow")


def test_effective_arguments() -> None:
    text = "ARG G\nFROM x AS a\nARG A\nFROM y\nARG B=1 C\n"
    found = read(text)
    given_ = {"G": "1", "A": "1", "B": "1", "C": "1", "D": "1", "http_proxy": "p"}
    assert sorted(found.effective_args(given_)) == ["B", "C", "G", "http_proxy"]


PINNED = "@sha256:" + "a" * 64
UNTRACKED = [
    ("FROM x\nADD https://e.invalid/a /", ["ADD https://e.invalid/a"]),
    ("FROM x\nADD --checksum=sha256:aa https://e.invalid/a /", []),
    ("FROM x\nADD git@e.invalid:a/b.git /", ["ADD git@e.invalid:a/b.git"]),
    ("FROM x AS unused\nADD https://e.invalid/a /\nFROM y", []),
    ("FROM x\nADD https://e.invalid/a.git#v1:lib /", ["ADD https://e.invalid/a.git#v1:lib"]),
    ("FROM x\nADD git://e.invalid/a /", ["ADD git://e.invalid/a"]),
    ("FROM x\nADD ssh://git@e.invalid/a /", ["ADD ssh://git@e.invalid/a"]),
    ("FROM x\nADD me@e.invalid:a/b /", ["ADD me@e.invalid:a/b"]),
    ("FROM x\nADD deps.git github.com/a/b.git /d/", []),
    ("# syntax=docker/dockerfile:1\nFROM x", ["the frontend docker/dockerfile:1 (# syntax=)"]),
    (f"# syntax=docker/dockerfile:1{PINNED}\nFROM x", []),
    ("# syntax=other/frontend\nFROM x", ["the frontend other/frontend (# syntax=)"]),
    ("FROM $NOTHING", ["FROM $NOTHING"]),
    ("FROM x\nCOPY --from=$S /a /", ["COPY --from=$S"]),
    ("FORM x", ["what it is built from"]),
]


@pytest.mark.parametrize(("text", "untracked"), UNTRACKED)
def test_untracked(text: str, untracked: list[str]) -> None:
    assert list(read(text).untracked) == untracked


def test_frontend_by_argument() -> None:
    found = read("FROM x\nCOPY a /", build_args={"BUILDKIT_SYNTAX": "other/frontend"})
    assert found.sources is None
    assert found.untracked == ("the frontend other/frontend (# syntax=)",)


@given(st.text(alphabet="FROMCPYAD xy/.\\\n#<>-='\"$[]", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_gives_an_answer(text: str) -> None:
    for prefix in ("", "FROM x\n"):
        found = read(prefix + text)
        assert (found.sources is None) == bool(found.reasons)
