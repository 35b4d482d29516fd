# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "listener_arn" {
  description = "The listener."
  type        = string
}

variable "priority" {
  description = "Lower is asked first: longer paths before shorter ones."
  type        = number
}

variable "hosts" {
  description = "Names that match; `*` is any."
  type        = list(string)
}

variable "paths" {
  description = "Paths that match."
  type        = list(string)
}

variable "target_group_arn" {
  description = "Who answers."
  type        = string
}
