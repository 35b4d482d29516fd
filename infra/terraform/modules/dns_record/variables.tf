# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "The name."
  type        = string
}

variable "zone_id" {
  description = "The Route 53 zone that the name is in."
  type        = string
}

variable "target" {
  description = "The load balancer's address."
  type        = string
}

variable "target_zone_id" {
  description = "The zone of that address."
  type        = string
}
