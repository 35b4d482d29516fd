# Rendered by `cais infra terraform` from the Compose file; changes belong there.

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 6.25" }
  }
}
