"""Everything that the registry began with."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("store_key", sa.String(length=255), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("kept_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_blobs"),
        sa.UniqueConstraint("store_key", name="uq_blobs_store_key"),
    )
    op.create_index("ix_blobs_kept_until", "blobs", ["kept_until"], unique=False)
    op.create_table(
        "removals",
        sa.Column("store_key", sa.String(length=255), nullable=False),
        sa.Column("store_upload_id", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("store_key", name="pk_removals"),
    )
    op.create_table(
        "users",
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("first_name", sa.Text(), server_default="", nullable=False),
        sa.Column("last_name", sa.Text(), server_default="", nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("disabled_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("uid", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )
    op.create_table(
        "identities",
        sa.Column("issuer", sa.String(length=512), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("user", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.uid"], name="fk_identities_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_identities"),
    )
    op.create_table(
        "organizations",
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("config", sa.Text(), server_default="{}", nullable=False),
        sa.Column("creator", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["creator"], ["users.uid"], name="fk_organizations_creator", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("uid", name="pk_organizations"),
        sa.UniqueConstraint("name", name="uq_organizations_name"),
    )
    op.create_table(
        "clusters",
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("organization", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("config", sa.Text(), server_default="{}", nullable=False),
        sa.Column("creator", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["creator"], ["users.uid"], name="fk_clusters_creator", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.uid"], name="fk_clusters_organization", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("uid", name="pk_clusters"),
        sa.UniqueConstraint("organization", "name", name="uq_clusters_organization_name"),
    )
    op.create_table(
        "events",
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("organization", sa.String(length=32), nullable=False),
        sa.Column("cluster", sa.String(length=32), server_default="", nullable=False),
        sa.Column("creator", sa.String(length=32), nullable=True),
        sa.Column("api_token_name", sa.Text(), server_default="", nullable=False),
        sa.Column("resource_type", sa.String(length=32), nullable=False),
        sa.Column("resource", sa.String(length=32), server_default="", nullable=False),
        sa.Column("resource_name", sa.Text(), server_default="", nullable=False),
        sa.Column("operation_name", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("info", sa.Text(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["creator"], ["users.uid"], name="fk_events_creator", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.uid"], name="fk_events_organization", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("uid", name="pk_events"),
    )
    op.create_index(
        "ix_events_organization_created_at_uid", "events", ["organization", "created_at", "uid"], unique=False
    )
    op.create_table(
        "labels",
        sa.Column("resource_type", sa.String(length=32), nullable=False),
        sa.Column("resource", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=1024), nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("organization", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.uid"], name="fk_labels_organization", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("resource_type", "resource", "key", name="pk_labels"),
    )
    op.create_index(
        "ix_labels_organization_resource_type_key_value",
        "labels",
        ["organization", "resource_type", "key", "value"],
        unique=False,
    )
    op.create_table(
        "login_codes",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=32), nullable=True),
        sa.Column("organization", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.uid"], name="fk_login_codes_organization", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["user"], ["users.uid"], name="fk_login_codes_user", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("code_hash", name="pk_login_codes"),
    )
    op.create_table(
        "members",
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("organization", sa.String(length=32), nullable=False),
        sa.Column("cluster", sa.String(length=32), server_default="", nullable=False),
        sa.Column("user", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("creator", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["creator"], ["users.uid"], name="fk_members_creator", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.uid"], name="fk_members_organization", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user"], ["users.uid"], name="fk_members_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uid", name="pk_members"),
        sa.UniqueConstraint("organization", "cluster", "user", name="uq_members_organization_cluster_user"),
    )
    op.create_table(
        "repositories",
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("organization", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("rules", sa.Text(), server_default="{}", nullable=False),
        sa.Column("creator", sa.String(length=32), nullable=True),
        sa.Column("last_updater", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["creator"], ["users.uid"], name="fk_repositories_creator", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["last_updater"], ["users.uid"], name="fk_repositories_last_updater", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.uid"], name="fk_repositories_organization", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("uid", name="pk_repositories"),
        sa.UniqueConstraint("organization", "kind", "name", name="uq_repositories_organization_kind_name"),
    )
    op.create_table(
        "tokens",
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("organization", sa.String(length=32), nullable=False),
        sa.Column("user", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), server_default="[]", nullable=False),
        sa.Column("namespaces", sa.Text(), server_default="[]", nullable=False),
        sa.Column("last_used_at", sa.Double(), nullable=True),
        sa.Column("last_used_from", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.uid"], name="fk_tokens_organization", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user"], ["users.uid"], name="fk_tokens_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uid", name="pk_tokens"),
        sa.UniqueConstraint(
            "organization", "user", "purpose", "name", name=("uq_tokens_organization_user_purpose_name")
        ),
        sa.UniqueConstraint("secret_hash", name="uq_tokens_secret_hash"),
    )
    op.create_table(
        "components",
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("cluster", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("namespace", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("manifest", sa.Text(), server_default="{}", nullable=False),
        sa.Column("latest_heartbeat_at", sa.Double(), nullable=True),
        sa.Column("latest_installed_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["cluster"], ["clusters.uid"], name="fk_components_cluster", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uid", name="pk_components"),
        sa.UniqueConstraint("cluster", "name", name="uq_components_cluster_name"),
    )
    op.create_table(
        "deployments",
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("organization", sa.String(length=32), nullable=False),
        sa.Column("cluster", sa.String(length=32), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("creator", sa.String(length=32), nullable=True),
        sa.Column("last_updater", sa.String(length=32), nullable=True),
        sa.Column("status", sa.String(length=32), server_default="unknown", nullable=False),
        sa.Column("terminated_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["cluster"], ["clusters.uid"], name="fk_deployments_cluster", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["creator"], ["users.uid"], name="fk_deployments_creator", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["last_updater"], ["users.uid"], name="fk_deployments_last_updater", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.uid"], name="fk_deployments_organization", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("uid", name="pk_deployments"),
        sa.UniqueConstraint("cluster", "namespace", "name", name="uq_deployments_cluster_namespace_name"),
    )
    op.create_table(
        "versions",
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("repository", sa.String(length=32), nullable=False),
        sa.Column("organization", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("version", sa.String(length=512), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("manifest", sa.Text(), server_default="null", nullable=False),
        sa.Column("module", sa.Text(), server_default="", nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("build_at", sa.Double(), nullable=False),
        sa.Column("creator", sa.String(length=32), nullable=True),
        sa.Column("upload_status", sa.String(length=16), nullable=False),
        sa.Column("upload_started_at", sa.Double(), nullable=True),
        sa.Column("upload_finished_at", sa.Double(), nullable=True),
        sa.Column("upload_finished_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("image_build_status", sa.String(length=16), server_default="pending", nullable=False),
        sa.Column("image_build_status_updated_at", sa.Double(), nullable=True),
        sa.Column("image_build_status_syncing_at", sa.Double(), nullable=True),
        sa.Column("digest", sa.String(length=80), nullable=True),
        sa.Column("is_immutable", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["creator"], ["users.uid"], name="fk_versions_creator", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name="fk_versions_digest"),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.uid"], name="fk_versions_organization", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["repository"], ["repositories.uid"], name="fk_versions_repository", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("uid", name="pk_versions"),
        sa.UniqueConstraint("repository", "version", name="uq_versions_repository_version"),
    )
    op.create_index("ix_versions_digest", "versions", ["digest"], unique=False)
    op.create_index(
        "ix_versions_organization_kind_build_at_uid",
        "versions",
        ["organization", "kind", "build_at", "uid"],
        unique=False,
    )
    op.create_index(
        "ix_versions_organization_upload_status_size_bytes",
        "versions",
        ["organization", "upload_status", "size_bytes"],
        unique=False,
    )
    op.create_index("ix_versions_repository_build_at_uid", "versions", ["repository", "build_at", "uid"], unique=False)
    op.create_table(
        "aliases",
        sa.Column("repository", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("creator", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["creator"], ["users.uid"], name="fk_aliases_creator", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["repository"], ["repositories.uid"], name="fk_aliases_repository", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["version"], ["versions.uid"], name="fk_aliases_version", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("repository", "name", name="pk_aliases"),
    )
    op.create_index("ix_aliases_version", "aliases", ["version"], unique=False)
    op.create_table(
        "bento_models",
        sa.Column("bento", sa.String(length=32), nullable=False),
        sa.Column("model_name", sa.String(length=63), nullable=False),
        sa.Column("model_version", sa.String(length=512), nullable=False),
        sa.Column("organization", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["bento"], ["versions.uid"], name="fk_bento_models_bento", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.uid"], name="fk_bento_models_organization", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("bento", "model_name", "model_version", name="pk_bento_models"),
    )
    op.create_index(
        "ix_bento_models_organization_model_name_model_version",
        "bento_models",
        ["organization", "model_name", "model_version"],
        unique=False,
    )
    op.create_table(
        "deployment_revisions",
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("deployment", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("targets", sa.Text(), server_default="[]", nullable=False),
        sa.Column("creator", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["creator"], ["users.uid"], name="fk_deployment_revisions_creator", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["deployment"], ["deployments.uid"], name="fk_deployment_revisions_deployment", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("uid", name="pk_deployment_revisions"),
    )
    op.create_index(
        "ix_deployment_revisions_deployment_created_at",
        "deployment_revisions",
        ["deployment", "created_at"],
        unique=False,
    )
    op.create_table(
        "uploads",
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("store_key", sa.String(length=255), nullable=False),
        sa.Column("store_upload_id", sa.Text(), server_default="", nullable=False),
        sa.Column("creator", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("received_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["creator"], ["users.uid"], name="fk_uploads_creator", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["version"], ["versions.uid"], name="fk_uploads_version", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uid", name="pk_uploads"),
        sa.UniqueConstraint("store_key", name="uq_uploads_store_key"),
    )
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"], unique=False)
    op.create_index("ix_uploads_version", "uploads", ["version"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_uploads_version", table_name="uploads")
    op.drop_index("ix_uploads_expires_at", table_name="uploads")
    op.drop_table("uploads")
    op.drop_index("ix_deployment_revisions_deployment_created_at", table_name="deployment_revisions")
    op.drop_table("deployment_revisions")
    op.drop_index("ix_bento_models_organization_model_name_model_version", table_name="bento_models")
    op.drop_table("bento_models")
    op.drop_index("ix_aliases_version", table_name="aliases")
    op.drop_table("aliases")
    op.drop_index("ix_versions_repository_build_at_uid", table_name="versions")
    op.drop_index("ix_versions_organization_upload_status_size_bytes", table_name="versions")
    op.drop_index("ix_versions_organization_kind_build_at_uid", table_name="versions")
    op.drop_index("ix_versions_digest", table_name="versions")
    op.drop_table("versions")
    op.drop_table("deployments")
    op.drop_table("components")
    op.drop_table("tokens")
    op.drop_table("repositories")
    op.drop_table("members")
    op.drop_table("login_codes")
    op.drop_index("ix_labels_organization_resource_type_key_value", table_name="labels")
    op.drop_table("labels")
    op.drop_index("ix_events_organization_created_at_uid", table_name="events")
    op.drop_table("events")
    op.drop_table("clusters")
    op.drop_table("organizations")
    op.drop_table("identities")
    op.drop_table("users")
    op.drop_table("removals")
    op.drop_index("ix_blobs_kept_until", table_name="blobs")
    op.drop_table("blobs")
