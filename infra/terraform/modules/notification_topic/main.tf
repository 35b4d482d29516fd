# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# A topic that alarms speak to.

resource "aws_sns_topic" "this" {
  name              = var.name
  kms_master_key_id = var.key_arn
}
