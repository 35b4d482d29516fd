# Rendered by `cais infra terraform` from the Compose file; changes belong there.

module "clock_registry" {
  source = "../../modules/registry"

  name    = "cais-staging/clock"
  keep    = 50
  key_arn = module.encryption.key_arn
}
