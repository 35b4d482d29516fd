# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# Requests that a service answers, from one of two target groups: ECS moves the weights at each
# deploy.

# The weights are ECS's after the first apply.
resource "aws_lb_listener_rule" "this" {
  listener_arn = var.listener_arn
  priority     = var.priority

  action {
    type = "forward"

    forward {
      target_group {
        arn    = var.target_group_arn
        weight = 100
      }

      target_group {
        arn    = var.alternate_target_group_arn
        weight = 0
      }
    }
  }

  condition {
    host_header {
      values = var.hosts
    }
  }

  condition {
    path_pattern {
      values = var.paths
    }
  }

  lifecycle {
    ignore_changes = [action]
  }
}
