# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "arn" {
  description = "The listener that routes belong to."
  value       = aws_lb_listener.https.arn
}
