# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# Requests that a service answers.

resource "aws_lb_listener_rule" "this" {
  listener_arn = var.listener_arn
  priority     = var.priority

  action {
    type             = "forward"
    target_group_arn = var.target_group_arn
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
}
