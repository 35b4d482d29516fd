# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "state_bucket" {
  description = "The bucket that holds the state of the foundation."
  type        = string
}

variable "image_tag" {
  description = "The tag under which the images of all services were pushed."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{6,127}$", var.image_tag))
    error_message = "image_tag must name one build, like a commit's hash; `latest` names whatever was pushed last."
  }
}
