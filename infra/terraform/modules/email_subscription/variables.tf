# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "topic_arn" {
  description = "The topic."
  type        = string
}

variable "address" {
  description = "Who is told."
  type        = string
}
