# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# A place for a secret. Its value is put there by `cais secret set` or the AWS CLI and never passes
# through here, so no state has it.

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:a rotation needs to know who reads the secret; cais secret rotate replaces it and its tasks
  name        = var.name
  description = var.description
  kms_key_id  = var.key_arn
  # A deleted secret comes back for a week.
  recovery_window_in_days = 7
}
