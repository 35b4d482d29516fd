# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "Its name."
  type        = string
}

variable "namespace_arn" {
  description = "Where services find each other."
  type        = string
}

variable "key_arn" {
  description = "The KMS key of sessions in tasks."
  type        = string
}

variable "log_group" {
  description = "What is typed in sessions in tasks."
  type        = string
}

variable "log_retention_days" {
  description = "How long that is kept."
  type        = number
}
