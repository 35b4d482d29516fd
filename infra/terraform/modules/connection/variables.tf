# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "description" {
  description = "Who calls whom."
  type        = string
}

variable "from_security_group_id" {
  description = "Who calls."
  type        = string
}

variable "to_security_group_id" {
  description = "Who is called."
  type        = string
}

variable "port" {
  description = "The port."
  type        = number
}
