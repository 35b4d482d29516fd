# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "arn" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.arn
}

output "name" {
  description = "Its name."
  value       = aws_ecs_cluster.this.name
}
