# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "The repository."
  type        = string
}

variable "keep" {
  description = "How many images are kept."
  type        = number
}

variable "key_arn" {
  description = "The KMS key."
  type        = string
}
