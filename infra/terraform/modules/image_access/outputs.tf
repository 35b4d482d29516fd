# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "push_role_arn" {
  description = "The role that pushes images."
  value       = aws_iam_role.push.arn
}
