# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "calendar_repository_arn" {
  description = "A repository of images."
  value       = module.calendar_registry.arn
}

output "calendar_repository_url" {
  description = "Where images are pushed to."
  value       = module.calendar_registry.url
}

output "clock_repository_arn" {
  description = "A repository of images."
  value       = module.clock_registry.arn
}

output "clock_repository_url" {
  description = "Where images are pushed to."
  value       = module.clock_registry.url
}

output "key_arn" {
  description = "The KMS key."
  value       = module.encryption.key_arn
}

output "log_bucket" {
  description = "Access logs of the load balancer."
  value       = module.log_bucket.name
}

output "pipeline_apply_role_arn" {
  description = "A role of the pipeline."
  value       = module.pipeline_access.apply_role_arn
}

output "pipeline_deploy_role_arn" {
  description = "A role of the pipeline."
  value       = module.pipeline_access.deploy_role_arn
}

output "pipeline_plan_role_arn" {
  description = "A role of the pipeline."
  value       = module.pipeline_access.plan_role_arn
}

output "pipeline_push_role_arn" {
  description = "A role of the pipeline."
  value       = module.image_access.push_role_arn
}

output "private_subnet_ids" {
  description = "Subnets of tasks and cache."
  value       = module.network.private_subnet_ids
}

output "public_subnet_ids" {
  description = "Subnets of the load balancer."
  value       = module.network.public_subnet_ids
}

output "redis_cache_secret_arn" {
  description = "A secret."
  value       = module.redis_cache_secret.arn
}

output "redis_endpoint" {
  description = "The host of the cache."
  value       = module.redis.endpoint
}

output "redis_security_group_id" {
  description = "The cache's security group."
  value       = module.redis_security_group.id
}

output "vpc_id" {
  description = "The VPC."
  value       = module.network.vpc_id
}
