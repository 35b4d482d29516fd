# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# A service whose next revision takes a share of the traffic first, then the rest.

# Deploys own the revision, scaling owns the count. Neither is changed back from here.
resource "aws_ecs_service" "this" {
  name                               = var.name
  cluster                            = var.cluster_arn
  task_definition                    = var.task_definition_arn
  desired_count                      = var.desired_count
  platform_version                   = "LATEST"
  availability_zone_rebalancing      = "ENABLED"
  deployment_minimum_healthy_percent = var.minimum_healthy_percent
  deployment_maximum_percent         = var.maximum_percent
  health_check_grace_period_seconds  = var.grace_period
  enable_execute_command             = var.execute_command
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  # The first tasks may still wait for their secrets; `cais status` tells.
  wait_for_steady_state = false

  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = var.on_demand_weight
  }

  capacity_provider_strategy {
    capacity_provider = "FARGATE_SPOT"
    weight            = var.spot_weight
  }

  deployment_circuit_breaker {
    enable   = var.breaker
    rollback = var.rollback
  }

  deployment_configuration {
    strategy             = "CANARY"
    bake_time_in_minutes = var.bake_minutes

    canary_configuration {
      canary_percent              = var.step_percent
      canary_bake_time_in_minutes = var.step_bake_minutes
    }
  }

  alarms {
    enable      = var.alarms_enabled
    rollback    = var.rollback
    alarm_names = var.alarm_names
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.security_group_id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = var.target_group_arn
    container_name   = var.name
    container_port   = var.container_port

    advanced_configuration {
      alternate_target_group_arn = var.alternate_target_group_arn
      production_listener_rule   = var.listener_rule_arn
      role_arn                   = var.traffic_role_arn
    }
  }

  service_connect_configuration {
    enabled   = true
    namespace = var.namespace_arn

    dynamic "service" {
      for_each = var.ports

      content {
        port_name      = service.value.name
        discovery_name = service.value.name

        client_alias {
          port     = service.value.port
          dns_name = var.name
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [desired_count, task_definition, load_balancer]
  }
}
