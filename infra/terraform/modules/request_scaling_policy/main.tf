# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# Adds and takes away tasks so that each has so many requests a minute.

resource "aws_appautoscaling_policy" "this" {
  name               = var.name
  policy_type        = "TargetTrackingScaling"
  service_namespace  = "ecs"
  resource_id        = var.resource_id
  scalable_dimension = "ecs:service:DesiredCount"

  target_tracking_scaling_policy_configuration {
    target_value       = var.target_value
    scale_out_cooldown = var.out_cooldown
    scale_in_cooldown  = var.in_cooldown

    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = var.resource_label
    }
  }
}
