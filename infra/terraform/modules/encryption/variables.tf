# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "What the key is for."
  type        = string
}

variable "alias" {
  description = "The key's alias."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}
