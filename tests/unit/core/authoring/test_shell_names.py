"""Which variables a shell script reads, by its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.core.authoring.shell_names import NameUse, shell_names


def uses(source):
    found = shell_names(source)
    assert found.sure
    return {use.name for use in found.uses}


@pytest.mark.parametrize(
    "source",
    [
        "echo $HOST",
        "echo ${HOST}",
        'echo "a $HOST b"',
        'echo "$(ssh "$HOST" id)"',
        "echo `id $HOST`",
        'echo "`id $HOST`"',
        "echo ${HOST[1]}",
        "echo ${HOST:?no host}",
        "echo ${#HOST} ${(f)HOST:-} ",
        "echo ${HOST:-none}",
        "echo ${HOST-none}",
        "echo ${HOST:+some}",
        "cat <<'A B'\n$OTHER\nA B\necho $HOST",
        "cat <<END-X >$HOST\n'\nEND-X",
        "echo ${HOST//\\'/x}",
        "x=$((HOST + 1)) y=$HOST",
        "cat <<EOF\nto $HOST\nEOF",
        'cat <<-EOF\n\tto "$HOST"\n\tEOF',
        "cat <<EOF | tr a b\n'$HOST'\nEOF",
        'echo $"$HOST"',
        "echo $'it\\'s' $HOST",
        "f() { echo $HOST }",
        "echo a#$HOST",
        "echo $((1 << HOST)) $HOST",
        "cat <<< $HOST",
        "cat << HOST; echo $HOST",  # an unterminated heredoc doesn't count
    ],
)
def test_a_read_variable_is_found(source):
    assert uses(source) == {"HOST"}


@pytest.mark.parametrize(
    "source",
    [
        "echo '$HOST'",
        "echo \\$HOST",
        'echo "\\$HOST"',
        "# $HOST",
        "true # $HOST",
        "cat <<'EOF'\n$HOST\nEOF",
        'cat <<"EOF"\n$HOST\nEOF',
        "cat <<\\EOF\n$HOST\nEOF",
        "cat <<EOF\n\\$HOST\nEOF",
        "echo ${HOST=none}",
        "echo $'$HOST'",
        "echo $$ $1 $? $",
        "echo HOST",
        "ls \\",
    ],
)
def test_what_is_no_use_is_not_found(source):
    assert uses(source) == set()


def test_the_line_of_a_use_is_known():
    found = shell_names("true\ncat <<EOF\na\n$HOST\nEOF\necho $PORT\n")
    assert found.uses == [NameUse("HOST", 3), NameUse("PORT", 5)]


def test_two_heredocs_on_a_line_are_read_in_order():
    found = shell_names("cat <<A <<'B'\n$ONE\nA\n$TWO\nB\necho $THREE\n")
    assert [use.name for use in found.uses] == ["ONE", "THREE"]


def test_words_outside_quotes_are_noted():
    found = shell_names("read -r HOST 'PORT' \"USER\" ${ZONE:=x} # NOTE\n")
    assert {"read", "HOST", "ZONE"} <= found.words
    assert not {"PORT", "USER", "NOTE"} & found.words


@pytest.mark.parametrize(
    "source", ["source env.sh", ". ./env.sh", "cd x; . env.sh", "if true; then\n. x\nfi", "eval $X"]
)
def test_a_script_that_reads_others_is_noticed(source):
    assert shell_names(source).sources


@pytest.mark.parametrize("source", ["find . -name x", "tar -C x .", 'eval "h=($RUNBOOK_HEADERS)"'])
def test_a_script_that_reads_no_others_is_not_blamed(source):
    assert not shell_names(source).sources


@pytest.mark.parametrize("source", ["env | sort", "printenv", "echo ${(P)name}", "echo ${!name}"])
def test_indirect_reading_is_noticed(source):
    assert shell_names(source).indirect


@pytest.mark.parametrize(
    "source",
    ["echo 'open", 'echo "open', "echo $(open", "echo $'open", "x=$(case $A in a) echo $B;; esac)"],
)
def test_a_script_that_is_not_understood_gives_nothing_for_sure(source):
    assert not shell_names(source).sure


@pytest.mark.parametrize("source", ["case $A in a) true;; esac", "a)", "echo *(.) (x)"])
def test_parentheses_of_shells_are_understood(source):
    assert shell_names(source).sure


@given(st.text(alphabet="$\"'`(){}<EO F\n\\#:-A.", max_size=60))
def test_no_text_is_too_odd(source):
    found = shell_names(source)
    assert all(0 <= use.line <= source.count("\n") for use in found.uses)
