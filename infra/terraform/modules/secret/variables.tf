# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "Its name in Secrets Manager."
  type        = string
}

variable "description" {
  description = "What it is for."
  type        = string
}

variable "key_arn" {
  description = "The KMS key."
  type        = string
}
