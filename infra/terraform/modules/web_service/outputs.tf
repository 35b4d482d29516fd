# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "name" {
  description = "The service."
  value       = aws_ecs_service.this.name
}
