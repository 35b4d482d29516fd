# Rendered by `cais infra terraform` from the Compose file; changes belong there.

data "terraform_remote_state" "foundation" {
  backend = "s3"
  config  = { bucket = var.state_bucket, key = "foundation.tfstate", region = "sa-east-1" }
}

data "aws_ecr_image" "calendar" {
  repository_name = "cais-production/calendar"
  image_tag       = var.image_tag
}

data "aws_ecr_image" "clock" {
  repository_name = "cais-production/clock"
  image_tag       = var.image_tag
}

data "aws_route53_zone" "main" {
  name = "example.com"
}

module "discovery" {
  source = "../../modules/discovery"

  name        = "cais-production"
  description = "Services of cais-production"
}

module "cluster" {
  source = "../../modules/cluster"

  name               = "cais-production"
  namespace_arn      = module.discovery.arn
  key_arn            = data.terraform_remote_state.foundation.outputs.key_arn
  log_group          = "/ecs-exec/cais-production"
  log_retention_days = 365
}

module "load_balancer" {
  source = "../../modules/load_balancer"

  name                = "cais-production"
  vpc_id              = data.terraform_remote_state.foundation.outputs.vpc_id
  subnet_ids          = data.terraform_remote_state.foundation.outputs.public_subnet_ids
  ports               = ["80", "443"]
  log_bucket          = data.terraform_remote_state.foundation.outputs.log_bucket
  deletion_protection = true
}

module "certificate" {
  source = "../../modules/certificate"

  domain  = "example.com"
  zone_id = data.aws_route53_zone.main.zone_id
}

module "listener" {
  source = "../../modules/https_listener"

  load_balancer_arn = module.load_balancer.arn
  certificate_arn   = module.certificate.arn
}

module "dns_record" {
  source = "../../modules/dns_record"

  name           = "example.com"
  zone_id        = data.aws_route53_zone.main.zone_id
  target         = module.load_balancer.dns_name
  target_zone_id = module.load_balancer.zone_id
}

module "ops_topic" {
  source = "../../modules/notification_topic"

  name    = "cais-production-ops"
  key_arn = data.terraform_remote_state.foundation.outputs.key_arn
}

module "ops_email" {
  source = "../../modules/email_subscription"

  topic_arn = module.ops_topic.arn
  address   = "ops@example.com"
}

module "dashboard" {
  source = "../../modules/dashboard"

  name = "cais-production"
  body = jsonencode({
    widgets = [
      {
        type   = "metric"
        x      = 0
        y      = 0
        width  = 12
        height = 6
        properties = {
          region = "sa-east-1"
          title  = "calendar: CPU and memory"
          period = 60
          metrics = [
            [
              "AWS/ECS",
              "CPUUtilization",
              "ClusterName",
              module.cluster.name,
              "ServiceName",
              "calendar",
            ],
            [
              "AWS/ECS",
              "MemoryUtilization",
              "ClusterName",
              module.cluster.name,
              "ServiceName",
              "calendar",
            ],
          ]
        }
      },
      {
        type   = "metric"
        x      = 12
        y      = 0
        width  = 12
        height = 6
        properties = {
          region = "sa-east-1"
          title  = "calendar: requests"
          period = 60
          metrics = [
            [
              "AWS/ApplicationELB",
              "RequestCount",
              "LoadBalancer",
              module.load_balancer.arn_suffix,
              "TargetGroup",
              module.calendar_target_group.arn_suffix,
              { stat = "Sum" },
            ],
            [
              "AWS/ApplicationELB",
              "HTTPCode_Target_5XX_Count",
              "LoadBalancer",
              module.load_balancer.arn_suffix,
              "TargetGroup",
              module.calendar_target_group.arn_suffix,
              { stat = "Sum" },
            ],
            [
              "AWS/ApplicationELB",
              "TargetResponseTime",
              "LoadBalancer",
              module.load_balancer.arn_suffix,
              "TargetGroup",
              module.calendar_target_group.arn_suffix,
              { stat = "p99", yAxis = "right" },
            ],
          ]
        }
      },
      {
        type   = "metric"
        x      = 0
        y      = 6
        width  = 12
        height = 6
        properties = {
          region = "sa-east-1"
          title  = "clock: CPU and memory"
          period = 60
          metrics = [
            [
              "AWS/ECS",
              "CPUUtilization",
              "ClusterName",
              module.cluster.name,
              "ServiceName",
              "clock",
            ],
            [
              "AWS/ECS",
              "MemoryUtilization",
              "ClusterName",
              module.cluster.name,
              "ServiceName",
              "clock",
            ],
          ]
        }
      },
      {
        type   = "metric"
        x      = 12
        y      = 6
        width  = 12
        height = 6
        properties = {
          region = "sa-east-1"
          title  = "clock: requests"
          period = 60
          metrics = [
            [
              "AWS/ApplicationELB",
              "RequestCount",
              "LoadBalancer",
              module.load_balancer.arn_suffix,
              "TargetGroup",
              module.clock_target_group.arn_suffix,
              { stat = "Sum" },
            ],
            [
              "AWS/ApplicationELB",
              "HTTPCode_Target_5XX_Count",
              "LoadBalancer",
              module.load_balancer.arn_suffix,
              "TargetGroup",
              module.clock_target_group.arn_suffix,
              { stat = "Sum" },
            ],
            [
              "AWS/ApplicationELB",
              "TargetResponseTime",
              "LoadBalancer",
              module.load_balancer.arn_suffix,
              "TargetGroup",
              module.clock_target_group.arn_suffix,
              { stat = "p99", yAxis = "right" },
            ],
          ]
        }
      },
    ]
  })
}
