"""The list of runbooks, which is kept between requests, says what is true now."""

import pytest


@pytest.fixture
def listed(server):
    def call(**who):
        with server.client(**who) as client:
            reply = client.get("/api/runbooks").json()
            assert reply["success"] is True
            return {item["filename"]: item for item in reply["runbooks"]}

    return call


def test_it_is_sorted_and_names_folders(server, client, listed):
    server.add("zeta/Last", "true")
    server.add("Alpha", "true")

    names = list(listed())

    assert names == sorted(names)
    assert listed()["zeta/Last.md"] == {
        "filename": "zeta/Last.md",
        "name": "Last",
        "path": "zeta/Last.md",
        "valid": True,
        "executable": True,
        "missing_claims": [],
        "requirements": [],
        "description": "A runbook of the tests.",
        "steps": 1,
        "dry_run": False,
        "tags": [],
        "owner": None,
        "last_run": None,
    }


def test_it_differs_by_token(server, listed):
    server.add("Guarded", "true", claims="roles: sre")

    assert listed(roles=["sre"])["Guarded.md"]["executable"]
    viewer = listed(roles=["viewer"])["Guarded.md"]
    assert not viewer["executable"]
    assert viewer["missing_claims"] == ["roles=viewer (required: sre)"]
    lack = {"claim": "roles", "wanted": ["sre"], "given": ["viewer"]}
    assert viewer["requirements"] == [lack]


def test_a_new_run_a_new_file_and_a_removed_one_show_at_once(server, client, listed, execute):
    server.add("Fresh", "exit 3")
    assert listed()["Fresh.md"]["last_run"] is None

    result = execute(client, "Fresh.md")

    last = listed()["Fresh.md"]["last_run"]
    assert last["id"] == result["run_id"]
    assert last["status"] == "failed"
    assert last["by"] == "ann"
    assert last["last_success_at"] is None
    (server.runbooks / "Fresh.md").unlink()
    assert "Fresh.md" not in listed()


def test_how_a_runbook_went_is_hidden_from_those_who_may_not_execute_it(
    server, client, listed, execute
):
    server.add("Secret", "true", claims="roles: sre")
    execute(client, "Secret.md")

    assert listed(roles=["sre"])["Secret.md"]["last_run"]["status"] == "succeeded"
    assert listed(roles=["viewer"])["Secret.md"]["last_run"] is None


def test_an_invalid_runbook_is_listed_as_such(server, listed):
    (server.runbooks / "Broken.md").write_text("# Broken\n\nNothing else.\n")

    assert listed()["Broken.md"]["valid"] is False
    assert listed()["Broken.md"]["executable"] is False


def test_front_matter_is_shown_and_filters_the_list(server, client):
    path = server.runbooks / server.add("Tagged", "true")
    path.write_text("---\ntags: [net, edge]\nowner: Core team\n---\n" + path.read_text())
    (server.runbooks / "README.md").write_text("# Our runbooks\n")

    def found(**query):
        return client.get("/api/runbooks", params=query).json()["runbooks"]

    (listed,) = found(tag=["NET", "edge"], owner="core TEAM")
    assert (listed["filename"], listed["name"]) == ("Tagged.md", "Tagged")
    assert (listed["tags"], listed["owner"]) == (["net", "edge"], "Core team")
    assert found(tag="none") == []
    assert client.get("/api/runbooks/Tagged.md").json()["owner"] == "Core team"
    assert "README.md" not in [one["filename"] for one in found()]
    assert client.get("/api/runbooks/README.md").json()["content"] == "# Our runbooks\n"


def test_a_search_finds_refs_names_and_texts_whatever_their_case(server, client):
    server.add("find/Needle", "true")
    server.add("find/Other", "print 'the NEEDLE of überall'")

    def found(**query):
        return [r["filename"] for r in client.get("/api/runbooks", params=query).json()["runbooks"]]

    assert found(q="needle") == ["find/Needle.md", "find/Other.md"]
    assert found(q="ÜBERALL") == ["find/Other.md"]
    assert found(q="no such text") == []
    assert found(q="") == found()


def test_a_search_shows_the_line_of_the_text(server, client):
    long = "x" * 500
    server.add("lines/Shown", f"print one\r\nprint {long} Haystack {long}")
    server.add("lines/Haystack", "print two")

    def match(q, name="lines/Shown.md"):
        runbooks = client.get("/api/runbooks", params={"q": q}).json()["runbooks"]
        return next(one["match"] for one in runbooks if one["filename"] == name)

    text = (server.runbooks / "lines/Shown.md").read_bytes().decode()
    number = next(n for n, line in enumerate(text.splitlines(), 1) if "Haystack" in line)
    shown = match("HAYSTACK")
    assert shown["line"] == number
    assert " Haystack " in shown["text"]
    assert len(shown["text"]) == 200
    assert match("print ONE") == {"line": number - 1, "text": "print one"}
    assert match("lines/haystack", "lines/Haystack.md") is None
    assert "match" not in client.get("/api/runbooks").json()["runbooks"][0]
