import uuid

from runbook.engine.process.workspace import directory_of


def test_only_the_directories_of_active_runs_stay(workshop):
    workshop.write("Quick")
    workshop.register()
    active, ended = workshop.submit("Quick.md"), workshop.submit("Quick.md")
    folder = workshop.settings.execution_dir
    directories = [directory_of(folder, run_id) for run_id in (active.id, ended.id, uuid.uuid4())]
    workshop.claim()
    workshop.execute()
    for directory in directories:
        directory.mkdir()

    workshop.engine.upkeep.remove_stale_directories()

    assert list(folder.iterdir()) == directories[:1]
