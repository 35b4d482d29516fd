# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "What names begin with."
  type        = string
}

variable "provider_arn" {
  description = "GitHub's identity provider."
  type        = string
}

variable "conditions" {
  description = "What else has to be true of the caller."
  type        = map(string)
}

variable "push_subjects" {
  description = "Who may push images."
  type        = list(string)
}

variable "deploy_role" {
  description = "The role that deploys."
  type        = string
}

variable "repository_arns" {
  description = "Repositories of images."
  type        = list(string)
}
