# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# A Valkey cache with TLS, which speaks Redis' protocol.

resource "aws_elasticache_subnet_group" "this" {
  name        = var.name
  description = var.description
  subnet_ids  = var.subnet_ids
}

resource "aws_elasticache_parameter_group" "this" {
  name        = var.name
  description = var.description
  family      = "valkey8"

  parameter {
    # When it is full, what was not asked for longest goes.
    name  = "maxmemory-policy"
    value = "allkeys-lru"
  }
}

# The token that clients authenticate with is set from Secrets Manager after the first apply
# (README.md): as an attribute of this resource it would stand in the state.
resource "aws_elasticache_replication_group" "this" {
  #checkov:skip=CKV_AWS_31:the token is set from Secrets Manager, so that no state has it; TLS is required
  #checkov:skip=CKV2_AWS_50:one node where x-cais.aws.multi_az does not ask for two
  replication_group_id       = var.name
  description                = var.description
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.node_type
  num_cache_clusters         = var.nodes
  automatic_failover_enabled = var.multi_az
  multi_az_enabled           = var.multi_az
  parameter_group_name       = aws_elasticache_parameter_group.this.name
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [var.security_group_id]
  at_rest_encryption_enabled = true
  kms_key_id                 = var.key_arn
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  auto_minor_version_upgrade = true
  # A cache can be computed again.
  snapshot_retention_limit = 0

  lifecycle {
    ignore_changes = [auth_token, auth_token_update_strategy]
  }
}
