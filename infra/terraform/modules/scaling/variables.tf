# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "cluster_name" {
  description = "The cluster."
  type        = string
}

variable "service_name" {
  description = "The service."
  type        = string
}

variable "min_capacity" {
  description = "Fewest tasks."
  type        = number
}

variable "max_capacity" {
  description = "Most tasks."
  type        = number
}
