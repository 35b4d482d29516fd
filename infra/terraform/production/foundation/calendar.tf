# Rendered by `cais infra terraform` from the Compose file; changes belong there.

module "calendar_registry" {
  source = "../../modules/registry"

  name    = "cais-production/calendar"
  keep    = 50
  key_arn = module.encryption.key_arn
}
