# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "plan_role_arn" {
  description = "The role that plans."
  value       = aws_iam_role.plan.arn
}

output "deploy_role_arn" {
  description = "The role that deploys."
  value       = aws_iam_role.deploy.arn
}

output "deploy_role_name" {
  description = "Its name."
  value       = aws_iam_role.deploy.name
}

output "apply_role_arn" {
  description = "The role that applies."
  value       = aws_iam_role.apply.arn
}
