# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "Its name."
  type        = string
}

variable "description" {
  description = "Whose it is."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "egress_ports" {
  description = "TCP ports that may be called anywhere."
  type        = list(string)
}
