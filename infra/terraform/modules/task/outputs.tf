# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "arn" {
  description = "The definition, at this revision."
  value       = aws_ecs_task_definition.this.arn
}

output "family_arn" {
  description = "The definition, at whatever revision is the newest."
  value       = aws_ecs_task_definition.this.arn_without_revision
}
