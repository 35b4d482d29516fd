# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# Where a service's tasks take requests, and how the load balancer knows that they can.

resource "aws_lb_target_group" "this" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; behind it requests stay within the VPC's private subnets
  name = var.name
  # ECS registers each task with the port of its own. This one is only what AWS asks for, and the
  # same for all: another one would be another target group, which AWS does not take while a rule
  # forwards to this one.
  port     = 80
  protocol = "HTTP"
  # Tasks on Fargate have addresses of their own.
  target_type = "ip"
  vpc_id      = var.vpc_id
  # AWS waits for 300 seconds where nobody says otherwise, at each deploy.
  deregistration_delay          = var.deregistration_delay
  load_balancing_algorithm_type = "least_outstanding_requests"

  health_check {
    path                = var.health_path
    interval            = var.interval
    timeout             = var.timeout
    healthy_threshold   = 2
    unhealthy_threshold = var.unhealthy_threshold
    matcher             = "200-399"
  }
}
