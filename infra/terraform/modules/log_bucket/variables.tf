# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "The bucket."
  type        = string
}

variable "account" {
  description = "The account whose load balancers write here."
  type        = string
}

variable "retention_days" {
  description = "How long logs are kept."
  type        = number
}
