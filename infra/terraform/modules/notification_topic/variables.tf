# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "Its name."
  type        = string
}

variable "key_arn" {
  description = "The KMS key."
  type        = string
}
