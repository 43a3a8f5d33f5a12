"""How Alembic runs here: always from `hotline.database`, on a connection that is already open."""

from alembic import context

from hotline.database import metadatas

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadatas(),
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,  # SQLite can, once the driver leaves transactions to us
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
