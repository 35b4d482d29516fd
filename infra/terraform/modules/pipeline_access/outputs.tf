# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "plan_role_arn" {
  description = "The role that plans."
  value       = aws_iam_role.plan.arn
}

output "push_role_arn" {
  description = "The role that pushes images."
  value       = aws_iam_role.push.arn
}

output "deploy_role_arn" {
  description = "The role that deploys."
  value       = aws_iam_role.deploy.arn
}

output "apply_role_arn" {
  description = "The role that applies."
  value       = aws_iam_role.apply.arn
}
