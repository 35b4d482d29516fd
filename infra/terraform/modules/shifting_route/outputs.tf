# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "arn" {
  description = "The rule."
  value       = aws_lb_listener_rule.this.arn
}
