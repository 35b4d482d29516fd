# Rendered by `cais infra terraform` from the Compose file; changes belong there.

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 6.25" }
  }

  backend "s3" {
    # The bucket has the account in its name: terraform init -backend-config=bucket=…
    key          = "foundation.tfstate"
    region       = "sa-east-1"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = "sa-east-1"

  default_tags {
    tags = { Project = "cais", Environment = "production", ManagedBy = "terraform" }
  }
}
