# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "Its name."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets, in two zones at least."
  type        = list(string)
}

variable "ports" {
  description = "Ports that are open to everybody."
  type        = list(string)
}

variable "log_bucket" {
  description = "The bucket of its access logs."
  type        = string
}

variable "deletion_protection" {
  description = "Does AWS refuse to delete it?"
  type        = bool
}
