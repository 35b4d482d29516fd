# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "Its name."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "health_path" {
  description = "What is asked for."
  type        = string
}

variable "interval" {
  description = "Seconds between two checks."
  type        = number
}

variable "timeout" {
  description = "Seconds until a check has failed."
  type        = number
}

variable "unhealthy_threshold" {
  description = "Failures in a row that take a task out."
  type        = number
}

variable "deregistration_delay" {
  description = "Seconds that a task which leaves may finish its requests."
  type        = number
}
