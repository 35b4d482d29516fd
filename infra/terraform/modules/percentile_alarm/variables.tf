# Rendered by `cais infra terraform` from the Compose file; changes belong there.

variable "name" {
  description = "The alarm."
  type        = string
}

variable "description" {
  description = "What it means."
  type        = string
}

variable "comparison" {
  description = "Which side of the threshold is bad."
  type        = string
}

variable "threshold" {
  description = "The threshold."
  type        = number
}

variable "period" {
  description = "Seconds of one datapoint."
  type        = number
}

variable "datapoints_to_alarm" {
  description = "Datapoints that must be bad …"
  type        = number
}

variable "evaluation_periods" {
  description = "… of so many last ones."
  type        = number
}

variable "treat_missing_data" {
  description = "What a period without data counts as."
  type        = string
}

variable "topic_arns" {
  description = "Who is told."
  type        = list(string)
}

variable "namespace" {
  description = "Whose metric it is."
  type        = string
}

variable "metric" {
  description = "What is measured."
  type        = string
}

variable "percentile" {
  description = "Which percentile: p99."
  type        = string
}

variable "dimensions" {
  description = "Of what."
  type        = map(string)
}
