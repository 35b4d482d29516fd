# Rendered by `cais infra terraform` from the Compose file; changes belong there.

data "aws_caller_identity" "current" {}

module "encryption" {
  source = "../../modules/encryption"

  name   = "cais-production"
  alias  = "alias/cais-production"
  region = "sa-east-1"
}

module "network" {
  source = "../../modules/network"

  name       = "cais-production"
  region     = "sa-east-1"
  cidr_block = "10.0.0.0/16"
  public_subnets = {
    sa-east-1a = "10.0.192.0/20"
    sa-east-1b = "10.0.208.0/20"
    sa-east-1c = "10.0.224.0/20"
  }
  private_subnets = {
    sa-east-1a = "10.0.0.0/18"
    sa-east-1b = "10.0.64.0/18"
    sa-east-1c = "10.0.128.0/18"
  }
  nat_zones               = ["sa-east-1a", "sa-east-1b", "sa-east-1c"]
  nat_zone_of             = { sa-east-1a = "sa-east-1a", sa-east-1b = "sa-east-1b", sa-east-1c = "sa-east-1c" }
  flow_log_retention_days = 365
  key_arn                 = module.encryption.key_arn
}

module "log_bucket" {
  source = "../../modules/log_bucket"

  name           = "cais-production-logs-${data.aws_caller_identity.current.account_id}"
  account        = data.aws_caller_identity.current.account_id
  retention_days = 365
}
