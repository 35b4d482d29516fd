# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "The service."
  type        = string
}

variable "cluster_arn" {
  description = "The cluster."
  type        = string
}

variable "namespace_arn" {
  description = "Where services find each other."
  type        = string
}

variable "task_definition_arn" {
  description = "The first revision; later ones come from deploys."
  type        = string
}

variable "desired_count" {
  description = "Tasks at first; later scaling decides."
  type        = number
}

variable "minimum_healthy_percent" {
  description = "Tasks that stay healthy in a rollout, of those desired."
  type        = number
}

variable "maximum_percent" {
  description = "Tasks there may be in a rollout, of those desired."
  type        = number
}

variable "breaker" {
  description = "Does a rollout that fails end?"
  type        = bool
}

variable "rollback" {
  description = "Does it go back to the last revision then?"
  type        = bool
}

variable "alarm_names" {
  description = "Alarms that end a rollout."
  type        = list(string)
}

variable "alarms_enabled" {
  description = "Are there any?"
  type        = bool
}

variable "on_demand_weight" {
  description = "Share of tasks that stay, beyond the first."
  type        = number
}

variable "spot_weight" {
  description = "Share of tasks that AWS may interrupt."
  type        = number
}

variable "execute_command" {
  description = "May a session be opened in a task?"
  type        = bool
}

variable "subnet_ids" {
  description = "Where tasks run."
  type        = list(string)
}

variable "security_group_id" {
  description = "The security group of the tasks."
  type        = string
}

variable "ports" {
  description = "Ports that other services call it on."
  type        = list(object({ name = string, port = number }))
}

variable "target_group_arn" {
  description = "Where its tasks take requests."
  type        = string
}

variable "container_port" {
  description = "The port of the container that takes them."
  type        = number
}

variable "grace_period" {
  description = "Seconds in which failed checks of a new task do not count."
  type        = number
}

variable "alternate_target_group_arn" {
  description = "Where the next revision's tasks take requests."
  type        = string
}

variable "listener_rule_arn" {
  description = "The rule whose weights move."
  type        = string
}

variable "traffic_role_arn" {
  description = "The role by which ECS moves them."
  type        = string
}

variable "bake_minutes" {
  description = "Minutes that the old tasks stay after all traffic has moved."
  type        = number
}

variable "step_percent" {
  description = "Share of the traffic that moves at once."
  type        = number
}

variable "step_bake_minutes" {
  description = "Minutes to watch it."
  type        = number
}
