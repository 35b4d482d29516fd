# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "arn" {
  description = "The topic."
  value       = aws_sns_topic.this.arn
}
