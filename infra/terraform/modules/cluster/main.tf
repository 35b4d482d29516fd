# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# The ECS cluster. Nothing in it costs anything by itself; tasks run on Fargate.

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enhanced"
  }

  service_connect_defaults {
    namespace = var.namespace_arn
  }

  configuration {
    execute_command_configuration {
      kms_key_id = var.key_arn
      logging    = "DEFAULT"
    }
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]

  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = 1
  }
}
