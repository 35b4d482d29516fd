# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "The replication group."
  type        = string
}

variable "description" {
  description = "Whose it is."
  type        = string
}

variable "node_type" {
  description = "The size of a node."
  type        = string
}

variable "nodes" {
  description = "How many nodes."
  type        = number
}

variable "multi_az" {
  description = "Does a node in another zone take over?"
  type        = bool
}

variable "subnet_ids" {
  description = "Where the nodes are."
  type        = list(string)
}

variable "security_group_id" {
  description = "Who may connect is said by its rules."
  type        = string
}

variable "key_arn" {
  description = "The KMS key."
  type        = string
}
