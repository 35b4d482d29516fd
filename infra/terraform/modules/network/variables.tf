# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "What the VPC is called."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "cidr_block" {
  description = "The addresses of the VPC."
  type        = string
}

variable "public_subnets" {
  description = "Addresses of the public subnet of each zone."
  type        = map(string)
}

variable "private_subnets" {
  description = "Addresses of the private subnet of each zone."
  type        = map(string)
}

variable "nat_zones" {
  description = "Zones that have a NAT gateway."
  type        = list(string)
}

variable "nat_zone_of" {
  description = "The zone whose NAT gateway each zone's private subnet goes out by."
  type        = map(string)
}

variable "flow_log_retention_days" {
  description = "How long the flow log is kept."
  type        = number
}

variable "key_arn" {
  description = "The KMS key of the flow log."
  type        = string
}
