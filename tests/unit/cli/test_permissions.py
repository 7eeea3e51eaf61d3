"""Each command's permission: a golden table, so that a change of it is seen."""

import click

from runbook.cli.app import cli

NONE = "-"
TABLE = """
execute      runbook.execute
validate     runbook.validate
list         runbook.list
show         runbook.read
inputs       runbook.read
runs         run.read
logs         run.read
devices      run.read
cancel       run.cancel
pause        run.cancel
continue     run.cancel
fanout       runbook.execute
retry        run.rerun
resume       run.rerun
undo         run.rerun
artifacts    run.read
audit        audit.read
verify       runbook.history
new          -
lint         -
fmt          -
test         -
package      -
who-can      runbook.read
toolkit list      toolkit.read
toolkit show      toolkit.read
toolkit defaults  toolkit.write
toolkit new       -
toolkit package   -
toolkit schema    -
toolkit install   toolkit.write
toolkit check     toolkit.write
toolkit update    toolkit.write
toolkit rollback  toolkit.write
toolkit enable    toolkit.write
toolkit disable   toolkit.write
toolkit remove    toolkit.write
connections list     connection.read
connections show     connection.read
connections add      connection.write
connections edit     connection.write
connections remove   connection.write
connections check    connection.read
connections retrust  connection.write
connections reseal   connection.write
inventory list       inventory.read
inventory show       inventory.read
inventory add        inventory.write
inventory set        inventory.write
inventory remove     inventory.write
inventory import     inventory.write
inventory export     inventory.read
blame        inventory.read
lab up               connection.write
lab down             connection.write
token        token.issue
serve        -
doctor       server.read
config       config.read
backup       data.backup
restore      data.migrate
db backup    data.backup
db purge     data.purge
db migrate   data.migrate
db copy      data.migrate
version      -
completion   -
call         runbook.execute
progress     -
env          -
output       -
summary      -
mask         -
plan         -
artifact     -
device       -
"""


def commands(group, path=""):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def test_each_command_needs_the_permission_of_the_table():
    found = {name: command.permission or NONE for name, command in commands(cli)}
    rows = (line.rsplit(maxsplit=1) for line in TABLE.strip().splitlines())
    assert found == dict(rows)
