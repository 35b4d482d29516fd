# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "endpoint" {
  description = "The host that takes writes."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}
