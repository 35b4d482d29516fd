# Rendered by `cais infra terraform` from the Compose file; changes belong there.

module "clock_iam" {
  source = "../../modules/iam"

  execution_role = "cais-production-clock-execution"
  task_role      = "cais-production-clock-task"
  region         = "sa-east-1"
  execution_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = "*" },
      {
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability",
          "ecr:BatchGetImage",
          "ecr:GetDownloadUrlForLayer",
        ]
        Resource = data.terraform_remote_state.foundation.outputs.clock_repository_arn
      },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:aws:logs:sa-east-1:*:log-group:/ecs/cais-production/clock:*"
      },
      {
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = [data.terraform_remote_state.foundation.outputs.redis_cache_secret_arn]
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = data.terraform_remote_state.foundation.outputs.key_arn
        Condition = {
          StringEquals = { "kms:ViaService" = "secretsmanager.sa-east-1.amazonaws.com" }
        }
      },
    ]
  })
}

module "clock_task" {
  source = "../../modules/task"

  family             = "cais-production-clock"
  cpu                = 256
  memory             = 512
  architecture       = "X86_64"
  execution_role_arn = module.clock_iam.execution_role_arn
  task_role_arn      = module.clock_iam.task_role_arn
  container_definitions = jsonencode([
    {
      name                   = "clock"
      image                  = data.aws_ecr_image.clock.image_uri
      essential              = true
      user                   = "65532:65532"
      readonlyRootFilesystem = true
      stopTimeout            = 30
      portMappings = [
        { name = "port-8080", containerPort = 8080, protocol = "tcp", appProtocol = "http" },
      ]
      environment = [{ name = "CACHE_MODE", value = "required" }]
      secrets = [
        {
          name      = "CACHE_PASSWORD"
          valueFrom = "${data.terraform_remote_state.foundation.outputs.redis_cache_secret_arn}:password::"
        },
        {
          name      = "CACHE_URL"
          valueFrom = "${data.terraform_remote_state.foundation.outputs.redis_cache_secret_arn}:url::"
        },
      ]
      linuxParameters = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = "/ecs/cais-production/clock"
          awslogs-region        = "sa-east-1"
          awslogs-stream-prefix = "task"
          mode                  = "non-blocking"
          max-buffer-size       = "25m"
        }
      }
    },
  ])
  log_group          = "/ecs/cais-production/clock"
  log_retention_days = 365
  key_arn            = data.terraform_remote_state.foundation.outputs.key_arn
}

module "clock_security_group" {
  source = "../../modules/security_group"

  name         = "cais-production-clock"
  description  = "Tasks of clock"
  vpc_id       = data.terraform_remote_state.foundation.outputs.vpc_id
  egress_ports = ["443"]
}

module "clock_target_group" {
  source = "../../modules/target_group"

  name                 = "cais-production-clock"
  vpc_id               = data.terraform_remote_state.foundation.outputs.vpc_id
  health_path          = "/readyz"
  interval             = 5
  timeout              = 2
  unhealthy_threshold  = 2
  deregistration_delay = 30
}

module "clock_alternate_target_group" {
  source = "../../modules/target_group"

  name                 = "cais-production-clock-alt"
  vpc_id               = data.terraform_remote_state.foundation.outputs.vpc_id
  health_path          = "/readyz"
  interval             = 5
  timeout              = 2
  unhealthy_threshold  = 2
  deregistration_delay = 30
}

module "clock_traffic_role" {
  source = "../../modules/traffic_role"

  name = "cais-production-clock-traffic"
}

module "clock_route" {
  source = "../../modules/shifting_route"

  listener_arn               = module.listener.arn
  priority                   = 20
  hosts                      = ["*"]
  paths                      = ["/clock", "/clock/*"]
  target_group_arn           = module.clock_target_group.arn
  alternate_target_group_arn = module.clock_alternate_target_group.arn
}

module "clock_cpu_alarm" {
  source = "../../modules/alarm"

  name                = "cais-production-clock-cpu"
  description         = "clock: CPU above 90%"
  comparison          = "GreaterThanThreshold"
  threshold           = 90
  period              = 60
  datapoints_to_alarm = 5
  evaluation_periods  = 5
  treat_missing_data  = "notBreaching"
  topic_arns          = [module.ops_topic.arn]
  namespace           = "AWS/ECS"
  metric              = "CPUUtilization"
  statistic           = "Average"
  dimensions          = { ClusterName = module.cluster.name, ServiceName = "clock" }
}

