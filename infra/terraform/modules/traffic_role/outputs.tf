# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "arn" {
  description = "The role."
  value       = aws_iam_role.this.arn
}
