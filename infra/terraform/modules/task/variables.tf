# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "family" {
  description = "The family of its revisions."
  type        = string
}

variable "cpu" {
  description = "CPU units, 1024 a vCPU."
  type        = number
}

variable "memory" {
  description = "MiB of memory."
  type        = number
}

variable "architecture" {
  description = "X86_64 or ARM64."
  type        = string
}

variable "execution_role_arn" {
  description = "The role by which ECS starts a task."
  type        = string
}

variable "task_role_arn" {
  description = "The role that the program has."
  type        = string
}

variable "container_definitions" {
  description = "Its container."
  type        = string
}

variable "log_group" {
  description = "Where its log goes."
  type        = string
}

variable "log_retention_days" {
  description = "How long the log is kept."
  type        = number
}

variable "key_arn" {
  description = "The KMS key of the log."
  type        = string
}
