# Rendered by `cais infra terraform` from the Compose file; changes belong there.

module "calendar_iam" {
  source = "../../modules/iam"

  execution_role = "cais-production-calendar-execution"
  task_role      = "cais-production-calendar-task"
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
        Resource = data.terraform_remote_state.foundation.outputs.calendar_repository_arn
      },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:aws:logs:sa-east-1:*:log-group:/ecs/cais-production/calendar:*"
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

module "calendar_task" {
  source = "../../modules/task"

  family             = "cais-production-calendar"
  cpu                = 256
  memory             = 512
  architecture       = "X86_64"
  execution_role_arn = module.calendar_iam.execution_role_arn
  task_role_arn      = module.calendar_iam.task_role_arn
  container_definitions = jsonencode([
    {
      name                   = "calendar"
      image                  = data.aws_ecr_image.calendar.image_uri
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
          awslogs-group         = "/ecs/cais-production/calendar"
          awslogs-region        = "sa-east-1"
          awslogs-stream-prefix = "task"
          mode                  = "non-blocking"
          max-buffer-size       = "25m"
        }
      }
    },
  ])
  log_group          = "/ecs/cais-production/calendar"
  log_retention_days = 365
  key_arn            = data.terraform_remote_state.foundation.outputs.key_arn
}

module "calendar_security_group" {
  source = "../../modules/security_group"

  name         = "cais-production-calendar"
  description  = "Tasks of calendar"
  vpc_id       = data.terraform_remote_state.foundation.outputs.vpc_id
  egress_ports = ["443"]
}

module "calendar_target_group" {
  source = "../../modules/target_group"

  name                 = "cais-production-calendar"
  vpc_id               = data.terraform_remote_state.foundation.outputs.vpc_id
  health_path          = "/readyz"
  interval             = 5
  timeout              = 2
  unhealthy_threshold  = 2
  deregistration_delay = 30
}

module "calendar_route" {
  source = "../../modules/route"

  listener_arn     = module.listener.arn
  priority         = 10
  hosts            = ["*"]
  paths            = ["/calendar", "/calendar/*"]
  target_group_arn = module.calendar_target_group.arn
}

module "calendar_cpu_alarm" {
  source = "../../modules/alarm"

  name                = "cais-production-calendar-cpu"
  description         = "calendar: CPU above 90%"
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
  dimensions          = { ClusterName = module.cluster.name, ServiceName = "calendar" }
}

module "calendar_errors_alarm" {
  source = "../../modules/error_rate_alarm"

  name                = "cais-production-calendar-errors"
  description         = "calendar: requests answered with a 5xx above 5%"
  comparison          = "GreaterThanThreshold"
  threshold           = 5
  period              = 60
  datapoints_to_alarm = 2
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  topic_arns          = [module.ops_topic.arn]
  load_balancer       = module.load_balancer.arn_suffix
  target_group        = module.calendar_target_group.arn_suffix
}

module "calendar_memory_alarm" {
  source = "../../modules/alarm"

  name                = "cais-production-calendar-memory"
  description         = "calendar: memory above 90%"
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
  dimensions          = { ClusterName = module.cluster.name, ServiceName = "calendar" }
}

module "calendar_service" {
  source = "../../modules/web_service"

  name                    = "calendar"
  cluster_arn             = module.cluster.arn
  namespace_arn           = module.discovery.arn
  task_definition_arn     = module.calendar_task.arn
  desired_count           = 2
  minimum_healthy_percent = 100
  maximum_percent         = 200
  breaker                 = true
  rollback                = true
  alarms_enabled          = true
  alarm_names             = [module.calendar_errors_alarm.name]
  on_demand_weight        = 100
  spot_weight             = 0
  execute_command         = false
  subnet_ids              = data.terraform_remote_state.foundation.outputs.private_subnet_ids
  security_group_id       = module.calendar_security_group.id
  ports                   = [{ name = "port-8080", port = 8080 }]
  target_group_arn        = module.calendar_target_group.arn
  container_port          = 8080
  grace_period            = 10

  depends_on = [
    module.calendar_iam,
    module.calendar_route,
    module.load_balancer_to_calendar,
    module.calendar_to_redis,
  ]
}

module "calendar_scaling" {
  source = "../../modules/scaling"

  cluster_name = module.cluster.name
  service_name = module.calendar_service.name
  min_capacity = 2
  max_capacity = 6
}

module "calendar_scaling_by_cpu" {
  source = "../../modules/scaling_policy"

  name         = "cpu"
  resource_id  = module.calendar_scaling.resource_id
  target_value = 60
  out_cooldown = 60
  in_cooldown  = 300
  metric       = "ECSServiceAverageCPUUtilization"
}

module "load_balancer_to_calendar" {
  source = "../../modules/connection"

  description            = "The load balancer calls calendar"
  from_security_group_id = module.load_balancer.security_group_id
  to_security_group_id   = module.calendar_security_group.id
  port                   = 8080
}

module "calendar_to_redis" {
  source = "../../modules/connection"

  description            = "calendar calls redis"
  from_security_group_id = module.calendar_security_group.id
  to_security_group_id   = data.terraform_remote_state.foundation.outputs.redis_security_group_id
  port                   = 6379
}