module "clock_errors_alarm" {
  source = "../../modules/error_rate_alarm"

  name                = "cais-production-clock-errors"
  description         = "clock: requests answered with a 5xx above 1%"
  comparison          = "GreaterThanThreshold"
  threshold           = 1
  period              = 60
  datapoints_to_alarm = 2
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  topic_arns          = [module.ops_topic.arn]
  load_balancer       = module.load_balancer.arn_suffix
  target_group        = module.clock_target_group.arn_suffix
}

module "clock_memory_alarm" {
  source = "../../modules/alarm"

  name                = "cais-production-clock-memory"
  description         = "clock: memory above 90%"
  comparison          = "GreaterThanThreshold"
  threshold           = 90
  period              = 60
  datapoints_to_alarm = 5
  evaluation_periods  = 5
  treat_missing_data  = "notBreaching"
  topic_arns          = [module.ops_topic.arn]
  namespace           = "AWS/ECS"
  metric              = "MemoryUtilization"
  statistic           = "Average"
  dimensions          = { ClusterName = module.cluster.name, ServiceName = "clock" }
}

module "clock_slow_alarm" {
  source = "../../modules/percentile_alarm"

  name                = "cais-production-clock-slow"
  description         = "clock: latency of the slowest hundredth above 250 ms"
  comparison          = "GreaterThanThreshold"
  threshold           = 0.25
  period              = 60
  datapoints_to_alarm = 3
  evaluation_periods  = 5
  treat_missing_data  = "notBreaching"
  topic_arns          = [module.ops_topic.arn]
  namespace           = "AWS/ApplicationELB"
  metric              = "TargetResponseTime"
  percentile          = "p99"
  dimensions = {
    LoadBalancer = module.load_balancer.arn_suffix
    TargetGroup  = module.clock_target_group.arn_suffix
  }
}

module "clock_service" {
  source = "../../modules/canary_service"

  name                       = "clock"
  cluster_arn                = module.cluster.arn
  namespace_arn              = module.discovery.arn
  task_definition_arn        = module.clock_task.arn
  desired_count              = 4
  minimum_healthy_percent    = 100
  maximum_percent            = 200
  breaker                    = true
  rollback                   = true
  alarms_enabled             = true
  alarm_names                = [module.clock_errors_alarm.name, module.clock_slow_alarm.name]
  on_demand_weight           = 100
  spot_weight                = 0
  execute_command            = false
  subnet_ids                 = data.terraform_remote_state.foundation.outputs.private_subnet_ids
  security_group_id          = module.clock_security_group.id
  ports                      = [{ name = "port-8080", port = 8080 }]
  target_group_arn           = module.clock_target_group.arn
  container_port             = 8080
  grace_period               = 10
  alternate_target_group_arn = module.clock_alternate_target_group.arn
  listener_rule_arn          = module.clock_route.arn
  traffic_role_arn           = module.clock_traffic_role.arn
  bake_minutes               = 10
  step_percent               = 10
  step_bake_minutes          = 5

  depends_on = [
    module.clock_iam,
    module.clock_route,
    module.load_balancer_to_clock,
    module.clock_to_redis,
  ]
}

module "clock_scaling" {
  source = "../../modules/scaling"

  cluster_name = module.cluster.name
  service_name = module.clock_service.name
  min_capacity = 2
  max_capacity = 12
}

module "clock_scaling_by_cpu" {
  source = "../../modules/scaling_policy"

  name         = "cpu"
  resource_id  = module.clock_scaling.resource_id
  target_value = 60
  out_cooldown = 60
  in_cooldown  = 300
  metric       = "ECSServiceAverageCPUUtilization"
}

module "clock_scaling_by_requests" {
  source = "../../modules/request_scaling_policy"

  name           = "requests"
  resource_id    = module.clock_scaling.resource_id
  target_value   = 30000
  out_cooldown   = 60
  in_cooldown    = 300
  resource_label = "${module.load_balancer.arn_suffix}/${module.clock_target_group.arn_suffix}"
}

module "load_balancer_to_clock" {
  source = "../../modules/connection"

  description            = "The load balancer calls clock"
  from_security_group_id = module.load_balancer.security_group_id
  to_security_group_id   = module.clock_security_group.id
  port                   = 8080
}

module "clock_to_redis" {
  source = "../../modules/connection"

  description            = "clock calls redis"
  from_security_group_id = module.clock_security_group.id
  to_security_group_id   = data.terraform_remote_state.foundation.outputs.redis_security_group_id
  port                   = 6379
}
