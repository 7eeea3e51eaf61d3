"""Run by Alembic, in the transaction started by `runbook.store.migrate`."""

from alembic import context

from runbook.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
