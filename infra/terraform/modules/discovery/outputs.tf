# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "arn" {
  description = "The namespace."
  value       = aws_service_discovery_http_namespace.this.arn
}
