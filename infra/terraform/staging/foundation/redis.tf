# Rendered by `cais infra terraform` from the Compose file; changes belong there.

module "redis_security_group" {
  source = "../../modules/security_group"

  name         = "cais-staging-redis"
  description  = "The cache redis"
  vpc_id       = module.network.vpc_id
  egress_ports = []
}

module "redis" {
  source = "../../modules/cache"

  name              = "cais-staging-redis"
  description       = "redis of cais-staging"
  node_type         = "cache.t4g.micro"
  nodes             = 1
  multi_az          = false
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = module.redis_security_group.id
  key_arn           = module.encryption.key_arn
}
