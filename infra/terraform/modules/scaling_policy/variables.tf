# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "The policy."
  type        = string
}

variable "resource_id" {
  description = "What is scaled."
  type        = string
}

variable "target_value" {
  description = "The average to keep."
  type        = number
}

variable "out_cooldown" {
  description = "Seconds to wait after tasks were added."
  type        = number
}

variable "in_cooldown" {
  description = "Seconds to wait after tasks were taken away."
  type        = number
}

variable "metric" {
  description = "What is measured."
  type        = string
}
