# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "What names begin with."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "provider_arn" {
  description = "GitHub's identity provider."
  type        = string
}

variable "conditions" {
  description = "What else has to be true of the caller: repository_id, which stays when a name is given to somebody else."
  type        = map(string)
}

variable "plan_subjects" {
  description = "Who may plan."
  type        = list(string)
}

variable "deploy_subjects" {
  description = "Who may deploy and apply."
  type        = list(string)
}

variable "state_bucket" {
  description = "The bucket of states and of the deploy lock."
  type        = string
}
