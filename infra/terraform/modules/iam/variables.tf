# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "execution_role" {
  description = "The role by which ECS starts a task."
  type        = string
}

variable "task_role" {
  description = "The role that the program has."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "execution_policy" {
  description = "What ECS needs to start a task: its image, its log and its secrets."
  type        = string
}
