"""Runs migrations on the connection that `tracking.database` opened, inside its transaction."""

from alembic import context

from tracking.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
