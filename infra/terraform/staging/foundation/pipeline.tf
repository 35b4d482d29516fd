# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# An account has one. Where another stack or environment has made it, name it:
# x-cais.aws.github.provider.
module "github_provider" {
  source = "../../modules/github_provider"
}

module "pipeline_access" {
  source = "../../modules/pipeline_access"

  name         = "cais-staging"
  region       = "sa-east-1"
  provider_arn = module.github_provider.arn
  conditions   = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" }
  plan_subjects = [
    "repo:example/cais:pull_request",
    "repo:example/cais:ref:refs/heads/main",
    "repo:example/cais:environment:staging",
  ]
  deploy_subjects = ["repo:example/cais:environment:staging"]
  state_bucket    = "cais-staging-state-${data.aws_caller_identity.current.account_id}"
}

module "image_access" {
  source = "../../modules/image_access"

  name            = "cais-staging"
  provider_arn    = module.github_provider.arn
  conditions      = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" }
  push_subjects   = ["repo:example/cais:ref:refs/heads/main", "repo:example/cais:environment:staging"]
  deploy_role     = module.pipeline_access.deploy_role_name
  repository_arns = [module.calendar_registry.arn, module.clock_registry.arn]
}
