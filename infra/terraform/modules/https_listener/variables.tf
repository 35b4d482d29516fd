# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "load_balancer_arn" {
  description = "The load balancer."
  type        = string
}

variable "certificate_arn" {
  description = "The certificate."
  type        = string
}
