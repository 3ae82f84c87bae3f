"""The tables of the registry, for SQLite and PostgreSQL alike.

Times are seconds since the epoch (UTC) as floats: both databases compare and index those the same way, and no driver's
idea of time zones comes in. What clients sent as JSON and want back key for key is text and never taken apart here.
"""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _uid() -> sa.Column[str]:
    return sa.Column("uid", sa.String(32), primary_key=True)


def _to(name: str, table: str, *, nullable: bool = False, ondelete: str = "CASCADE") -> sa.Column[str]:
    target = sa.ForeignKey(f"{table}.uid", ondelete="SET NULL" if nullable else ondelete)
    return sa.Column(name, sa.String(32), target, nullable=nullable)


def _time(name: str, *, nullable: bool = True) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=nullable)


def _made() -> tuple[sa.Column[float], sa.Column[float]]:
    return _time("created_at", nullable=False), _time("updated_at", nullable=False)


def _text(name: str, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


users = sa.Table(
    "users",
    metadata,
    _uid(),
    *_made(),
    sa.Column("name", sa.String(63), nullable=False, unique=True),
    sa.Column("email", sa.String(320), unique=True),
    _text("first_name"),
    _text("last_name"),
    sa.Column("password_hash", sa.Text),
    sa.Column("is_admin", sa.Boolean, nullable=False),
    _time("disabled_at"),
)
# Who a user is to a provider of identities.
identities = sa.Table(
    "identities",
    metadata,
    sa.Column("issuer", sa.String(512), primary_key=True),
    sa.Column("subject", sa.String(256), primary_key=True),
    _to("user", "users"),
    _time("created_at", nullable=False),
)
organizations = sa.Table(
    "organizations",
    metadata,
    _uid(),
    *_made(),
    sa.Column("name", sa.String(63), nullable=False, unique=True),
    _text("description"),
    _text("config", "{}"),
    _to("creator", "users", nullable=True),
)
clusters = sa.Table(
    "clusters",
    metadata,
    _uid(),
    *_made(),
    _to("organization", "organizations"),
    sa.Column("name", sa.String(63), nullable=False),
    _text("description"),
    _text("config", "{}"),
    _to("creator", "users", nullable=True),
    sa.UniqueConstraint("organization", "name"),
)
# `cluster` is empty for a membership of the organization itself.
members = sa.Table(
    "members",
    metadata,
    _uid(),
    *_made(),
    _to("organization", "organizations"),
    sa.Column("cluster", sa.String(32), nullable=False, server_default=""),
    _to("user", "users"),
    sa.Column("role", sa.String(16), nullable=False),
    _to("creator", "users", nullable=True),
    sa.UniqueConstraint("organization", "cluster", "user"),
)
# API tokens and, as `purpose` says, sessions of the dashboard: a digest of the secret, never the secret.
tokens = sa.Table(
    "tokens",
    metadata,
    _uid(),
    *_made(),
    _to("organization", "organizations"),
    _to("user", "users"),
    sa.Column("purpose", sa.String(16), nullable=False),
    sa.Column("name", sa.String(63), nullable=False),
    _text("description"),
    sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
    _text("scopes", "[]"),
    _text("namespaces", "[]"),
    _time("last_used_at"),
    _text("last_used_from"),
    _time("expires_at"),
    sa.UniqueConstraint("organization", "user", "purpose", "name"),
)
login_codes = sa.Table(
    "login_codes",
    metadata,
    sa.Column("code_hash", sa.String(64), primary_key=True),
    _to("user", "users", nullable=True),
    _to("organization", "organizations", nullable=True),
    _time("created_at", nullable=False),
    _time("expires_at", nullable=False),
)

# `kind` is `model` or `bento`. `rules` are retention and immutability, as JSON.
repositories = sa.Table(
    "repositories",
    metadata,
    _uid(),
    *_made(),
    _to("organization", "organizations"),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("name", sa.String(63), nullable=False),
    _text("description"),
    _text("rules", "{}"),
    _to("creator", "users", nullable=True),
    _to("last_updater", "users", nullable=True),
    sa.UniqueConstraint("organization", "kind", "name"),
)
# Bytes by their digest (`sha256:<hex>`), and the one object of the store that has them. One that no version has is
# removed when its `kept_until` has passed.
blobs = sa.Table(
    "blobs",
    metadata,
    sa.Column("digest", sa.String(80), primary_key=True),
    sa.Column("store_key", sa.String(255), nullable=False, unique=True),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    _time("created_at", nullable=False),
    _time("kept_until", nullable=False),
    sa.Index(None, "kept_until"),
)
# Objects of the store that nothing refers to any more. A row goes when its object has gone, so none is forgotten.
removals = sa.Table(
    "removals",
    metadata,
    sa.Column("store_key", sa.String(255), primary_key=True),
    _text("store_upload_id"),
    _time("created_at", nullable=False),
)
# `organization` and `kind` repeat the repository's, for lists over all repositories by one index.
versions = sa.Table(
    "versions",
    metadata,
    _uid(),
    *_made(),
    _to("repository", "repositories"),
    _to("organization", "organizations"),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("version", sa.String(512), nullable=False),
    _text("description"),
    _text("manifest", "null"),
    sa.Column("module", sa.Text, nullable=False, server_default=""),
    sa.Column("size_bytes", sa.BigInteger, nullable=False, server_default="0"),
    _time("build_at", nullable=False),
    _to("creator", "users", nullable=True),
    sa.Column("upload_status", sa.String(16), nullable=False),
    _time("upload_started_at"),
    _time("upload_finished_at"),
    _text("upload_finished_reason"),
    sa.Column("image_build_status", sa.String(16), nullable=False, server_default="pending"),
    _time("image_build_status_updated_at"),
    _time("image_build_status_syncing_at"),
    sa.Column("digest", sa.String(80), sa.ForeignKey("blobs.digest")),
    sa.Column("is_immutable", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("repository", "version"),
    sa.Index(None, "repository", "build_at", "uid"),
    sa.Index(None, "organization", "kind", "build_at", "uid"),
    sa.Index(None, "digest"),
    sa.Index(None, "organization", "upload_status", "size_bytes"),
)
# Names that point at a version and may be moved (`fairlead tag`).
aliases = sa.Table(
    "aliases",
    metadata,
    sa.Column("repository", sa.String(32), sa.ForeignKey("repositories.uid", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.String(63), primary_key=True),
    _to("version", "versions"),
    _time("updated_at", nullable=False),
    _to("creator", "users", nullable=True),
    sa.Index(None, "version"),
)
labels = sa.Table(
    "labels",
    metadata,
    sa.Column("resource_type", sa.String(32), primary_key=True),
    sa.Column("resource", sa.String(32), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("value", sa.String(1024), nullable=False),
    sa.Column("position", sa.Integer, nullable=False, server_default="0"),
    _to("organization", "organizations"),
    sa.Index(None, "organization", "resource_type", "key", "value"),
)
# The models that a bento's manifest names, whether or not they are here.
bento_models = sa.Table(
    "bento_models",
    metadata,
    sa.Column("bento", sa.String(32), sa.ForeignKey("versions.uid", ondelete="CASCADE"), primary_key=True),
    sa.Column("model_name", sa.String(63), primary_key=True),
    sa.Column("model_version", sa.String(512), primary_key=True),
    _to("organization", "organizations"),
    sa.Index(None, "organization", "model_name", "model_version"),
)
# An upload under way: the object in which its bytes gather until they are verified and become the version's.
# `received_at` is when the last of them came, so whoever finds it set has only the verifying left to do.
uploads = sa.Table(
    "uploads",
    metadata,
    _uid(),
    _to("version", "versions"),
    sa.Column("mode", sa.String(16), nullable=False),
    sa.Column("store_key", sa.String(255), nullable=False, unique=True),
    _text("store_upload_id"),
    _to("creator", "users", nullable=True),
    _time("created_at", nullable=False),
    _time("expires_at", nullable=False),
    _time("received_at"),
    sa.Index(None, "version"),
    sa.Index(None, "expires_at"),
)
events = sa.Table(
    "events",
    metadata,
    _uid(),
    _time("created_at", nullable=False),
    _to("organization", "organizations"),
    sa.Column("cluster", sa.String(32), nullable=False, server_default=""),
    _to("creator", "users", nullable=True),
    _text("api_token_name"),
    sa.Column("resource_type", sa.String(32), nullable=False),
    sa.Column("resource", sa.String(32), nullable=False, server_default=""),
    _text("resource_name"),
    sa.Column("operation_name", sa.String(32), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    _text("info", "{}"),
    sa.Index(None, "organization", "created_at", "uid"),
)
deployments = sa.Table(
    "deployments",
    metadata,
    _uid(),
    *_made(),
    _to("organization", "organizations"),
    _to("cluster", "clusters"),
    sa.Column("namespace", sa.String(63), nullable=False),
    sa.Column("name", sa.String(63), nullable=False),
    _text("description"),
    _to("creator", "users", nullable=True),
    _to("last_updater", "users", nullable=True),
    sa.Column("status", sa.String(32), nullable=False, server_default="unknown"),
    _time("terminated_at"),
    sa.UniqueConstraint("cluster", "namespace", "name"),
)
deployment_revisions = sa.Table(
    "deployment_revisions",
    metadata,
    _uid(),
    *_made(),
    _to("deployment", "deployments"),
    sa.Column("status", sa.String(16), nullable=False),
    _text("targets", "[]"),
    _to("creator", "users", nullable=True),
    sa.Index(None, "deployment", "created_at"),
)
# Operators elsewhere that say they are there.
components = sa.Table(
    "components",
    metadata,
    _uid(),
    *_made(),
    _to("cluster", "clusters"),
    sa.Column("name", sa.String(63), nullable=False),
    _text("namespace"),
    _text("version"),
    _text("manifest", "{}"),
    _time("latest_heartbeat_at"),
    _time("latest_installed_at"),
    sa.UniqueConstraint("cluster", "name"),
)
