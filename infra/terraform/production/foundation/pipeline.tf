# Rendered by `cais infra terraform` from the Compose file; changes belong there.

module "pipeline_access" {
  source = "../../modules/pipeline_access"

  name         = "cais-production"
  region       = "sa-east-1"
  provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  conditions   = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" }
  plan_subjects = [
    "repo:example/cais:pull_request",
    "repo:example/cais:ref:refs/heads/main",
    "repo:example/cais:environment:production",
  ]
  deploy_subjects = ["repo:example/cais:environment:production"]
  state_bucket    = "cais-production-state-${data.aws_caller_identity.current.account_id}"
}

module "image_access" {
  source = "../../modules/image_access"

  name         = "cais-production"
  provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  conditions   = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" }
  push_subjects = [
    "repo:example/cais:ref:refs/heads/main",
    "repo:example/cais:environment:production",
  ]
  deploy_role     = module.pipeline_access.deploy_role_name
  repository_arns = [module.calendar_registry.arn, module.clock_registry.arn]
}
