# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "domain" {
  description = "The name."
  type        = string
}

variable "zone_id" {
  description = "The Route 53 zone that the name is in."
  type        = string
}
