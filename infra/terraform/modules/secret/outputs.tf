# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "arn" {
  description = "The secret."
  value       = aws_secretsmanager_secret.this.arn
}
