# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# An alarm on a percentile of one metric.

resource "aws_cloudwatch_metric_alarm" "this" {
  alarm_name          = var.name
  alarm_description   = var.description
  comparison_operator = var.comparison
  threshold           = var.threshold
  datapoints_to_alarm = var.datapoints_to_alarm
  evaluation_periods  = var.evaluation_periods
  treat_missing_data  = var.treat_missing_data
  alarm_actions       = var.topic_arns
  ok_actions          = var.topic_arns
  namespace           = var.namespace
  metric_name         = var.metric
  extended_statistic  = var.percentile
  period              = var.period
  dimensions          = var.dimensions
}
