# Rendered by `cais infra terraform` from the Compose file; changes belong there.

module "redis_security_group" {
  source = "../../modules/security_group"

  name         = "cais-production-redis"
  description  = "The cache redis"
  vpc_id       = module.network.vpc_id
  egress_ports = []
}

module "redis" {
  source = "../../modules/cache"

  name              = "cais-production-redis"
  description       = "redis of cais-production"
  node_type         = "cache.t4g.small"
  nodes             = 2
  multi_az          = true
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = module.redis_security_group.id
  key_arn           = module.encryption.key_arn
}
