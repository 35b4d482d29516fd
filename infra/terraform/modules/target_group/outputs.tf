# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "arn" {
  description = "The target group."
  value       = aws_lb_target_group.this.arn
}

output "arn_suffix" {
  description = "Its name in CloudWatch."
  value       = aws_lb_target_group.this.arn_suffix
}
