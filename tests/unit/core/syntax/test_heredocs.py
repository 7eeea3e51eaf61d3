"""Here-documents that a script never closes. tests/unit/host/test_shells.py asks the shells."""

import pytest

from runbook.core.syntax.heredocs import OpenHeredoc, open_heredoc

OPEN = [
    "cat <<EOF\nx",
    "cat <<\\EOF\nx",
    "cat <<'THE END'\nx\nTHE",
    'cat <<"A B"\nx',
    "cat <<'END-OF-NOTE'\nx\nEND",
    "cat <<END-OF-NOTE\nx",
    "cat <<E'O'F\nx\nE'O'F",
    "cat <<$EOF\nx\nEOF",
    "cat <<-EOF\nx\n  EOF",
    "cat <<EOF\n\tEOF",
    "cat <<EOF\nEOF \nx",
    "cat <<EOF\nx \\\nEOF",
    "cat 3<<EOF >x; echo 'a'\nx",
    "cat <<A <<B\nB\nA\nx",
    "cat <<EOF # it's\nx",
    "echo $(( 1 << 2 )); cat <<EOF\nx",
    "(( x <<= 1 )) || cat <<EOF\nx",
    "echo ${#x} ${x#<<} $#; cat <<EOF\nx",
    "case $x in a) cat <<EOF ;;\nesac",
    'echo "$(case x in a) echo 1;; esac)"; cat <<EOF\n',
    "f() { cat; }\nf <<EOF | cat\nx",
    "cat <<< EOF; cat <<EOF\nx",
    "cat <<EOF",
    "echo ${x:-'}'}; cat <<EOF\nx",
    'echo ${x:-"}"}; cat <<EOF\nx',
    "((echo 'a'); true)\ncat <<EOF\nx",
    'echo "$((echo \'a"b\'); true)"; cat <<EOF\nx',
]
CLOSED = [
    "cat <<EOF\nx\nEOF",
    "cat <<EOF\nx\nEOF\n",
    "cat <<-EOF\nx\n\t\tEOF\n",
    "cat <<'A B'\nx\nA B\n",
    "cat <<A <<B\nA\nB\n",
    "cat <<''\nx\n\n",
    "cat <<\\EOF\nx \\\nEOF\n",
    "# do not use cat <<EOF here\ntrue",
    "echo 'write <<EOF in shells'",
    'echo "write <<EOF in shells"',
    "echo 'a\n<<EOF\n'",
    "echo \\<<EOF\\<",
    "cat <<< EOF",
    "echo $(( 1 << N ))\n",
    "(( x = 1 << N ))\n",
    "(( x <<= N ))\n",
    "echo $'it\\'s <<EOF'",
    "x=$(cat <<EOF\nx\nEOF\n)\n",
    'x="$(cat <<EOF\n"\nEOF\n)"\n',
    "echo ${x:-<<EOF}",
]
UNSURE = [
    "x=$(cat <<EOF\nx\nEOF)",
    "x=`cat <<EOF\nx\n`",
    "(cat <<EOF)\nx",
    "a[1<<2]=3\n",
    "echo $[1<<N]\n",
    "ls (#i)readme; cat <<EOF\nx",
    'echo "${x:-\'}" <<EOF\nx',
    "echo ${(s.'.)x} <<EOF\nx",
    "cat <<$(x)\nx",
    "echo 'a <<EOF",
    "echo $'a <<EOF\nx",
    "echo ${x:-'a} <<EOF\nx",
    'echo `echo "`x` <<EOF\nx',
    "((x))\n" * 1001 + "cat <<EOF\nx",
    "((cat <<EOF\nEOF\n) ; true)\n",
    "(" * 300 + "cat <<EOF\n",
    "((x" * 100_000 + "'" + ")" * 200_000 + "\ncat <<EOF\n",
    "${x:-" * 100_000 + "}" * 100_000 + "\ncat <<EOF\n",
]


@pytest.mark.parametrize("source", OPEN)
def test_an_open_here_document_is_found(source):
    found = open_heredoc(source)
    assert found is not None
    assert found.line == 0 or source.split("\n")[found.line].count("<<")


@pytest.mark.parametrize("source", [*CLOSED, *UNSURE], ids=range(len(CLOSED) + len(UNSURE)))
def test_what_is_closed_or_no_here_document_or_unclear_is_not_reported(source):
    assert open_heredoc(source) is None


def test_its_delimiter_and_line_are_known():
    assert open_heredoc("true\ncat <<'A B' >x\nEOF\n") == OpenHeredoc("A B", 1)
