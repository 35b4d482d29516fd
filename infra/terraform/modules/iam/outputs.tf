# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "execution_role_arn" {
  description = "The role by which ECS starts a task."
  value       = aws_iam_role.execution.arn
}

output "task_role_arn" {
  description = "The role that the program has."
  value       = aws_iam_role.task.arn
}

output "task_role_name" {
  description = "Its name."
  value       = aws_iam_role.task.name
}
