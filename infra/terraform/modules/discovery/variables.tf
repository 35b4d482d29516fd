# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "Its name."
  type        = string
}

variable "description" {
  description = "Whose it is."
  type        = string
}
