# Rendered by `cais infra terraform` from the Compose file; changes belong there.

module "redis_cache_secret" {
  source = "../../modules/secret"

  name        = "cais/staging/redis-cache"
  description = "Where the cache `redis` is, and its password"
  key_arn     = module.encryption.key_arn
}
