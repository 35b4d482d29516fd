# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# An alarm on the share of requests that are answered with a 5xx.

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

  metric_query {
    id = "rate"
    # A period without a failure has no datapoint of failures.
    expression  = "100 * FILL(errors, 0) / requests"
    label       = "5xx, percent of requests"
    return_data = true
  }

  metric_query {
    id = "errors"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "HTTPCode_Target_5XX_Count"
      period      = var.period
      stat        = "Sum"
      dimensions  = { LoadBalancer = var.load_balancer, TargetGroup = var.target_group }
    }
  }

  metric_query {
    id = "requests"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "RequestCount"
      period      = var.period
      stat        = "Sum"
      dimensions  = { LoadBalancer = var.load_balancer, TargetGroup = var.target_group }
    }
  }
}
