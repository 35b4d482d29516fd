# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "name" {
  description = "The alarm."
  value       = aws_cloudwatch_metric_alarm.this.alarm_name
}
