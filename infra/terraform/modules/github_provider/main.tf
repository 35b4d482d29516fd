# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# GitHub as an identity provider. An account has one: where it is there already,
# x-cais.aws.github.provider names it.

resource "aws_iam_openid_connect_provider" "this" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}
